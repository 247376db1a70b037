// SPDX-License-Identifier: Apache-2.0
// Canonical text and identity: RFC 8785's own examples, and the vectors that Node wrote
// (tests/vectors/identity.json).
#include "model/canonical.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include "claims.h"

namespace stemedb::model {
namespace {

TEST(CanonicalizeJson, GivesRfc8785Section322) {
  EXPECT_EQ(
      *CanonicalizeJson(R"({"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]})"),
      R"({"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"})");
}

TEST(CanonicalizeJson, SortsKeysAsRfc8785Section323) {
  EXPECT_EQ(
      *CanonicalizeJson(
          R"({"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One",)"
          R"("\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"})"),
      "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\",\"ö\":\"Latin Small Letter O With "
      "Diaeresis\","
      "\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}");
}

TEST(CanonicalizeJson, IsItsOwnFixedPoint) {
  const std::string once = *CanonicalizeJson(R"([ {"b":[],"a":{}}, -0.0, 1.50, "\u00e9", [[["x"]]] ])");
  EXPECT_EQ(once, R"([{"a":{},"b":[]},0,1.5,"é",[[["x"]]]])");
  EXPECT_EQ(*CanonicalizeJson(once), once);
}

TEST(CanonicalizeJson, TakesIntegersThatKeepTheirDigits) {
  for (std::string_view json :
       {"9007199254740992", "9007199254740994", "100000000000000000", "-100000000000000000000",
        "18446744073709552000", "999999999999999900000", "-9223372036854776000",
        "[295147905179352830000,{\"a\":[-36893488147419103000,1]},1e+21]"}) {
    const auto result = CanonicalizeJson(json);
    ASSERT_TRUE(result) << json << result.error().message();
    EXPECT_EQ(*result, json);
  }
}

TEST(CanonicalizeJson, BoundsTheDepth) {
  const auto nested = [](size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(CanonicalizeJson(nested(32)));
  EXPECT_FALSE(CanonicalizeJson(nested(33)));
  EXPECT_TRUE(CanonicalizeJson(nested(3), 3));
  EXPECT_FALSE(CanonicalizeJson(nested(4), 3));
  EXPECT_FALSE(CanonicalizeJson(nested(100000)));
  EXPECT_FALSE(CanonicalizeJson(std::string(100000, '[')));
}

TEST(CanonicalizeJson, RefusesWhatHasNoCanonicalForm) {
  for (std::string_view json : {"",
                                " ",
                                "{",
                                "[1,]",
                                "{\"a\":1,}",
                                "{a:1}",
                                "'a'",
                                "01",
                                "+1",
                                ".5",
                                "1.",
                                "1e",
                                "NaN",
                                "Infinity",
                                "nul",
                                "1 2",
                                "\"a\tb\"",
                                "\"\\x\"",
                                "\"\\u12g4\"",
                                "\xef\xbb\xbf{}",
                                "\"\xc3\"",
                                "\"\xed\xa0\x80\"",
                                "\"\xc0\x80\"",
                                R"({"a":1,"b":2,"a":3})",
                                R"({"a":1,"\u0061":1})",
                                R"([{"x":{"k":1,"k":1}}])",
                                "1e999",
                                "-1e309",
                                "9007199254740993",
                                "-9007199254740993",
                                "18446744073709551615",
                                "9223372036854775807",
                                "1152921504606846976",
                                "-18446744073709551616",
                                "1000000000000000000000",
                                "123456789012345678901234567890",
                                R"("\ud800")",
                                R"("\udc00")",
                                R"("\ud800\u0041")",
                                R"("\udc00\ud800")",
                                R"({"\ud800":1})"}) {
    const auto result = CanonicalizeJson(json);
    ASSERT_FALSE(result) << json << " -> " << *result;
    EXPECT_EQ(result.error().code(), Code::kInvalidArgument) << json;
  }
}

TEST(CanonicalizeJson, RefusesEveryLoneSurrogate) {
  char text[32];
  for (unsigned unit = 0xD800; unit <= 0xDFFF; ++unit) {
    for (const char* format : {"\"\\u%04x\"", "\"\\u%04Xx\"", "\"\\u%04x\\n\"", "\"\\u%04x\\u0041\""}) {
      std::snprintf(text, sizeof text, format, unit);
      EXPECT_FALSE(CanonicalizeJson(text)) << text;
    }
    std::snprintf(text, sizeof text, unit < 0xDC00 ? "\"\\u%04x\\ud83d\"" : "\"\\ude00\\u%04x\"", unit);
    EXPECT_FALSE(CanonicalizeJson(text)) << text;
    std::snprintf(text, sizeof text, unit < 0xDC00 ? "\"\\u%04x\\ude00\"" : "\"\\ud83d\\u%04x\"", unit);
    EXPECT_TRUE(CanonicalizeJson(text)) << text;
  }
}

TEST(CanonicalizeJson, SaysWhere) {
  EXPECT_EQ(CanonicalizeJson("{\"a\":1,,}").error().message(),
            "byte 7: a key in double quotes is expected here");
  EXPECT_EQ(CanonicalizeJson("[1,2").error().message(), "byte 4: the document ends too early");
  EXPECT_EQ(CanonicalizeJson("[true,1e999]").error().message(),
            "byte 6: the number 1e999 does not survive as an IEEE double; send it as a string");
  EXPECT_EQ(CanonicalizeJson("\"abc\xff\"").error().message(), "byte 4: the text is not valid UTF-8");
  EXPECT_EQ(CanonicalizeJson(R"({"a/b":[1,{"~":1,"~":2}]})").error().message(),
            "at \"/a~1b/1/~0\": the key stands twice in its object");
}

class Vectors : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(parser_.load(STEMEDB_SOURCE_DIR "/tests/vectors/identity.json").get(root_), simdjson::SUCCESS);
    ASSERT_GE(root_["vectors"].get_array().size(), 40U);
  }
  static std::string Text(simdjson::dom::element vector, std::string_view name) {
    return std::string(vector[name].get_string().value_unsafe());
  }
  simdjson::dom::parser parser_;
  simdjson::dom::element root_;
};

TEST_F(Vectors, HaveTheCanonicalTextAndIdThatNodeGave) {
  EXPECT_EQ(root_["domain"].get_string().value_unsafe(), kDomain);
  for (simdjson::dom::element vector : root_["vectors"].get_array()) {
    const ParsedClaim parsed = Parse(Text(vector, "input"));
    ASSERT_TRUE(parsed.status.ok()) << Text(vector, "name") << ": " << parsed.status.message();
    const std::string canonical = CanonicalOf(parsed.assertion);
    EXPECT_EQ(canonical, Text(vector, "canonical")) << Text(vector, "name");
    EXPECT_EQ(ToHex(IdOf(canonical)), Text(vector, "id")) << Text(vector, "name");
    EXPECT_EQ(*CanonicalizeJson(canonical), canonical) << Text(vector, "name");
    EXPECT_TRUE(VerifySignatures(parsed.assertion, canonical).ok()) << Text(vector, "name");
  }
}

TEST_F(Vectors, HaveTheSignaturesThatNodeMade) {
  int seen = 0;
  for (simdjson::dom::element vector : root_["vectors"].get_array()) {
    if (vector["seed"].error() != simdjson::SUCCESS) continue;
    ++seen;
    Hash256 seed;
    ASSERT_TRUE(FromHex(Text(vector, "seed"), seed));
    const auto key = crypto::KeyPair::FromSeed(seed);
    EXPECT_EQ(ToHex(key->public_key()), Text(vector, "public_key"));
    EXPECT_EQ(ToHex(key->Sign({kDomain, Text(vector, "canonical")})), Text(vector, "signature"));
  }
  EXPECT_GE(seen, 4);
}

TEST_F(Vectors, RefuseWhatHasNoIdentity) {
  for (simdjson::dom::element vector : root_["refused"].get_array()) {
    const ParsedClaim parsed = Parse(Text(vector, "input"));
    const Status status = parsed.status.ok()
                              ? VerifySignatures(parsed.assertion, CanonicalOf(parsed.assertion))
                              : parsed.status;
    EXPECT_EQ(status.reason(), Text(vector, "reason")) << Text(vector, "name");
  }
}

TEST(Canonical, IsTheSortedFormOfItself) {
  std::mt19937_64 random = PrintedRandom();
  for (int i = 0; i < 500; ++i) {
    const std::string canonical = CanonicalOf(RandomClaim(random));
    ASSERT_EQ(*CanonicalizeJson(canonical), canonical);
  }
}

TEST(Canonical, ParsesBackToTheSameClaim) {
  std::mt19937_64 random = PrintedRandom();
  for (int i = 0; i < 500; ++i) {
    const Assertion claim = RandomClaim(random);
    const std::string canonical = CanonicalOf(claim);
    std::string body = canonical.substr(0, canonical.size() - 1);
    if (!claim.signatures.empty()) body += ",\"signature\":\"" + ToHex(claim.signatures[0].signature) + "\"";
    const ParsedClaim parsed = Parse(body + "}");
    ASSERT_TRUE(parsed.status.ok()) << parsed.status.message() << "\n" << body;
    ASSERT_EQ(CanonicalOf(parsed.assertion), canonical);
  }
}

TEST(VerifySignatures, RefusesEveryChangedByteOfWhatWasSigned) {
  std::mt19937_64 random = PrintedRandom();
  Assertion claim;
  do {
    claim = RandomClaim(random);
  } while (claim.signatures.empty());
  const std::string canonical = CanonicalOf(claim);
  ASSERT_TRUE(VerifySignatures(claim, canonical).ok());
  for (size_t at = 0; at < canonical.size(); ++at) {
    std::string changed = canonical;
    changed[at] = static_cast<char>(changed[at] ^ static_cast<char>(1U << random() % 8));
    const Status status = VerifySignatures(claim, changed);
    ASSERT_EQ(status.code(), Code::kUnauthenticated) << at;
    ASSERT_EQ(status.reason(), "invalid_signature");
  }
}

TEST(VerifySignatures, ChecksEverySignerAndNamesTheWrongOne) {
  Assertion claim = Parse(ClaimWith("epoch", "\"e\"")).assertion;
  claim.agent_id = TestKey(1).public_key();
  const std::string canonical = CanonicalOf(claim);
  for (uint8_t i = 1; i <= 3; ++i)
    claim.signatures.push_back({TestKey(i).public_key(), TestKey(i).Sign({kDomain, canonical})});
  EXPECT_TRUE(VerifySignatures(claim, canonical).ok());
  claim.signatures[2].signature = TestKey(1).Sign({kDomain, canonical});
  const Status status = VerifySignatures(claim, canonical);
  EXPECT_EQ(status.reason(), "invalid_signature");
  EXPECT_EQ(
      status.message(),
      "signature 3 of 3 is not by the key " + ToHex(TestKey(3).public_key()) +
          " over this claim's canonical bytes; sign \"stemedb/assertion/v1\\n\" followed by the RFC 8785 "
          "form of the claim without its signatures");
}

TEST(VerifySignatures, NeedsTheDomainInFront) {
  Assertion claim = Parse(ClaimWith("epoch", "\"e\"")).assertion;
  claim.agent_id = TestKey(1).public_key();
  const std::string canonical = CanonicalOf(claim);
  claim.signatures.push_back({TestKey(1).public_key(), TestKey(1).Sign({canonical})});
  EXPECT_FALSE(VerifySignatures(claim, canonical).ok());
}

TEST(VerifySignatures, IsOkForAnUnsignedClaim) { EXPECT_TRUE(VerifySignatures(Assertion(), "{}").ok()); }

}  // namespace
}  // namespace stemedb::model
