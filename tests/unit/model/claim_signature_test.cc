// SPDX-License-Identifier: Apache-2.0
// Who signs a claim, and from which of the three places that is read.
#include <gtest/gtest.h>

#include "claims.h"

namespace stemedb::model {
namespace {

struct Signer {
  explicit Signer(uint8_t number) : key(TestKey(number)), agent(ToHex(key.public_key())) {}
  std::string Sign(std::string_view canonical) const { return ToHex(key.Sign({kDomain, canonical})); }
  crypto::KeyPair key;
  std::string agent;
};

// A claim of the first signer, in all the places' texts.
class Signed : public testing::Test {
 protected:
  // The claim's JSON with `members` (text of further members) in front.
  std::string Body(const std::string& members) const {
    return std::string(plain_).insert(1, members.empty() ? "" : members + ",");
  }
  std::string Agent() const { return R"("agent_id":")" + one_.agent + "\""; }
  std::string Signature(const std::string& hex) const { return R"("signature":")" + hex + "\""; }
  static std::string Item(const Signer& signer, const std::string& hex) {
    return R"({"agent_id":")" + signer.agent + R"(","signature":")" + hex + "\"}";
  }

  void ExpectAccepted(const std::string& body, const HeaderSignature& header = {}, size_t signers = 1) const {
    const ParsedClaim parsed = Parse(body, header);
    ASSERT_TRUE(parsed.status.ok()) << parsed.status.message() << "\n" << body;
    const std::string canonical = CanonicalOf(parsed.assertion);
    EXPECT_EQ(canonical, canonical_);
    EXPECT_EQ(parsed.assertion.signatures.size(), signers);
    EXPECT_EQ(parsed.assertion.signatures.front().agent_id, one_.key.public_key());
    EXPECT_TRUE(VerifySignatures(parsed.assertion, canonical).ok());
  }
  void ExpectRefused(const std::string& body, std::string_view reason, std::string_view pointer,
                     const HeaderSignature& header = {}) const {
    const ParsedClaim parsed = Parse(body, header);
    EXPECT_EQ(parsed.status.reason(), reason) << parsed.status.message() << "\n" << body;
    const bool is_request = reason == "invalid_request";
    EXPECT_EQ(parsed.status.code(), is_request ? Code::kInvalidArgument : Code::kUnauthenticated);
    ASSERT_FALSE(parsed.errors.empty());
    EXPECT_EQ(parsed.errors.front().pointer, pointer) << parsed.errors.front().detail;
  }

  Signer one_{1}, two_{2};
  std::string plain_ = ClaimWith("", "");
  std::string canonical_ = *CanonicalizeJson(Body(Agent()));
  std::string signature_ = one_.Sign(canonical_);
  std::string second_ = two_.Sign(canonical_);
};

TEST_F(Signed, MayCarryItsSignatureInAnyOfThreePlaces) {
  ExpectAccepted(Body(Agent() + "," + Signature(signature_)));
  ExpectAccepted(Body("\"signatures\":[" + Item(one_, signature_) + "]"));
  ExpectAccepted(Body(Agent() + ",\"signatures\":[" + Item(one_, signature_) + "]"));
  ExpectAccepted(Body(""), {one_.agent, signature_});
  ExpectAccepted(Body(Agent()), {one_.agent, signature_});
  ExpectAccepted(Body(Agent()), {"", signature_});
  ExpectAccepted(Body(Signature(signature_)), {one_.agent, ""});
}

TEST_F(Signed, MaySayTheSameTwice) {
  ExpectAccepted(Body(Agent() + "," + Signature(signature_)), {one_.agent, signature_});
  ExpectAccepted(Body(Signature(signature_) + ",\"signatures\":[" + Item(one_, signature_) + "]"),
                 {one_.agent, signature_});
}

TEST_F(Signed, MayHaveSeveralSigners) {
  ExpectAccepted(Body("\"signatures\":[" + Item(one_, signature_) + "," + Item(two_, second_) + "]"), {}, 2);
}

TEST_F(Signed, IsRefusedWhenThePlacesContradictEachOther) {
  const std::string both = "\"signatures\":[" + Item(two_, second_) + "," + Item(one_, signature_) + "]";
  ExpectRefused(Body(Agent() + "," + both), "invalid_request", "/agent_id");
  ExpectRefused(Body(Agent() + "," + Signature(second_) + ",\"signatures\":[" + Item(one_, signature_) + "]"),
                "invalid_request", "/signature");
  ExpectRefused(Body(Agent() + "," + Signature(signature_)), "invalid_request", "/agent_id",
                {two_.agent, signature_});
  ExpectRefused(Body(Agent() + "," + Signature(signature_)), "invalid_request", "/agent_id",
                {two_.agent, ""});
  ExpectRefused(Body(Agent() + "," + Signature(signature_)), "invalid_request", "", {one_.agent, second_});
  ExpectRefused(Body("\"signatures\":[" + Item(one_, signature_) + "]"), "invalid_request", "",
                {one_.agent, second_});
}

TEST_F(Signed, IsRefusedWithoutTheOtherHalf) {
  ExpectRefused(Body(Agent()), "missing_signature", "/agent_id");
  ExpectRefused(Body(Agent()), "missing_signature", "/agent_id", {one_.agent, ""});
  ExpectRefused(Body(Signature(signature_)), "invalid_request", "/agent_id");
  ExpectRefused(Body(""), "invalid_request", "/agent_id", {"", signature_});
}

TEST_F(Signed, IsRefusedWithKeysAndSignaturesOfTheWrongForm) {
  const std::string upper = "ABCDEF" + one_.agent.substr(6), zero(64, '0');
  for (const std::string& agent : {upper, zero, std::string("ab"), std::string()}) {
    ExpectRefused(Body(R"("agent_id":")" + agent + "\"," + Signature(signature_)), "invalid_signature",
                  "/agent_id");
    if (!agent.empty()) ExpectRefused(Body(""), "invalid_signature", "", {agent, signature_});
  }
  for (const std::string& hex :
       {signature_ + "00", signature_.substr(2), std::string(128, 'G'), std::string()}) {
    ExpectRefused(Body(Agent() + "," + Signature(hex)), "invalid_signature", "/signature");
    ExpectRefused(Body("\"signatures\":[" + Item(one_, hex) + "]"), "invalid_signature",
                  "/signatures/0/signature");
    if (!hex.empty()) ExpectRefused(Body(Agent()), "invalid_signature", "", {one_.agent, hex});
  }
}

TEST_F(Signed, HasABoundedListOfDistinctSigners) {
  const std::string one = Item(one_, signature_);
  ExpectRefused(Body("\"signatures\":[" + one + "," + one + "]"), "invalid_request",
                "/signatures/1/agent_id");
  ExpectRefused(Body("\"signatures\":[]"), "invalid_request", "/signatures");
  ExpectRefused(Body("\"signatures\":[" + one + ",{}]"), "invalid_request", "/signatures/1");
  ExpectRefused(Body("\"signatures\":[" + one + ",{\"agent_id\":\"x\",\"agent_id\":\"y\"}]"),
                "invalid_request", "/signatures/1");
  std::string many = one;
  for (uint8_t i = 2; i <= 16; ++i) many += "," + Item(Signer(i), Signer(i).Sign(canonical_));
  ExpectAccepted(Body("\"signatures\":[" + many + "]"), {}, 16);
  ExpectRefused(Body("\"signatures\":[" + many + "," + Item(Signer(17), signature_) + "]"), "invalid_request",
                "/signatures");
}

TEST_F(Signed, MustGiveItsTimesInTheFormThatWasSigned) {
  const std::string sign = Agent() + "," + Signature(signature_);
  for (std::string_view time : {"1770804000", "\"2026-02-11T10:00:00Z\"", "\"2026-02-11T10:00:00.000+00:00\"",
                                "\"2026-02-11T10:00:00.0000Z\""}) {
    plain_ = ClaimWith("timestamp", time);
    ExpectRefused(Body(sign), "invalid_request", "/timestamp");
  }
  plain_ = ClaimWith("timestamp", "");
  ExpectRefused(Body(sign), "invalid_request", "/timestamp");
  plain_ = ClaimWith("valid_to", "\"2030-01-01T00:00:00Z\"");
  ExpectRefused(Body(sign), "invalid_request", "/valid_to");
}

TEST_F(Signed, HeaderKeyWithoutASignatureIsRefusedRatherThanDropped) {
  for (const std::string_view key : {std::string_view(one_.agent), std::string_view("not a key")}) {
    EXPECT_EQ(Parse(plain_, {key, ""}).status.reason(), "missing_signature");
  }
}

// The code is shared with other kinds of record; a claim is called a claim.
TEST_F(Signed, IsToldInWordsWhatIsWrong) {
  const auto detail = [](const std::string& body, const HeaderSignature& header = {}) {
    const ParsedClaim parsed = Parse(body, header);
    return parsed.errors.empty() ? "taken" : parsed.errors.front().detail;
  };
  const std::string both = "\"signatures\":[" + Item(two_, second_) + "," + Item(one_, signature_) + "]";
  EXPECT_EQ(detail(Body(Agent() + "," + both)),
            "is not the first signer's key; the primary signer is the claim's agent");
  EXPECT_EQ(detail(Body(Agent())),
            "names an agent, but the claim carries no signature; sign it, or leave agent_id out");
  EXPECT_EQ(detail(Body(""), {one_.agent, ""}),
            "the header X-Agent-Id names an agent, but the claim carries no signature; sign it, or leave the "
            "header out");
  EXPECT_EQ(detail(Body(Agent() + "," + Signature(signature_)), {two_.agent, ""}),
            "differs from the header X-Agent-Id; both name the claim's agent");
  EXPECT_EQ(detail(Body(""), {"", "zz"}),
            "the header X-Agent-Signature must be an Ed25519 signature: 128 lower-case hex digits");
  plain_ = ClaimWith("timestamp", "");
  const std::string form =
      " in the canonical form YYYY-MM-DDTHH:MM:SS.mmmZ (UTC, three decimals), as it was signed";
  EXPECT_EQ(detail(Body(""), {one_.agent, signature_}), "a signed claim must give its timestamp" + form);
  plain_ = ClaimWith("timestamp", "0");
  EXPECT_EQ(detail(Body(""), {one_.agent, signature_}), "a signed claim must give its times" + form);
}

TEST_F(Signed, MalformedClaimIsAnsweredAsMalformedFirst) {
  const ParsedClaim parsed = Parse(Body(R"("agent_id":"zz","zzz":1)"));
  EXPECT_EQ(parsed.status.reason(), "invalid_request");
  EXPECT_EQ(parsed.errors.size(), 2U);
}

}  // namespace
}  // namespace stemedb::model
