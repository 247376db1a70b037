// SPDX-License-Identifier: Apache-2.0
// The stored form: what goes in comes out, and bytes that are not whole are refused or decode within their
// bounds.
#include "model/claim_record.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <cmath>
#include <limits>

#include "claims.h"

namespace stemedb::model {
namespace {

std::string RecordOf(const Assertion& claim) {
  const std::string canonical = CanonicalOf(claim);
  return EncodeClaim(claim, canonical, IdOf(canonical));
}

// Reads everything there is to read; the sanitizers watch the bounds.
void TouchAll(const ClaimView& view) {
  std::string out;
  AppendValueJson(out, view);
  AppendClaimJson(out, view, 1, 0, "active");
  out.append(view.value_text()).append(view.source_id()).append(view.epoch()).append(view.row());
  out.append(view.concept_path()).append(view.predicate()).append(view.canonical_json());
  for (size_t i = 0; i < view.signature_count(); ++i) out.append(view.signature(i));
  out.append(ToHex({view.id(), 32})).append(ToHex({view.agent_id(), 32}));
  out.append(NameOf(view.source_class())).append(NameOf(view.lifecycle()));
  EXPECT_TRUE(std::isfinite(view.number()) && view.confidence() >= 0 && view.confidence() <= 1);
}

TEST(ClaimRecord, GivesBackEveryField) {
  std::mt19937_64 random = PrintedRandom();
  for (int i = 0; i < 500; ++i) {
    const Assertion claim = RandomClaim(random);
    const std::string canonical = CanonicalOf(claim);
    const std::string record = RecordOf(claim);
    const auto view = ClaimView::OfRecord(record);
    ASSERT_TRUE(view) << view.error().message();
    EXPECT_EQ(view->value_kind(), claim.value.kind);
    EXPECT_EQ(view->number(), claim.value.number);
    EXPECT_EQ(view->value_text(), claim.value.text);
    EXPECT_EQ(view->confidence(), claim.confidence);
    EXPECT_EQ(view->timestamp_ms(), *claim.timestamp_ms);
    EXPECT_EQ(view->valid_from_ms(), claim.valid_from_ms.value_or(std::numeric_limits<int64_t>::min()));
    EXPECT_EQ(view->valid_to_ms(), claim.valid_to_ms.value_or(std::numeric_limits<int64_t>::max()));
    EXPECT_EQ(view->source_id(), claim.source ? claim.source->id : "");
    EXPECT_EQ(view->source_class(), claim.source
                                        ? claim.source->source_class.value_or(SourceClass::kAnecdotal)
                                        : SourceClass::kAnecdotal);
    EXPECT_EQ(view->lifecycle(), claim.lifecycle.value_or(Lifecycle::kProposed));
    EXPECT_EQ(view->epoch(), claim.epoch);
    EXPECT_EQ(view->concept_path(), claim.concept_path);
    EXPECT_EQ(view->predicate(), claim.predicate);
    EXPECT_EQ(view->canonical_json(), canonical);
    EXPECT_EQ(view->anonymous(), !claim.agent_id.has_value());
    EXPECT_EQ(ToHex({view->agent_id(), 32}), ToHex(claim.agent_id.value_or(kAnonymousAgent)));
    EXPECT_EQ(ToHex({view->id(), 32}), ToHex(IdOf(canonical)));
    ASSERT_EQ(view->signature_count(), claim.signatures.size());
    for (size_t s = 0; s < claim.signatures.size(); ++s) {
      EXPECT_EQ(view->signature(s), std::string(AsView(claim.signatures[s].agent_id)) +
                                        std::string(AsView(claim.signatures[s].signature)));
    }
  }
}

TEST(ClaimRecord, RowIsReadableByItself) {
  std::mt19937_64 random = PrintedRandom();
  for (int i = 0; i < 200; ++i) {
    const Assertion claim = RandomClaim(random);
    const std::string record = RecordOf(claim);
    const std::string row(ClaimView::Trusted(record).row());
    const auto view = ClaimView::OfRow(row);
    ASSERT_TRUE(view) << view.error().message();
    EXPECT_EQ(view->row(), row);
    EXPECT_EQ(view->epoch(), claim.epoch);
    std::string value;
    AppendValueJson(value, *view);
    EXPECT_NE(CanonicalOf(claim).find("\"value\":" + value + "}"), std::string::npos);
  }
}

TEST(ClaimRecord, RefusesEveryTruncationAndEveryExtension) {
  std::mt19937_64 random = PrintedRandom();
  for (int i = 0; i < 20; ++i) {
    const std::string record = RecordOf(RandomClaim(random));
    for (size_t size = 0; size < record.size(); ++size) {
      const std::string cut = record.substr(0, size);  // its own allocation: a read past its end is caught
      const auto view = ClaimView::OfRecord(cut);
      ASSERT_FALSE(view) << size << " of " << record.size();
      ASSERT_EQ(view.error().code(), Code::kCorruption);
      const auto row = ClaimView::OfRow(cut);
      ASSERT_TRUE(!row || row->row_size() <= size);
    }
    EXPECT_FALSE(ClaimView::OfRecord(record + "}"));
    const size_t canonical_at = record.size() - ClaimView::Trusted(record).canonical_json().size();
    EXPECT_FALSE(ClaimView::OfRecord(std::string(record).insert(canonical_at, "x")));
  }
}

TEST(ClaimRecord, DecodesFlippedBytesWithinBoundsOrNotAtAll) {
  std::mt19937_64 random = PrintedRandom();
  for (int i = 0; i < 10; ++i) {
    const std::string record = RecordOf(RandomClaim(random));
    for (size_t at = 0; at < record.size(); ++at) {
      for (int mask : {0x01, 0x80, 0xFF, static_cast<int>(1 + random() % 255)}) {
        std::string flipped = record;
        flipped[at] = static_cast<char>(flipped[at] ^ mask);
        if (const auto view = ClaimView::OfRecord(flipped)) TouchAll(*view);
      }
    }
  }
}

TEST(ClaimRecord, RefusesLengthsThatWouldOverflow) {
  std::string record = RecordOf(Parse(ClaimWith("value", "\"text\"")).assertion);
  StoreLittle(record.data() + 48, UINT32_MAX);
  EXPECT_FALSE(ClaimView::OfRow(record));
  EXPECT_FALSE(ClaimView::OfRecord(record));
}

// Such a number could not be shown as JSON.
TEST(ClaimRecord, RefusesNumbersThatAreNotFinite) {
  for (double number :
       {std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(), std::nan("")}) {
    for (size_t at : {size_t{8}, size_t{40}}) {
      std::string record = RecordOf(Parse(ClaimWith("value", "1")).assertion);
      StoreLittle(record.data() + at, number);
      EXPECT_FALSE(ClaimView::OfRow(record)) << at;
    }
  }
}

TEST(ClaimRecord, NamesTheVersionThatItCannotRead) {
  std::string record = RecordOf(Parse(ClaimWith("value", "1")).assertion);
  record[0] = 2;
  EXPECT_EQ(ClaimView::OfRow(record).error().message(),
            "claim record: format version 2; this program reads 1");
}

TEST(AppendClaimJson, ShowsTheClaimAndWhatTheServerAdded) {
  const ParsedClaim parsed = Parse(ClaimWith("value", "{\"ref\":\"x/y\"}"));
  const std::string record = RecordOf(parsed.assertion);
  std::string out;
  AppendClaimJson(out, *ClaimView::OfRecord(record), 42, 1770804000000, "quarantined");
  EXPECT_EQ(
      out,
      R"({"concept_path":"a/b","confidence":0.5,"predicate":"p","timestamp":"2026-02-11T10:00:00.000Z","value":{"ref":"x/y"},"id":")" +
          ToHex(IdOf(CanonicalOf(parsed.assertion))) +
          R"(","sequence":42,"recorded_at":"2026-02-11T10:00:00.000Z","status":"quarantined"})");
}

TEST(AppendClaimJson, LeavesOutAStatusThatIsNotKnown) {
  const std::string record = RecordOf(Parse(ClaimWith("value", "1")).assertion);
  std::string out;
  AppendClaimJson(out, *ClaimView::OfRecord(record), 42, 1770804000000, "");
  EXPECT_TRUE(out.ends_with(R"("sequence":42,"recorded_at":"2026-02-11T10:00:00.000Z"})")) << out;
}

TEST(AppendClaimJson, IsJsonEvenWhenTheStoredTextIsEmpty) {
  const std::string record = EncodeClaim(Parse(ClaimWith("value", "1")).assertion, "{}", Hash256{});
  std::string out;
  AppendClaimJson(out, *ClaimView::OfRecord(record), 1, 0, "active");
  EXPECT_TRUE(CanonicalizeJson(out)) << out;
}

// What a client was shown it can send again, once it has taken off what the server added.
TEST(AppendClaimJson, ShowsSignaturesThatCanBeSentAgain) {
  std::mt19937_64 random = PrintedRandom();
  for (int i = 0; i < 200; ++i) {
    const Assertion claim = RandomClaim(random);
    const std::string record = RecordOf(claim);
    std::string shown;
    AppendClaimJson(shown, *ClaimView::OfRecord(record), 1, 0, "active");
    ASSERT_TRUE(CanonicalizeJson(shown)) << shown;
    const size_t from = shown.rfind(",\"id\":\""), to = shown.find("\"status\":\"active\"") + 17;
    shown.erase(from, to - from);
    const ParsedClaim parsed = Parse(shown);
    ASSERT_TRUE(parsed.status.ok()) << parsed.status.message() << "\n" << shown;
    ASSERT_EQ(RecordOf(parsed.assertion), record);
  }
}

}  // namespace
}  // namespace stemedb::model
