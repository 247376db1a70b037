// SPDX-License-Identifier: Apache-2.0
// The stored form of operations: what goes in comes out, and bytes that are not whole are refused or decode
// within their bounds.
#include "model/operation_record.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <limits>

#include "operations.h"

namespace stemedb::model {
namespace {

// Reads everything of a row; the sanitizers watch the bounds.
void TouchRow(const OperationView& view) {
  ASSERT_LE(view.row_size(), view.bytes().size());
  std::string out(NameOf(view.kind()));
  out.append(NameOf(view.source_status())).append(NameOf(view.source_class())).append(view.row());
  out.append(ToHex(AsBytes(view.id()))).append(ToHex(AsBytes(view.agent_id()))).append(view.other_id());
  out.append(view.subject().name);
  if (view.has_second_subject()) out.append(view.second_subject().name);
  EXPECT_TRUE(view.number() >= 0 && view.number() <= 1);
  EXPECT_FALSE(view.subject().name.empty());
}

void TouchRecord(const OperationView& view) {
  TouchRow(view);
  std::string out;
  AppendOperationJson(out, view, 1, 0);
  out.append(view.canonical_json());
  for (size_t i = 0; i < view.signature_count(); ++i) {
    ASSERT_EQ(view.signature(i).size(), 96U);
    out.append(view.signature(i));
  }
}

TEST(OperationRecord, GivesBackEveryField) {
  std::mt19937_64 random = PrintedRandom();
  for (int i = 0; i < 100; ++i) {
    for (OperationKind kind : kAllKinds) {
      const Operation operation = RandomOperation(random, kind);
      const std::string canonical = CanonicalOf(operation), record = RecordOf(operation);
      const auto view = OperationView::OfRecord(record);
      ASSERT_TRUE(view) << view.error().message();
      EXPECT_TRUE(IsOperationRecord(record));
      EXPECT_EQ(view->kind(), kind);
      EXPECT_EQ(view->cascade(), operation.cascade);
      EXPECT_EQ(view->source_status(), operation.source_status);
      if (kind == OperationKind::kSource) {
        EXPECT_EQ(view->source_class(), operation.source_class.value_or(SourceClass::kAnecdotal));
      }
      EXPECT_EQ(view->timestamp_ms(), *operation.timestamp_ms);
      EXPECT_EQ(view->number(), operation.number);
      EXPECT_EQ(view->id(), AsView(IdOf(kind, canonical)));
      EXPECT_EQ(view->anonymous(), !operation.agent_id.has_value());
      EXPECT_EQ(view->agent_id(), AsView(operation.agent_id.value_or(kAnonymousAgent)));
      EXPECT_EQ(view->other_id(), AsView(operation.other_id));
      const std::vector<Subject> subjects = SubjectsOf(operation);
      EXPECT_EQ(view->subject().kind, subjects[0].kind);
      EXPECT_EQ(view->subject().name, subjects[0].name);
      ASSERT_EQ(view->has_second_subject(), subjects.size() == 2);
      if (subjects.size() == 2) {
        EXPECT_EQ(view->second_subject().kind, subjects[1].kind);
        EXPECT_EQ(view->second_subject().name, subjects[1].name);
      }
      EXPECT_EQ(view->canonical_json(), canonical);
      ASSERT_EQ(view->signature_count(), operation.signatures.size());
      for (size_t s = 0; s < operation.signatures.size(); ++s) {
        EXPECT_EQ(view->signature(s), std::string(AsView(operation.signatures[s].agent_id)) +
                                          std::string(AsView(operation.signatures[s].signature)));
      }
    }
  }
}

TEST(OperationRecord, RowIsReadableByItself) {
  std::mt19937_64 random = PrintedRandom();
  for (int i = 0; i < 20; ++i) {
    for (OperationKind kind : kAllKinds) {
      const std::string record = RecordOf(RandomOperation(random, kind));
      const std::string row(OperationView::Trusted(record).row());
      const auto view = OperationView::OfRow(row);
      ASSERT_TRUE(view) << view.error().message();
      EXPECT_EQ(view->row(), row);
      TouchRow(*view);
      EXPECT_FALSE(OperationView::OfRecord(row));
      EXPECT_EQ(OperationView::OfRow(record)->row(), row);
    }
  }
}

TEST(OperationRecord, IsToldFromAClaim) {
  std::mt19937_64 random = PrintedRandom();
  const Assertion claim = RandomClaim(random);
  const std::string canonical = CanonicalOf(claim),
                    claim_record = EncodeClaim(claim, canonical, IdOf(canonical));
  EXPECT_FALSE(IsOperationRecord(claim_record));
  EXPECT_FALSE(IsOperationRecord(""));
  EXPECT_FALSE(OperationView::OfRecord(claim_record));
  for (OperationKind kind : kAllKinds)
    EXPECT_FALSE(ClaimView::OfRecord(RecordOf(RandomOperation(random, kind))));
}

TEST(OperationRecord, RefusesEveryTruncationAndEveryExtension) {
  std::mt19937_64 random = PrintedRandom();
  for (OperationKind kind : kAllKinds) {
    Operation operation = RandomOperation(random, kind);
    operation.content.clear();  // a long one takes long
    const std::string record = RecordOf(operation);
    for (size_t size = 0; size < record.size(); ++size) {
      const std::string cut = record.substr(0, size);  // its own allocation: a read past its end is caught
      const auto view = OperationView::OfRecord(cut);
      ASSERT_FALSE(view) << size << " of " << record.size();
      ASSERT_EQ(view.error().code(), Code::kCorruption);
      const auto row = OperationView::OfRow(cut);
      ASSERT_TRUE(!row || row->row_size() <= size);
      if (row) TouchRow(*row);
    }
    EXPECT_FALSE(OperationView::OfRecord(record + "}"));
    const size_t canonical_at = record.size() - OperationView::Trusted(record).canonical_json().size();
    EXPECT_FALSE(OperationView::OfRecord(std::string(record).insert(canonical_at, "x")));
  }
}

TEST(OperationRecord, DecodesFlippedBytesWithinBoundsOrNotAtAll) {
  std::mt19937_64 random = PrintedRandom();
  for (OperationKind kind : kAllKinds) {
    Operation operation = RandomOperation(random, kind);
    operation.content.clear();
    const std::string record = RecordOf(operation);
    for (size_t at = 0; at < record.size(); ++at) {
      for (int mask : {0x01, 0x80, 0xFF, static_cast<int>(1 + random() % 255)}) {
        std::string flipped = record;
        flipped[at] = static_cast<char>(flipped[at] ^ mask);
        if (const auto view = OperationView::OfRecord(flipped)) TouchRecord(*view);
        if (const auto view = OperationView::OfRow(flipped)) TouchRow(*view);
      }
    }
  }
}

TEST(OperationRecord, DecodesGarbageWithinBoundsOrNotAtAll) {
  std::mt19937_64 random = PrintedRandom();
  std::vector<std::string> records;
  for (OperationKind kind : kAllKinds) {
    for (int i = 0; i < 10; ++i) records.push_back(RecordOf(RandomOperation(random, kind)));
  }
  for (int i = 0; i < 20000; ++i) {
    std::string bytes = records[random() % records.size()];
    // A right front and any end, or a head with some bytes at random.
    if (random() % 2 == 0) {
      bytes.resize(random() % (bytes.size() + 1));
      for (uint64_t more = random() % 64; more > 0; --more) bytes.push_back(static_cast<char>(random()));
    } else {
      for (uint64_t n = 1 + random() % 4; n > 0; --n)
        bytes[random() % kOperationHeadBytes] = static_cast<char>(random());
    }
    bytes.shrink_to_fit();
    if (const auto view = OperationView::OfRecord(bytes)) TouchRecord(*view);
    if (const auto view = OperationView::OfRow(bytes)) TouchRow(*view);
  }
}

std::string Smallest(OperationKind kind) {
  return RecordOf(ParseOperation(kind, BodyWith(kind, "", "")).operation);
}

// A record of that kind in which the byte at `at` is `byte` is none.
void ExpectRefused(OperationKind kind, size_t at, int byte, std::string_view why) {
  std::string record = Smallest(kind);
  record[at] = static_cast<char>(byte);
  const auto row = OperationView::OfRow(record);
  ASSERT_FALSE(row) << NameOf(kind) << ": byte " << at << " = " << byte;
  EXPECT_EQ(row.error().message(), "operation record: " + std::string(why));
  EXPECT_FALSE(OperationView::OfRecord(record));
}

TEST(OperationRecord, RefusesAHeadThatMakesNoSense) {
  using Kind = OperationKind;
  ExpectRefused(Kind::kVote, 0, 130, "format version 130; this program reads 129");
  for (int byte : {0, 9, 255}) ExpectRefused(Kind::kVote, 1, byte, "unknown kind of operation");
  ExpectRefused(Kind::kVote, 2, 8, "unknown flag");
  ExpectRefused(Kind::kVote, 2, 4 + 2, "cascades, but retracts nothing");
  ExpectRefused(Kind::kVote, 2, 0, "its flags and its subject differ");
  ExpectRefused(Kind::kSource, 2, 4, "its flags and its subject differ");
  ExpectRefused(Kind::kVote, 3, 17, "more signatures than the limit");
  ExpectRefused(Kind::kSourceStatus, 4, 4, "unknown status of a source");
  ExpectRefused(Kind::kVote, 4, 1, "unknown status of a source");
  for (int byte : {6, 254}) ExpectRefused(Kind::kSource, 5, byte, "unknown source class");
  for (int byte : {1, 255}) ExpectRefused(Kind::kVote, 5, byte, "unknown source class");
  for (char byte : {'\0', 'x', 's'}) ExpectRefused(Kind::kVote, 6, byte, "a subject that its kind hasn't");
  ExpectRefused(Kind::kRetraction, 6, 't', "a subject that its kind hasn't");
  ExpectRefused(Kind::kVote, 7, 'a', "a second subject that its kind hasn't");
  ExpectRefused(Kind::kSupersession, 7, 0, "a second subject that its kind hasn't");
  ExpectRefused(Kind::kAlias, 7, 'p', "a second subject that its kind hasn't");
  ExpectRefused(Kind::kSupersession, 88, 1, "its replacement and its second subject differ");
  ExpectRefused(Kind::kTrust, 88, 2, "its agent and its subject differ");
  for (int byte : {0, 31, 33})
    ExpectRefused(Kind::kVote, 120, byte, "a subject of a length that its kind hasn't");
  ExpectRefused(Kind::kEpoch, 120, 0, "a subject of a length that its kind hasn't");
  ExpectRefused(Kind::kEpoch, 120, 129, "a subject of a length that its kind hasn't");
  ExpectRefused(Kind::kEpoch, 121, 255, "a subject of a length that its kind hasn't");
  ExpectRefused(Kind::kSource, 121, 3, "a subject of a length that its kind hasn't");
  ExpectRefused(Kind::kVote, 122, 1, "a subject of a length that its kind hasn't");
  ExpectRefused(Kind::kAlias, 122, 0, "a subject of a length that its kind hasn't");
}

TEST(OperationRecord, RefusesNumbersThatAreOutOfRange) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (OperationKind kind : kAllKinds) {
    for (double number : {infinity, -infinity, std::nan(""), -0.5, 1.5}) {
      std::string record = Smallest(kind);
      StoreLittle(record.data() + 16, number);
      EXPECT_FALSE(OperationView::OfRow(record)) << NameOf(kind) << number;
    }
  }
  std::string epoch = Smallest(OperationKind::kEpoch);
  StoreLittle(epoch.data() + 16, 0.5);  // it has none
  EXPECT_FALSE(OperationView::OfRow(epoch));
}

TEST(OperationRecord, RefusesLengthsThatWouldOverflow) {
  for (OperationKind kind : kAllKinds) {
    std::string record = Smallest(kind);
    StoreLittle(record.data() + 124, UINT32_MAX);
    EXPECT_FALSE(OperationView::OfRecord(record));
    StoreLittle(record.data() + 120, UINT32_MAX);
    EXPECT_FALSE(OperationView::OfRow(record));
  }
}

TEST(OperationRecord, RefusesATextThatIsNoObject) {
  const Operation vote =
      ParseOperation(OperationKind::kVote, BodyWith(OperationKind::kVote, "", "")).operation;
  for (std::string_view text : {"", "{", "}", "[]", "{]", "\"\""}) {
    EXPECT_FALSE(OperationView::OfRecord(EncodeOperation(vote, text, Hash256{}))) << text;
  }
  EXPECT_TRUE(OperationView::OfRecord(EncodeOperation(vote, "{}", Hash256{})));
}

// By hand, field by field: the bytes are in logs.
TEST(OperationRecord, KeepsItsLayout) {
  const std::string body = R"({"concept_path":"a/*","cascade":true,"timestamp":"1970-01-01T00:00:00.258Z"})";
  const Operation operation = ParseOperation(OperationKind::kRetraction, body).operation;
  const std::string canonical = CanonicalOf(operation);
  std::string expected(128, '\0');
  expected[0] = static_cast<char>(129);
  expected[1] = 3;
  expected[2] = 2;
  expected[6] = 'b';
  expected[8] = 2, expected[9] = 1;
  expected.replace(24, 32, AsView(IdOf(OperationKind::kRetraction, canonical)));
  expected[120] = 1;
  expected[124] = static_cast<char>(canonical.size());
  EXPECT_EQ(RecordOf(operation), expected + "a" + canonical);
}

TEST(AppendOperationJson, ShowsTheOperationAndWhatTheServerAdded) {
  using Kind = OperationKind;
  const auto shown = [](Kind kind) {
    std::string out;
    AppendOperationJson(out, *OperationView::OfRecord(Smallest(kind)), 42, 1770804000000);
    return out;
  };
  const auto id = [](Kind kind) {
    return ToHex(IdOf(kind, CanonicalOf(ParseOperation(kind, BodyWith(kind, "", "")).operation)));
  };
  EXPECT_EQ(shown(Kind::kEpoch),
            R"({"name":"e","timestamp":"2026-02-11T10:00:00.000Z","kind":"epoch","id":")" + id(Kind::kEpoch) +
                R"(","sequence":42,"recorded_at":"2026-02-11T10:00:00.000Z"})");
  // A source's own id stays its id.
  EXPECT_EQ(shown(Kind::kSource),
            R"({"id":"s","timestamp":"2026-02-11T10:00:00.000Z","kind":"source","operation_id":")" +
                id(Kind::kSource) + R"(","sequence":42,"recorded_at":"2026-02-11T10:00:00.000Z"})");
}

TEST(AppendOperationJson, IsJsonWithoutARepeatedName) {
  std::mt19937_64 random = PrintedRandom();
  for (int i = 0; i < 50; ++i) {
    for (OperationKind kind : kAllKinds) {
      std::string shown;
      AppendOperationJson(shown, *OperationView::OfRecord(RecordOf(RandomOperation(random, kind))), 1, 0);
      ASSERT_TRUE(CanonicalizeJson(shown)) << shown;
    }
  }
}

TEST(AppendOperationJson, IsJsonEvenWhenTheStoredTextIsEmpty) {
  const Operation vote =
      ParseOperation(OperationKind::kVote, BodyWith(OperationKind::kVote, "", "")).operation;
  const std::string record = EncodeOperation(vote, "{}", Hash256{});
  std::string out;
  AppendOperationJson(out, *OperationView::OfRecord(record), 1, 0);
  EXPECT_TRUE(CanonicalizeJson(out)) << out;
}

// The text that is shown without the content is that of the source without it, whatever the content looks
// like.
TEST(AppendOperationJson, LeavesOutTheContentAndNothingElse) {
  std::mt19937_64 random = PrintedRandom();
  const std::string_view pieces[] = {"\",\"id\":\"", "\",\"hash\":\"", "\"", "\\",   ",",
                                     ",\"",          "\\\",\"id\":\"", "id", "hash", "\x01"};
  for (int i = 0; i < 500; ++i) {
    const auto text = [&](size_t pieces_max) {
      std::string out;
      for (size_t left = random() % (pieces_max + 1); left > 0; --left)
        out.append(pieces[random() % std::size(pieces)]);
      return out;
    };
    Operation source =
        ParseOperation(OperationKind::kSource, BodyWith(OperationKind::kSource, "", "")).operation;
    source.name = "s" + text(8), source.detail = text(8), source.url = text(8), source.hash = text(8);
    if (i % 10 == 0) source.hash = std::string(kSourceHashBytesMax, '\x01');  // as long as it gets in JSON
    if (random() % 2 == 0) source.source_class = SourceClass::kClinical;
    Operation without = source;
    source.content = text(20);
    std::string shown;
    AppendOperationJson(shown, *OperationView::OfRecord(RecordOf(source)), 1, 0, Content::kLeftOut);
    std::string expected = CanonicalOf(without);
    expected.back() = ',';
    ASSERT_EQ(shown.substr(0, expected.size()), expected) << CanonicalOf(source);
    ASSERT_TRUE(CanonicalizeJson(shown)) << shown;
  }
}

// A list of sources must not cost the reading of their contents.
TEST(AppendOperationJson, LeavesOutALargeContentWithoutReadingIt) {
  const auto seconds_of = [](size_t content_bytes) {
    Operation source =
        ParseOperation(OperationKind::kSource, BodyWith(OperationKind::kSource, "", "")).operation;
    source.content = std::string(content_bytes, 'x');
    const std::string record = RecordOf(source);
    double least = 1e9;
    for (int round = 0; round < 5; ++round) {
      const auto start = std::chrono::steady_clock::now();
      std::string shown;
      for (int i = 0; i < 50; ++i)
        AppendOperationJson(shown, *OperationView::OfRecord(record), 1, 0, Content::kLeftOut);
      EXPECT_LT(shown.size(), 50 * 512U);
      least =
          std::min(least, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    return least;
  };
  const double of_small = seconds_of(1024), of_large = seconds_of(kSourceContentBytesMax);
  EXPECT_LT(of_large, 20 * of_small) << "1,024 times the content";
}

// What a client was shown it can send again, once it has taken off what the server added.
TEST(AppendOperationJson, ShowsSignaturesThatCanBeSentAgain) {
  std::mt19937_64 random = PrintedRandom();
  for (int i = 0; i < 50; ++i) {
    for (OperationKind kind : kAllKinds) {
      const Operation operation = RandomOperation(random, kind);
      const std::string record = RecordOf(operation);
      std::string shown;
      AppendOperationJson(shown, *OperationView::OfRecord(record), 1, 0);
      const size_t from = shown.rfind(",\"kind\":\""),
                   to = shown.find("\"1970-01-01T00:00:00.000Z\"", from) + 26;
      shown.erase(from, to - from);
      const ParsedOperation parsed = ParseOperation(kind, shown);
      ASSERT_TRUE(parsed.status.ok()) << parsed.status.message() << "\n" << shown;
      ASSERT_EQ(RecordOf(parsed.operation), record);
    }
  }
}

}  // namespace
}  // namespace stemedb::model
