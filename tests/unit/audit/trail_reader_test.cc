// SPDX-License-Identifier: Apache-2.0
// Pages of the trail: what is wanted and nothing else, newest first, in as many pages as it takes.
#include "audit/trail_reader.h"

#include "trail_fixture.h"

namespace stemedb::audit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr int64_t kBegin = 1767225600000;

class TrailReaderTest : public TrailTest {
 protected:
  // A query about `path`, a second after the one before it.
  void Ask(std::string_view path, std::string_view agent = "", std::string_view lens = "recency",
           uint64_t claim = 7) {
    const std::string question = R"({"concept_path":")" + std::string(path) + "\"}";
    QueryRecord record = Query(question, clock_.NowMs());
    if (!agent.empty()) record.agent = agent;
    record.lenses[0].name = lens;
    record.claims[0].sequence = claim;
    writer_->Write(FrameOf(record));
    clock_.AdvanceMs(1000);
  }
  std::vector<uint64_t> Find(const TrailFilter& filter) { return Ids(*writer_, {.filter = filter}); }

  std::unique_ptr<TrailWriter> writer_ = Open();
};

TEST_F(TrailReaderTest, AnEntryTellsWhoAskedWhatAndWhatTheAnswerRestedOn) {
  QueryRecord record = Query(R"({"concept_path":"a/b","lens":"recency"})", kBegin);
  record.agent = "ab";
  record.claims.push_back({3, 0, 0, Role::kOpposes, 0.25, 0});
  record.claims_not_told = 2;
  writer_->Write(FrameOf(record));
  std::string out;
  AppendTrailPage(out, env_, writer_->Segments(), {});
  EXPECT_EQ(
      out,
      R"({"entries":[{"id":1,"time":"2026-01-01T00:00:00.000Z","agent_id":"ab","client":{"kind":)"
      R"("loopback","address":"127.0.0.1"},"request_id":"r","endpoint":"query","question":)"
      R"({"concept_path":"a/b","lens":"recency"},"lenses":[{"name":"recency","version":"1.0","sha256":)"
      R"("0102030000000000000000000000000000000000000000000000000000000000","generation":4}],"as_of":)"
      R"({"sequence":7,"time":"2026-01-01T00:00:00.000Z"},"status":"answered","duration_us":42,)"
      R"("resolutions_count":1,"candidates_count":1,"assertions_count":0,"answer":{"bytes":500,"sha256":)"
      R"("0000000000000000000000000000000000000000000000000000000000000000"},"contributions":[{"sequence":7,)"
      R"("role":"winner","lens":"recency","resolution":0,"weight":0.5,"share":1},{"sequence":3,"role":)"
      R"("opposes","lens":"recency","resolution":0,"weight":0.25,"share":0}],"contributions_not_told":2}]})");
}

TEST_F(TrailReaderTest, WithoutALensClaimsAreListedWithoutWeights) {
  QueryRecord record = Query(R"({"concept_path":"a"})");
  record.lenses.clear();
  record.claims = {{9, 0, 0, Role::kListed, 0, 0}};
  writer_->Write(FrameOf(record));
  Page(*writer_);
  EXPECT_THAT(text_, AllOf(HasSubstr(R"("agent_id":null)"), HasSubstr(R"("lenses":[])"),
                           HasSubstr(R"("contributions":[{"sequence":9,"role":"listed"}])")));
}

TEST_F(TrailReaderTest, AFailureHasItsCodeAndNoAnswer) {
  QueryRecord record = Query(R"({"concept_path":"a"})");
  record.answered = record.has_moment = false;
  record.code = "lens_failed";
  writer_->Write(FrameOf(record));
  Page(*writer_);
  EXPECT_THAT(text_, AllOf(HasSubstr(R"("status":"failed","code":"lens_failed")"),
                           Not(HasSubstr("\"answer\"")), Not(HasSubstr("as_of"))));
}

TEST_F(TrailReaderTest, AQuestionThatWasCutOrIsNoJsonIsATextAndSaysHowLongItWas) {
  const std::string question = R"({"concept_path":"a","params":{"t":")" + std::string(9000, '"') + "\"}}";
  writer_->Write(FrameOf(Query(question)));
  writer_->Write(FrameOf(Query(R"({"concept_path":"a)")));
  const auto entries = Page(*writer_)["entries"];
  EXPECT_EQ(entries.at(0)["question_beginning"].get_string().value(), R"({"concept_path":"a)");
  EXPECT_EQ(entries.at(1)["question_bytes"].get_uint64().value(), question.size());
  EXPECT_EQ(entries.at(1)["question_beginning"].get_string().value(), question.substr(0, kQuestionBytesKept));
  EXPECT_EQ(entries.at(1)["question"].error(), simdjson::NO_SUCH_FIELD);
}

TEST_F(TrailReaderTest, FindsByAgentLensAndContribution) {
  Ask("a", "one");
  Ask("a", "two", "skeptic", 12);
  Ask("a", "one", "skeptic", 13);
  Ask("a", "", "recency", 12);
  EXPECT_THAT(Find({.agent = "one"}), ElementsAre(3, 1));
  EXPECT_THAT(Find({.agent = "on"}), IsEmpty());
  EXPECT_THAT(Find({.lens = "skeptic"}), ElementsAre(3, 2));
  EXPECT_THAT(Find({.claim = 12}), ElementsAre(4, 2));
  EXPECT_THAT(Find({.agent = "one", .lens = "skeptic"}), ElementsAre(3));
  EXPECT_THAT(Find({}), ElementsAre(4, 3, 2, 1));
}

TEST_F(TrailReaderTest, FindsByThePathThatWasAskedFor) {
  for (const char* path : {"a", "a/b", "a/b/*", "ab", "*", "fda://x/y", "fda://*", R"(q\"uote/x)"}) Ask(path);
  EXPECT_THAT(Find({.concept_path = "a"}), ElementsAre(1));
  EXPECT_THAT(Find({.concept_path = "a/*"}), ElementsAre(3, 2, 1));
  EXPECT_THAT(Find({.concept_path = "a/b/*"}), ElementsAre(3, 2));
  EXPECT_THAT(Find({.concept_path = "fda://*"}), ElementsAre(7, 6));
  EXPECT_THAT(Find({.concept_path = "*"}), ElementsAre(8, 7, 6, 5, 4, 3, 2, 1));
  EXPECT_THAT(Find({.concept_path = "q\"uote/*"}), ElementsAre(8));
  EXPECT_THAT(Find({.concept_path = "b"}), IsEmpty());
}

TEST_F(TrailReaderTest, FindsByTimeFromInclusiveToExclusive) {
  for (int i = 0; i < 5; ++i) Ask("a");
  EXPECT_THAT(Find({.from_ms = kBegin + 3000}), ElementsAre(5, 4));
  EXPECT_THAT(Find({.to_ms = kBegin + 1000}), ElementsAre(1));
  EXPECT_THAT(Find({.from_ms = kBegin + 1000, .to_ms = kBegin + 3000}), ElementsAre(3, 2));
  EXPECT_THAT(Find({.from_ms = kBegin + 5000}), IsEmpty());
}

TEST_F(TrailReaderTest, GapsOfTheWantedTimeAreThereWhateverElseIsWanted) {
  Ask("a");
  writer_->AddLost(GapReason::kBufferFull, 3, kBegin + 1000, kBegin + 1500);
  clock_.AdvanceMs(60'000);
  Ask("b");  // the gap is written with it
  EXPECT_THAT(Find({.agent = "nobody"}), ElementsAre(2));
  EXPECT_THAT(Find({.agent = "nobody", .from_ms = kBegin + 1200, .to_ms = kBegin + 1300}), ElementsAre(2));
  EXPECT_THAT(Find({.agent = "nobody", .from_ms = kBegin + 1501}), IsEmpty());
  EXPECT_THAT(Find({.agent = "nobody", .to_ms = kBegin + 1000}), IsEmpty());
}

TEST_F(TrailReaderTest, AGapIsFoundByItsOwnTimeThoughItsSegmentBeganLater) {
  Ask("a");
  writer_->Close();
  writer_->AddLost(GapReason::kWriteFailed, 3, kBegin + 1000, kBegin + 1500);
  clock_.AdvanceMs(3'600'000);
  Ask("b");
  EXPECT_THAT(Find({.from_ms = kBegin + 1200, .to_ms = kBegin + 1300}), ElementsAre(2));
}

TEST_F(TrailReaderTest, AMissingSegmentIsFoundByTheTimeInWhichItWasWritten) {
  constexpr int64_t kHourMs = 3'600'000;
  for (const char* path : {"a", "b", "c"}) {
    Ask(path);
    writer_->Close();
    clock_.AdvanceMs(kHourMs - 1000);
    writer_ = Open();
  }
  std::filesystem::remove(PathOf(2));
  writer_ = Open();
  const auto find = [&](int64_t from_ms, int64_t to_ms) {
    return Find({.agent = "nobody", .from_ms = from_ms, .to_ms = to_ms});
  };
  EXPECT_THAT(find(kBegin + kHourMs, kBegin + kHourMs + 1), ElementsAre(2)) << "neither neighbour is of then";
  EXPECT_THAT(find(kBegin + 2 * kHourMs, kBegin + 2 * kHourMs + 1), ElementsAre(2));
  EXPECT_THAT(find(kBegin + 2 * kHourMs + 1, kBegin + 9 * kHourMs), IsEmpty());
  EXPECT_THAT(find(kBegin - kHourMs, kBegin), IsEmpty());
  const auto gap = Page(*writer_)["entries"].at(1)["gap"];
  EXPECT_EQ(gap["from"].get_string().value(), "2026-01-01T00:00:00.000Z");
  EXPECT_EQ(gap["to"].get_string().value(), "2026-01-01T02:00:00.000Z");
  EXPECT_EQ(gap["queries"].get_uint64().value(), 1u);
}

TEST_F(TrailReaderTest, DamageIsOfTheTimeBehindTheLastEntryThatIsWhole) {
  for (const char* path : {"a", "b", "c"}) Ask(path);
  writer_->Close();
  const size_t frame = FrameOf(Query(R"({"concept_path":"a"})", kBegin)).size();
  {
    std::fstream file(PathOf(1), std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(kTrailHeaderBytes + 2 * frame + 20));
    file.put('\x7F');
  }
  writer_ = Open();
  EXPECT_THAT(Gaps(*writer_), ElementsAre("3 unreadable 1"));
  EXPECT_THAT(Find({.agent = "nobody", .to_ms = kBegin + 1000}), IsEmpty());
  EXPECT_THAT(Find({.agent = "nobody", .from_ms = kBegin + 2000}), ElementsAre(3));
}

TEST_F(TrailReaderTest, PagesFollowEachOtherWithoutAGapOrARepeat) {
  bounds_.bytes_max = 4 << 20;  // segments of 64 KiB
  writer_->Close();
  writer_ = Open();
  writer_->Write(Frames(1500));
  for (const size_t limit : {1u, 7u, 100u, 1500u}) {
    std::vector<uint64_t> all;
    TrailPage page{.limit = limit};
    for (;;) {
      const auto root = Page(*writer_, page);
      const auto ids = IdsOf(root);
      EXPECT_LE(ids.size(), limit);
      all.insert(all.end(), ids.begin(), ids.end());
      std::string_view cursor;
      if (root["next_cursor"].get(cursor) != simdjson::SUCCESS) break;
      page.before = std::stoull(std::string(cursor));
      if (limit == 1 && all.size() == 50) break;  // enough
    }
    ASSERT_EQ(all.size(), limit == 1 ? 50u : 1500u) << limit;
    for (size_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i], 1500 - i) << limit;
  }
}

TEST_F(TrailReaderTest, APageReadsNoMoreThanItsBoundAndTheNextOneGoesOn) {
  bounds_.bytes_max = 4 << 20;
  writer_->Close();
  writer_ = Open();
  Ask("rare");
  writer_->Write(Frames(3000));
  TrailPage page{.filter = {.concept_path = "rare"}, .scan_bytes_max = 100 << 10};
  std::vector<uint64_t> found;
  size_t pages = 0;
  for (bool goes_on = true; goes_on; ++pages) {
    const auto root = Page(*writer_, page);
    const auto ids = IdsOf(root);
    found.insert(found.end(), ids.begin(), ids.end());
    std::string_view cursor;
    goes_on = root["next_cursor"].get(cursor) == simdjson::SUCCESS;
    if (goes_on) {
      const uint64_t before = std::stoull(std::string(cursor));
      ASSERT_LT(before, page.before);
      page.before = before;
    }
    ASSERT_LT(pages, 100u);
  }
  EXPECT_THAT(found, ElementsAre(1));
  EXPECT_GT(pages, 3u);
}

TEST_F(TrailReaderTest, SegmentsOfOtherTimesAreNotRead) {
  bounds_.bytes_max = 4 << 20;
  writer_->Close();
  writer_ = Open();
  for (int i = 0; i < 5; ++i) writer_->Write(Frames(400, kBegin + i * 1'000'000));
  const uint64_t before = env_.count(env::Operation::kRead);
  EXPECT_EQ(Ids(*writer_, {.filter = {.from_ms = kBegin, .to_ms = kBegin + 400}, .limit = 1000}).size(),
            400u);
  EXPECT_LE(env_.count(env::Operation::kRead) - before, 3u);
}

TEST_F(TrailReaderTest, ASegmentThatGoesMeanwhileIsLeftOut) {
  writer_->Write(Frames(2));
  const auto segments = writer_->Segments();
  std::filesystem::remove(PathOf(1));
  std::string out;
  AppendTrailPage(out, env_, segments, {});
  EXPECT_EQ(out, R"({"entries":[]})");
}

TEST_F(TrailReaderTest, ASegmentThatCannotBeReadIsToldOf) {
  writer_->Write(Frames(2));
  env_.Fail(env::Operation::kRead, env::Failure::kIoError);
  EXPECT_THAT(Gaps(*writer_), ElementsAre("1 unreadable 2"));
}

TEST_F(TrailReaderTest, OneEntryIsReadByItsId) {
  Ask("a");
  Ask("b");
  writer_->AddLost(GapReason::kBufferFull, 1, 1, 1);
  Ask("c");
  const auto read = [&](uint64_t id) { return ReadTrailEntry(env_, writer_->Segments(), id); };
  auto b = read(2);
  ASSERT_TRUE(b);
  EXPECT_EQ(std::get<QueryRecord>(b->entry).question, R"({"concept_path":"b"})");
  auto gap = read(3);
  ASSERT_TRUE(gap);
  EXPECT_TRUE(std::holds_alternative<Gap>(gap->entry));
  for (const uint64_t id : {uint64_t{0}, uint64_t{5}, UINT64_MAX}) {
    const auto none = read(id);
    ASSERT_FALSE(none) << id;
    EXPECT_EQ(none.error().reason(), "unknown_query");
  }
}

}  // namespace
}  // namespace stemedb::audit
