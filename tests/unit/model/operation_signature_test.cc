// SPDX-License-Identifier: Apache-2.0
// Who signs an operation, and from which of the three places that is read: by the rules of claims
// (claim_signature_test.cc), for every kind.
#include <gtest/gtest.h>

#include "operations.h"

namespace stemedb::model {
namespace {

// A smallest operation of one kind, its first signer's and second signer's signatures.
class SignedOperation : public testing::TestWithParam<OperationKind> {
 protected:
  OperationKind kind() const { return GetParam(); }
  // The body with `members` (text of further members) in front.
  std::string Body(const std::string& members) const {
    return std::string(plain_).insert(1, members.empty() ? "" : members + ",");
  }
  std::string Agent() const { return R"("agent_id":")" + one_ + "\""; }
  static std::string Signature(const std::string& hex) { return R"("signature":")" + hex + "\""; }
  static std::string Item(const std::string& agent, const std::string& hex) {
    return R"({"agent_id":")" + agent + R"(","signature":")" + hex + "\"}";
  }
  std::string Sign(uint8_t number) const {
    return ToHex(TestKey(number).Sign({DomainOf(kind()), canonical_}));
  }

  void ExpectAccepted(const std::string& body, const HeaderSignature& header = {}, size_t signers = 1) const {
    const ParsedOperation parsed = ParseOperation(kind(), body, header);
    ASSERT_TRUE(parsed.status.ok()) << parsed.status.message() << "\n" << body;
    const std::string canonical = CanonicalOf(parsed.operation);
    EXPECT_EQ(canonical, canonical_);
    EXPECT_EQ(parsed.operation.signatures.size(), signers);
    EXPECT_EQ(ToHex(parsed.operation.signatures.front().agent_id), one_);
    EXPECT_TRUE(VerifySignatures(parsed.operation, canonical).ok());
  }
  void ExpectRefused(const std::string& body, std::string_view reason, std::string_view pointer,
                     const HeaderSignature& header = {}) const {
    const ParsedOperation parsed = ParseOperation(kind(), body, header);
    EXPECT_EQ(parsed.status.reason(), reason) << parsed.status.message() << "\n" << body;
    const bool is_request = reason == "invalid_request";
    EXPECT_EQ(parsed.status.code(), is_request ? Code::kInvalidArgument : Code::kUnauthenticated);
    ASSERT_FALSE(parsed.errors.empty());
    EXPECT_EQ(parsed.errors.front().pointer, pointer) << parsed.errors.front().detail;
  }

  std::string one_ = ToHex(TestKey(1).public_key()), two_ = ToHex(TestKey(2).public_key());
  std::string plain_ = BodyWith(kind(), "", "");
  std::string canonical_ = *CanonicalizeJson(Body(Agent()));
  std::string first_ = Sign(1), second_ = Sign(2);
};

INSTANTIATE_TEST_SUITE_P(OfEveryKind, SignedOperation, testing::ValuesIn(kAllKinds),
                         [](const auto& param) { return std::string(NameOf(param.param)); });

TEST_P(SignedOperation, MayCarryItsSignatureInAnyOfThreePlaces) {
  ExpectAccepted(Body(Agent() + "," + Signature(first_)));
  ExpectAccepted(Body("\"signatures\":[" + Item(one_, first_) + "]"));
  ExpectAccepted(Body(Agent() + ",\"signatures\":[" + Item(one_, first_) + "]"));
  ExpectAccepted(Body(""), {one_, first_});
  ExpectAccepted(Body(Agent()), {one_, first_});
  ExpectAccepted(Body(Agent()), {"", first_});
  ExpectAccepted(Body(Signature(first_)), {one_, ""});
}

TEST_P(SignedOperation, MaySayTheSameTwice) {
  ExpectAccepted(Body(Agent() + "," + Signature(first_)), {one_, first_});
  ExpectAccepted(Body(Signature(first_) + ",\"signatures\":[" + Item(one_, first_) + "]"), {one_, first_});
}

TEST_P(SignedOperation, MayHaveSeveralSigners) {
  ExpectAccepted(Body("\"signatures\":[" + Item(one_, first_) + "," + Item(two_, second_) + "]"), {}, 2);
}

TEST_P(SignedOperation, IsRefusedWhenThePlacesContradictEachOther) {
  const std::string list = "\"signatures\":[" + Item(one_, first_) + "]";
  const std::string both = "\"signatures\":[" + Item(two_, second_) + "," + Item(one_, first_) + "]";
  ExpectRefused(Body(Agent() + "," + both), "invalid_request", "/agent_id");
  ExpectRefused(Body(Agent() + "," + Signature(second_) + "," + list), "invalid_request", "/signature");
  ExpectRefused(Body(Agent() + "," + Signature(first_)), "invalid_request", "/agent_id", {two_, first_});
  ExpectRefused(Body(Agent() + "," + Signature(first_)), "invalid_request", "/agent_id", {two_, ""});
  ExpectRefused(Body(Agent() + "," + Signature(first_)), "invalid_request", "", {one_, second_});
  ExpectRefused(Body(list), "invalid_request", "", {one_, second_});
}

TEST_P(SignedOperation, IsRefusedWithoutTheOtherHalf) {
  ExpectRefused(Body(Agent()), "missing_signature", "/agent_id");
  ExpectRefused(Body(Agent()), "missing_signature", "/agent_id", {one_, ""});
  ExpectRefused(Body(""), "missing_signature", "", {one_, ""});
  ExpectRefused(Body(Signature(first_)), "invalid_request", "/agent_id");
  ExpectRefused(Body(""), "invalid_request", "/agent_id", {"", first_});
}

TEST_P(SignedOperation, IsRefusedWithKeysAndSignaturesOfTheWrongForm) {
  const std::string upper = "ABCDEF" + one_.substr(6), zero(64, '0');
  for (const std::string& agent : {upper, zero, std::string("ab"), std::string()}) {
    ExpectRefused(Body(R"("agent_id":")" + agent + "\"," + Signature(first_)), "invalid_signature",
                  "/agent_id");
    if (!agent.empty()) ExpectRefused(Body(""), "invalid_signature", "", {agent, first_});
  }
  for (const std::string& hex : {first_ + "00", first_.substr(2), std::string(128, 'G'), std::string()}) {
    ExpectRefused(Body(Agent() + "," + Signature(hex)), "invalid_signature", "/signature");
    ExpectRefused(Body("\"signatures\":[" + Item(one_, hex) + "]"), "invalid_signature",
                  "/signatures/0/signature");
    if (!hex.empty()) ExpectRefused(Body(Agent()), "invalid_signature", "", {one_, hex});
  }
}

TEST_P(SignedOperation, HasABoundedListOfDistinctSigners) {
  const std::string one = Item(one_, first_);
  ExpectRefused(Body("\"signatures\":[" + one + "," + one + "]"), "invalid_request",
                "/signatures/1/agent_id");
  ExpectRefused(Body("\"signatures\":[" + one + ",{}]"), "invalid_request", "/signatures/1");
  std::string many = one;
  for (uint8_t i = 2; i <= 16; ++i) many += "," + Item(ToHex(TestKey(i).public_key()), Sign(i));
  ExpectAccepted(Body("\"signatures\":[" + many + "]"), {}, 16);
  many += "," + Item(ToHex(TestKey(17).public_key()), Sign(17));
  ExpectRefused(Body("\"signatures\":[" + many + "]"), "invalid_request", "/signatures");
}

TEST_P(SignedOperation, MustGiveItsTimestampInTheFormThatWasSigned) {
  const std::string sign = Agent() + "," + Signature(first_);
  for (std::string_view time :
       {"1770804000", "\"2026-02-11T10:00:00Z\"", "\"2026-02-11T10:00:00.000+00:00\"", ""}) {
    plain_ = BodyWith(kind(), "timestamp", time);
    ExpectRefused(Body(sign), "invalid_request", "/timestamp");
    ExpectRefused(plain_, "invalid_request", "/timestamp", {one_, first_});
  }
}

TEST_P(SignedOperation, IsAnsweredAsMalformedBeforeItsSignatureIsLookedAt) {
  ExpectRefused(Body(R"("agent_id":"zz","zzz":1)"), "invalid_request", "/agent_id");
}

// The words are those of claims, with the operation's noun in the claim's place.
TEST(SignedVote, IsCalledAVote) {
  const OperationKind vote = OperationKind::kVote;
  const std::string agent = ToHex(TestKey(1).public_key());
  const ParsedOperation unsigned_vote = ParseOperation(vote, BodyWith(vote, "agent_id", Quoted(agent)));
  EXPECT_EQ(unsigned_vote.errors.at(0).detail,
            "names an agent, but the vote carries no signature; sign it, or leave agent_id out");
  EXPECT_EQ(ParseOperation(vote, BodyWith(vote, "", ""), {agent, ""}).errors.at(0).detail,
            "the header X-Agent-Id names an agent, but the vote carries no signature; sign it, or leave the "
            "header out");
  const std::string signature(128, '0');
  EXPECT_EQ(ParseOperation(vote, BodyWith(vote, "timestamp", "0"), {agent, signature}).errors.at(0).detail,
            "a signed vote must give its times in the canonical form YYYY-MM-DDTHH:MM:SS.mmmZ (UTC, three "
            "decimals), as it was signed");
}

}  // namespace
}  // namespace stemedb::model
