// SPDX-License-Identifier: Apache-2.0
// An entry's bytes: what goes in comes out, what is too long is cut and says so, and what is no entry is
// none.
#include "audit/query_record.h"

#include <limits>
#include <random>

#include "trail_fixture.h"

namespace stemedb::audit {
namespace {

QueryRecord Parse(std::string_view frame) {
  TrailEntry entry;
  EXPECT_TRUE(ParsePayload(PayloadOf(frame), entry).ok());
  return std::get<QueryRecord>(entry);
}

TEST(QueryRecord, ComesBackAsItWasWritten) {
  QueryRecord record = Query(R"({"concept_path":"a/b","lens":"recency"})");
  record.agent = "ab12";
  record.claims.push_back({uint64_t{1} << 60, 70000, 3, Role::kOpposes, -0.25, 0.125});
  record.claims_not_told = 12345;
  const std::string frame = FrameOf(record);
  ASSERT_EQ(FrameAt(frame), frame);
  EXPECT_EQ(TimeOf(frame), record.time_ms);
  const QueryRecord read = Parse(frame);
  EXPECT_EQ(read.time_ms, record.time_ms);
  EXPECT_EQ(read.duration_us, 42u);
  EXPECT_EQ(read.client, ClientKind::kLoopback);
  EXPECT_EQ(read.address, "127.0.0.1");
  EXPECT_EQ(read.agent, "ab12");
  EXPECT_EQ(read.request_id, "r");
  EXPECT_EQ(read.endpoint, "query");
  EXPECT_TRUE(read.answered && read.has_moment && !read.fell_back);
  EXPECT_EQ(read.sequence, 7u);
  EXPECT_EQ(read.now_ms, record.now_ms);
  ASSERT_EQ(read.lenses.size(), 1u);
  EXPECT_EQ(read.lenses[0].name, "recency");
  EXPECT_EQ(read.lenses[0].version, "1.0");
  EXPECT_EQ(read.lenses[0].sha256, record.lenses[0].sha256);
  EXPECT_EQ(read.lenses[0].generation, 4u);
  EXPECT_EQ(read.answer_bytes, 500u);
  EXPECT_EQ(read.question, record.question);
  EXPECT_TRUE(read.is_question_whole());
  ASSERT_EQ(read.claims.size(), 2u);
  EXPECT_EQ(read.claims[1].sequence, uint64_t{1} << 60);
  EXPECT_EQ(read.claims[1].resolution, 70000u);
  EXPECT_EQ(read.claims[1].lens, 3);
  EXPECT_EQ(read.claims[1].role, Role::kOpposes);
  EXPECT_EQ(read.claims[1].weight, -0.25);
  EXPECT_EQ(read.claims[1].share, 0.125);
  EXPECT_EQ(read.claims_not_told, 12345u);
  EXPECT_EQ(FrameOf(read), frame) << "the one spelling of what it says";
}

TEST(QueryRecord, AFailedOneHasItsCodeAndNoAnswer) {
  QueryRecord record = Query("{}");
  record.answered = record.has_moment = false;
  record.code = "lens_failed";
  const std::string frame = FrameOf(record);  // which the texts of what is read lie in
  const QueryRecord read = Parse(frame);
  EXPECT_FALSE(read.answered || read.has_moment || read.agent);
  EXPECT_EQ(read.code, "lens_failed");
  EXPECT_EQ(read.answer_bytes, 0u);
}

TEST(QueryRecord, AQuestionThatIsTooLongIsCutBetweenCharactersAndSaysSo) {
  for (size_t shift = 0; shift < 4; ++shift) {
    std::string question(shift, 'x');
    while (question.size() < 3 * kQuestionBytesKept) question += "\xF0\x9F\x8D\x8B";  // four bytes each
    const std::string frame = FrameOf(Query(question));
    const QueryRecord read = Parse(frame);
    EXPECT_FALSE(read.is_question_whole());
    EXPECT_EQ(read.question_bytes, question.size());
    EXPECT_LE(read.question.size(), kQuestionBytesKept);
    EXPECT_GT(read.question.size() + 4, kQuestionBytesKept);
    EXPECT_TRUE(question.starts_with(read.question));
    EXPECT_EQ((read.question.size() - shift) % 4, 0u) << "no half character";
    EXPECT_EQ(FrameOf(read), frame);
  }
}

TEST(QueryRecord, WhatIsTooMuchIsLeftOutAndCounted) {
  QueryRecord record = Query("{}");
  record.claims.assign(kClaimsUsedMax + 5, record.claims[0]);
  record.claims_not_told = 2;
  record.lenses.assign(kLensesUsedMax + 1, record.lenses[0]);
  const std::string long_name(10'000, 'n');
  record.lenses[0].name = record.address = record.request_id = long_name;
  record.agent = long_name;
  const std::string question(100'000, 'q');
  record.question = question;
  const std::string frame = FrameOf(record);
  ASSERT_EQ(FrameAt(frame), frame) << "within the bound of a payload";
  const QueryRecord read = Parse(frame);
  EXPECT_EQ(read.claims.size(), kClaimsUsedMax);
  EXPECT_EQ(read.claims_not_told, 7u);
  EXPECT_EQ(read.lenses.size(), kLensesUsedMax);
  EXPECT_EQ(read.agent->size(), kTextBytesMax);
}

TEST(QueryRecord, TheLargestOneFitsIntoAPayload) {
  const std::string text(kTextBytesMax, 't'), question(2 * kQuestionBytesKept, 'q');
  QueryRecord record = Query(question);
  record.address = record.request_id = record.endpoint = text;
  record.agent = text;
  record.lenses.assign(kLensesUsedMax, {text, text, {}, UINT64_MAX});
  record.claims.assign(kClaimsUsedMax, {UINT64_MAX, UINT32_MAX, 255, Role::kOpposes, 1, 1});
  record.duration_us = record.sequence = record.resolutions = record.candidates = record.assertions =
      UINT64_MAX;
  record.answer_bytes = UINT64_MAX;
  const std::string frame = FrameOf(record);
  EXPECT_EQ(FrameAt(frame), frame);
  EXPECT_EQ(Parse(frame).lenses.size(), kLensesUsedMax);
}

TEST(QueryRecord, WhatIsNoUtf8OrNoNumberBecomesSomethingThatIs) {
  QueryRecord record = Query("{}");
  record.agent = "\xFF\x80 who";
  record.claims[0].weight = std::numeric_limits<double>::quiet_NaN();
  record.claims[0].share = std::numeric_limits<double>::infinity();
  record.time_ms = INT64_MAX;
  const std::string frame = FrameOf(record);  // which the texts of what is read lie in
  const QueryRecord read = Parse(frame);
  EXPECT_EQ(read.agent, "?? who");
  EXPECT_EQ(read.claims[0].weight, 0);
  EXPECT_EQ(read.claims[0].share, 0);
}

TEST(QueryRecord, GapsAndSealsComeBack) {
  std::string frames;
  AppendFrame(frames, Gap{5, GapReason::kWriteFailed, 1, 4, 300, 17});
  const size_t first = frames.size();
  AppendFrame(frames, Seal{9, 1, 8});
  TrailEntry entry;
  ASSERT_TRUE(ParsePayload(PayloadOf(FrameAt(frames)), entry).ok());
  const Gap gap = std::get<Gap>(entry);
  EXPECT_EQ(std::tuple(gap.time_ms, gap.reason, gap.from_ms, gap.to_ms, gap.queries, gap.bytes),
            std::tuple(5, GapReason::kWriteFailed, 1, 4, 300u, 17u));
  EXPECT_EQ(EarliestOf(FrameAt(frames)), 1);
  EXPECT_FALSE(IsSeal(FrameAt(frames)));
  const std::string_view seal_frame = FrameAt(std::string_view(frames).substr(first));
  ASSERT_EQ(seal_frame.size(), kSealFrameBytes);
  EXPECT_TRUE(IsSeal(seal_frame));
  ASSERT_TRUE(ParsePayload(PayloadOf(seal_frame), entry).ok());
  const Seal seal = std::get<Seal>(entry);
  EXPECT_EQ(std::tuple(seal.entries, seal.time_min_ms, seal.time_max_ms), std::tuple(9u, 1, 8));
}

TEST(QueryRecord, AnyOneBitThatIsOtherwiseMakesItNoFrame) {
  const std::string frame = FrameOf(Query(R"({"concept_path":"a"})"));
  for (size_t bit = 0; bit < frame.size() * 8; ++bit) {
    std::string changed = frame;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    EXPECT_NE(FrameAt(changed).size(), frame.size()) << "bit " << bit;
  }
}

TEST(QueryRecord, NoBeginningOfAFrameIsOne) {
  const std::string frame = FrameOf(Query("{}"));
  for (size_t size = 0; size < frame.size(); ++size)
    EXPECT_TRUE(FrameAt(std::string_view(frame).substr(0, size)).empty()) << size;
  EXPECT_TRUE(FrameAt(std::string(100, '\0')).empty());
  EXPECT_TRUE(FrameAt(std::string(100, '\xFF')).empty());
}

// Past the checksum: what a fault of the writer, or another version's, would look like.
TEST(QueryRecord, APayloadThatMakesNoSenseIsRefusedWhateverIsWrongWithIt) {
  const std::string payload(PayloadOf(FrameOf(Query(R"({"concept_path":"a"})"))));
  TrailEntry entry;
  for (size_t size = 0; size < payload.size(); ++size)
    EXPECT_EQ(ParsePayload(payload.substr(0, size), entry).reason(), "trail_entry") << size;
  EXPECT_FALSE(ParsePayload(payload + '\0', entry).ok()) << "something follows";
  for (const auto& [at, byte] : {std::pair(0, '\x04'),      // an unknown kind
                                 std::pair(8, '\x7F'),      // a time beyond the year 9999
                                 std::pair(9, '\x27'),      // an unknown flag
                                 std::pair(10, '\x03'),     // an unknown client
                                 std::pair(11, '\xA2'),     // a text that is longer than it may be
                                 std::pair(12, '\xFF')}) {  // a text that isn't UTF-8
    std::string changed = payload;
    changed[static_cast<size_t>(at)] = byte;
    EXPECT_FALSE(ParsePayload(changed, entry).ok()) << at;
  }
}

TEST(QueryRecord, AnyBytesAreReadWithoutHarm) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const std::string payload(PayloadOf(FrameOf(Query(R"({"concept_path":"a"})"))));
  TrailEntry entry;
  for (int i = 0; i < 20'000; ++i) {
    std::string changed = payload;
    for (uint64_t changes = 1 + random() % 4; changes > 0; --changes)
      changed[random() % changed.size()] = static_cast<char>(random());
    if (!ParsePayload(changed, entry).ok()) continue;
    std::string again;
    std::visit([&](const auto& one) { AppendFrame(again, one); }, entry);
    ASSERT_EQ(PayloadOf(again), changed);
  }
}

}  // namespace
}  // namespace stemedb::audit
