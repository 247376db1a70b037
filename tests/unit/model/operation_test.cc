// SPDX-License-Identifier: Apache-2.0
// Names, subjects, canonical text and identity of operations; the vectors are Node's
// (tests/vectors/identity.json).
#include "model/operation.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <set>

#include "operations.h"

namespace stemedb::model {
namespace {

TEST(OperationKinds, HaveADomainThatSpellsTheirName) {
  std::set<std::string_view> names;
  for (OperationKind kind : kAllKinds) {
    EXPECT_EQ(DomainOf(kind), "stemedb/" + std::string(NameOf(kind)) + "/v1\n");
    EXPECT_FALSE(NounOf(kind).empty());
    names.insert(NameOf(kind));
  }
  const std::set<std::string_view> expected = {"vote",   "supersession",  "retraction", "epoch",
                                               "source", "source_status", "alias",      "trust"};
  EXPECT_EQ(names, expected);
}

// They are in the log.
TEST(OperationKinds, KeepTheirNumbers) {
  for (size_t i = 0; i < std::size(kAllKinds); ++i) EXPECT_EQ(static_cast<size_t>(kAllKinds[i]), i + 1);
  EXPECT_EQ(std::size(kAllKinds), size_t{kOperationKindMax});
}

TEST(SourceStatuses, AreReadAsTheyAreWritten) {
  for (std::string_view name : {"active", "under_review", "deprecated", "retracted"}) {
    ASSERT_TRUE(SourceStatusOf(name)) << name;
    EXPECT_EQ(NameOf(*SourceStatusOf(name)), name);
  }
  for (std::string_view name : {"", "Active", "active ", "gone"}) EXPECT_FALSE(SourceStatusOf(name)) << name;
}

Hash256 IdFrom(std::string_view hex) {
  Hash256 id{};
  EXPECT_TRUE(FromHex(hex, id));
  return id;
}
Subject About(SubjectKind kind, std::string_view hex) { return {kind, std::string(AsView(IdFrom(hex)))}; }

std::vector<Subject> SubjectsIn(OperationKind kind, const std::string& body) {
  const ParsedOperation parsed = ParseOperation(kind, body);
  EXPECT_TRUE(parsed.status.ok()) << body << parsed.status.message();
  return parsed.status.ok() ? SubjectsOf(parsed.operation) : std::vector<Subject>();
}

TEST(Operation, IsFoundByWhatItIsAbout) {
  using Kind = OperationKind;
  const Subject one = About(SubjectKind::kAssertion, kOneId),
                other = About(SubjectKind::kReplacement, kOtherId);
  const auto of = [](OperationKind kind) { return SubjectsIn(kind, BodyWith(kind, "", "")); };
  using Subjects = std::vector<Subject>;
  EXPECT_EQ(of(Kind::kVote), Subjects({About(SubjectKind::kVotesOn, kOneId)}));
  EXPECT_EQ(of(Kind::kSupersession), Subjects({one, other}));
  EXPECT_EQ(of(Kind::kRetraction), Subjects({one}));
  EXPECT_EQ(of(Kind::kEpoch), Subjects({{SubjectKind::kEpoch, "e"}}));
  EXPECT_EQ(SubjectsIn(Kind::kEpoch, BodyWith(Kind::kEpoch, "supersedes", "\"d\"")),
            Subjects({{SubjectKind::kEpoch, "e"}, {SubjectKind::kOldEpoch, "d"}}));
  EXPECT_EQ(of(Kind::kSource), Subjects({{SubjectKind::kSource, "s"}}));
  EXPECT_EQ(of(Kind::kSourceStatus), Subjects({{SubjectKind::kSource, "s"}}));
  EXPECT_EQ(of(Kind::kAlias), Subjects({{SubjectKind::kAlias, "a/b"}, {SubjectKind::kAliasTarget, "c/d"}}));
  EXPECT_EQ(of(Kind::kTrust), Subjects({About(SubjectKind::kAgent, kOneId)}));
}

TEST(Retraction, IsFoundByWhicheverTargetItNames) {
  const auto of = [](const std::string& body) { return SubjectsIn(OperationKind::kRetraction, body); };
  using Subjects = std::vector<Subject>;
  EXPECT_EQ(of(R"({"concept_path":"a/b"})"), Subjects({{SubjectKind::kPath, "a/b"}}));
  EXPECT_EQ(of(R"({"concept_path":"a/b/*"})"), Subjects({{SubjectKind::kSubtree, "a/b"}}));
  EXPECT_EQ(of(R"({"concept_path":"fda://*"})"), Subjects({{SubjectKind::kSubtree, "fda://"}}));
  EXPECT_EQ(of(R"({"source_id":"a/b/*"})"), Subjects({{SubjectKind::kSource, "a/b/*"}}));
}

std::string CanonicalFrom(OperationKind kind, const std::string& body) {
  const ParsedOperation parsed = ParseOperation(kind, body);
  EXPECT_TRUE(parsed.status.ok()) << body << parsed.status.message();
  return parsed.status.ok() ? CanonicalOf(parsed.operation) : "";
}

TEST(OperationCanonical, HasEveryFieldThatWasGivenUnderItsOwnName) {
  for (OperationKind kind : kAllKinds) {
    const std::string body = BodyOf(LargestBody(kind));
    EXPECT_EQ(CanonicalFrom(kind, body), *CanonicalizeJson(body));
  }
  for (std::string_view target : {R"("concept_path":"a/b")", R"("concept_path":"a/*")",
                                  R"("concept_path":"x://*")", R"("source_id":"s")"}) {
    const std::string body = "{" + std::string(target) + R"(,"timestamp":"2026-02-11T10:00:00.000Z"})";
    EXPECT_EQ(CanonicalFrom(OperationKind::kRetraction, body), body);
  }
}

TEST(OperationCanonical, HasNoDefaultsWrittenIn) {
  for (OperationKind kind : kAllKinds) {
    const std::string body = BodyWith(kind, "", "");
    EXPECT_EQ(CanonicalFrom(kind, body), *CanonicalizeJson(body));
  }
}

TEST(OperationCanonical, LeavesOutACascadeThatIsFalseAndTheDryRun) {
  using Kind = OperationKind;
  const std::string plain = CanonicalFrom(Kind::kRetraction, BodyWith(Kind::kRetraction, "", ""));
  EXPECT_EQ(CanonicalFrom(Kind::kRetraction, BodyWith(Kind::kRetraction, "cascade", "false")), plain);
  EXPECT_NE(CanonicalFrom(Kind::kRetraction, BodyWith(Kind::kRetraction, "cascade", "true")), plain);
  for (Kind kind : {Kind::kRetraction, Kind::kSourceStatus}) {
    const std::string without = CanonicalFrom(kind, BodyWith(kind, "", ""));
    for (std::string_view given : {"true", "false"}) {
      EXPECT_EQ(CanonicalFrom(kind, BodyWith(kind, "dry_run", given)), without);
    }
  }
}

TEST(OperationCanonical, SpellsNumbersAndTimesInOneWay) {
  for (OperationKind kind : {OperationKind::kVote, OperationKind::kTrust}) {
    const std::string_view name = kind == OperationKind::kVote ? "weight" : "trust";
    EXPECT_EQ(CanonicalFrom(kind, BodyWith(kind, name, "1.0")),
              CanonicalFrom(kind, BodyWith(kind, name, "1")));
    EXPECT_EQ(CanonicalFrom(kind, BodyWith(kind, name, "-0.0")),
              CanonicalFrom(kind, BodyWith(kind, name, "0")));
  }
  for (OperationKind kind : kAllKinds) {
    for (std::string_view time :
         {"1770804000", "\"2026-02-11T12:00:00+02:00\"", "\"2026-02-11T10:00:00Z\""}) {
      EXPECT_EQ(CanonicalFrom(kind, BodyWith(kind, "timestamp", time)),
                CanonicalFrom(kind, BodyWith(kind, "", "")));
    }
  }
}

TEST(OperationCanonical, IsTheSortedFormOfItself) {
  std::mt19937_64 random = PrintedRandom();
  for (int i = 0; i < 100; ++i) {
    for (OperationKind kind : kAllKinds) {
      const std::string canonical = CanonicalOf(RandomOperation(random, kind));
      ASSERT_EQ(*CanonicalizeJson(canonical), canonical);
    }
  }
}

TEST(OperationCanonical, ParsesBackToTheSameOperation) {
  std::mt19937_64 random = PrintedRandom();
  for (int i = 0; i < 100; ++i) {
    for (OperationKind kind : kAllKinds) {
      const Operation operation = RandomOperation(random, kind);
      const ParsedOperation parsed = ParseOperation(kind, SignedBody(operation));
      ASSERT_TRUE(parsed.status.ok()) << parsed.status.message() << "\n" << SignedBody(operation);
      const std::string canonical = CanonicalOf(parsed.operation);
      ASSERT_EQ(canonical, CanonicalOf(operation));
      ASSERT_EQ(RecordOf(parsed.operation), RecordOf(operation));
      ASSERT_TRUE(VerifySignatures(parsed.operation, canonical).ok());
    }
  }
}

TEST(OperationIds, DifferByKindEvenForTheSameText) {
  std::set<std::string> ids = {ToHex(IdOf("{}"))};
  for (OperationKind kind : kAllKinds) ids.insert(ToHex(IdOf(kind, "{}")));
  EXPECT_EQ(ids.size(), std::size(kAllKinds) + 1);
}

class OperationVectors : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(parser_.load(STEMEDB_SOURCE_DIR "/tests/vectors/identity.json").get(root_), simdjson::SUCCESS);
    ASSERT_GE(root_["operations"].get_array().size(), 16U);
  }
  static std::string Text(simdjson::dom::element vector, std::string_view name) {
    std::string_view text;
    EXPECT_EQ(vector[name].get(text), simdjson::SUCCESS) << name;
    return std::string(text);
  }
  static OperationKind Kind(simdjson::dom::element vector) {
    for (OperationKind kind : kAllKinds) {
      if (NameOf(kind) == Text(vector, "kind")) return kind;
    }
    ADD_FAILURE() << Text(vector, "kind");
    return OperationKind::kVote;
  }
  simdjson::dom::parser parser_;
  simdjson::dom::element root_;
};

TEST_F(OperationVectors, HaveTheCanonicalTextAndIdThatNodeGave) {
  std::set<OperationKind> kinds;
  for (simdjson::dom::element vector : root_["operations"].get_array()) {
    const OperationKind kind = Kind(vector);
    const ParsedOperation parsed = ParseOperation(kind, Text(vector, "input"));
    ASSERT_TRUE(parsed.status.ok()) << Text(vector, "name") << ": " << parsed.status.message();
    const std::string canonical = CanonicalOf(parsed.operation);
    EXPECT_EQ(canonical, Text(vector, "canonical")) << Text(vector, "name");
    EXPECT_EQ(ToHex(IdOf(kind, canonical)), Text(vector, "id")) << Text(vector, "name");
    EXPECT_EQ(DomainOf(kind), Text(vector, "domain")) << Text(vector, "name");
    EXPECT_TRUE(VerifySignatures(parsed.operation, canonical).ok()) << Text(vector, "name");
    kinds.insert(kind);
  }
  EXPECT_EQ(kinds.size(), std::size(kAllKinds));
}

TEST_F(OperationVectors, HaveTheSignaturesThatNodeMade) {
  std::set<OperationKind> kinds;
  for (simdjson::dom::element vector : root_["operations"].get_array()) {
    if (vector["seed"].error() != simdjson::SUCCESS) continue;
    const OperationKind kind = Kind(vector);
    Hash256 seed;
    ASSERT_TRUE(FromHex(Text(vector, "seed"), seed));
    const auto key = crypto::KeyPair::FromSeed(seed);
    EXPECT_EQ(ToHex(key->public_key()), Text(vector, "public_key"));
    EXPECT_EQ(ToHex(key->Sign({DomainOf(kind), Text(vector, "canonical")})), Text(vector, "signature"));
    kinds.insert(kind);
  }
  EXPECT_EQ(kinds.size(), std::size(kAllKinds));
}

TEST_F(OperationVectors, RefuseWhatHasNoIdentity) {
  ASSERT_GE(root_["refused_operations"].get_array().size(), 10U);
  for (simdjson::dom::element vector : root_["refused_operations"].get_array()) {
    const ParsedOperation parsed = ParseOperation(Kind(vector), Text(vector, "input"));
    const Status status = parsed.status.ok()
                              ? VerifySignatures(parsed.operation, CanonicalOf(parsed.operation))
                              : parsed.status;
    EXPECT_EQ(status.reason(), Text(vector, "reason")) << Text(vector, "name");
  }
}

TEST(VerifyOperation, RefusesEveryChangedByteOfWhatWasSigned) {
  std::mt19937_64 random = PrintedRandom();
  for (OperationKind kind : kAllKinds) {
    Operation operation = RandomOperation(random, kind);
    operation.content.clear();  // a long one takes long
    SignBy(operation, 1);
    const std::string canonical = CanonicalOf(operation);
    ASSERT_TRUE(VerifySignatures(operation, canonical).ok());
    for (size_t at = 0; at < canonical.size(); ++at) {
      std::string changed = canonical;
      changed[at] = static_cast<char>(changed[at] ^ static_cast<char>(1U << random() % 8));
      const Status status = VerifySignatures(operation, changed);
      ASSERT_EQ(status.code(), Code::kUnauthenticated) << at;
      ASSERT_EQ(status.reason(), "invalid_signature");
    }
  }
}

// As a client would meet it: whatever byte of a signed body changes, it is another text, no operation, or the
// same one in another spelling; never an operation that its signer didn't sign.
TEST(VerifyOperation, TakesNoChangedBodyForWhatWasSigned) {
  std::mt19937_64 random = PrintedRandom();
  for (OperationKind kind : kAllKinds) {
    Operation operation = RandomOperation(random, kind);
    operation.content.clear();
    SignBy(operation, 2);
    const std::string body = SignedBody(operation), canonical = CanonicalOf(operation);
    for (size_t at = 0; at < body.size(); ++at) {
      std::string changed = body;
      changed[at] = static_cast<char>(changed[at] ^ static_cast<char>(1U << random() % 8));
      const ParsedOperation parsed = ParseOperation(kind, changed);
      if (!parsed.status.ok()) continue;
      const std::string now = CanonicalOf(parsed.operation);
      if (now == canonical && RecordOf(parsed.operation) == RecordOf(operation)) continue;
      ASSERT_FALSE(VerifySignatures(parsed.operation, now).ok()) << changed;
    }
  }
}

TEST(VerifyOperation, ChecksEverySignerAndNamesTheWrongOneAndTheDomain) {
  Operation vote = ParseOperation(OperationKind::kVote, BodyWith(OperationKind::kVote, "", "")).operation;
  SignBy(vote, 3);
  const std::string canonical = CanonicalOf(vote);
  EXPECT_TRUE(VerifySignatures(vote, canonical).ok());
  vote.signatures[2].signature = TestKey(1).Sign({DomainOf(vote.kind), canonical});
  const Status status = VerifySignatures(vote, canonical);
  EXPECT_EQ(status.reason(), "invalid_signature");
  EXPECT_EQ(
      status.message(),
      "signature 3 of 3 is not by the key " + ToHex(TestKey(3).public_key()) +
          " over this vote's canonical bytes; sign \"stemedb/vote/v1\\n\" followed by the RFC 8785 form "
          "of the vote without its signatures");
}

TEST(VerifyOperation, TakesNoSignatureOfAnotherKind) {
  for (OperationKind signed_as : kAllKinds) {
    for (OperationKind kind : kAllKinds) {
      Operation operation = ParseOperation(kind, BodyWith(kind, "", "")).operation;
      operation.agent_id = TestKey(1).public_key();
      const std::string canonical = CanonicalOf(operation);
      operation.signatures = {{TestKey(1).public_key(), TestKey(1).Sign({DomainOf(signed_as), canonical})}};
      EXPECT_EQ(VerifySignatures(operation, canonical).ok(), kind == signed_as);
    }
  }
}

TEST(VerifyOperation, IsOkForAnUnsignedOne) {
  EXPECT_TRUE(VerifySignatures(Operation{.kind = OperationKind::kVote}, "{}").ok());
}

}  // namespace
}  // namespace stemedb::model
