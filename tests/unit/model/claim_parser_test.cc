// SPDX-License-Identifier: Apache-2.0
// The parser's door: dialects that it takes, faults that it names, and where it points. Signers are in
// claim_signature_test.cc.
#include "model/claim_parser.h"

#include <gtest/gtest.h>

#include "claims.h"

namespace stemedb::model {
namespace {

constexpr std::string_view kId = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

std::string Quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

// The first fault of a claim that must be refused as invalid_request.
FieldError FaultOf(const std::string& json) {
  const ParsedClaim parsed = Parse(json);
  EXPECT_EQ(parsed.status.code(), Code::kInvalidArgument) << json;
  EXPECT_EQ(parsed.status.reason(), "invalid_request") << json << ": " << parsed.status.message();
  return parsed.errors.empty() ? FieldError{"none", "none"} : parsed.errors.front();
}

void ExpectFault(std::string_view name, std::string_view json, std::string_view pointer) {
  const FieldError fault = FaultOf(ClaimWith(name, json));
  EXPECT_EQ(fault.pointer, pointer) << name << ": " << json << ": " << fault.detail;
}

void ExpectSame(std::string_view a, std::string_view b) {
  const ParsedClaim first = Parse(a), second = Parse(b);
  ASSERT_TRUE(first.status.ok()) << a << first.status.message();
  ASSERT_TRUE(second.status.ok()) << b << second.status.message();
  EXPECT_EQ(CanonicalOf(first.assertion), CanonicalOf(second.assertion));
}

TEST(ClaimParser, LeavesAbsentFieldsAbsent) {
  const ParsedClaim parsed = Parse(R"({"concept_path":"a","predicate":"p","value":true,"confidence":1})");
  ASSERT_TRUE(parsed.status.ok());
  EXPECT_FALSE(parsed.assertion.timestamp_ms || parsed.assertion.source || parsed.assertion.lifecycle ||
               parsed.assertion.agent_id);
  EXPECT_TRUE(parsed.assertion.signatures.empty() && parsed.assertion.metadata_json.empty() &&
              parsed.errors.empty());
}

TEST(ClaimParser, GivesOneIdentityToEveryDialectOfAValue) {
  const std::pair<std::string_view, std::string_view> same[] = {
      {R"("x")", R"({"type":"Text","value":"x"})"},
      {R"("x")", R"({"Text":"x"})"},
      {"1", R"({"Number":1.0})"},
      {"1.0", R"({"value":1e0,"type":"Number"})"},
      {"false", R"({"Boolean":false})"},
      {R"({"ref":"a/b"})", R"({"Reference":"a/b"})"},
      {R"({"ref":"a/b"})", R"({"ref":"a/b"})"},
      {"-0.0", "0"}};
  for (const auto& [bare, object] : same) {
    std::string dialect = ClaimWith("value", "");
    dialect.insert(1, "\"object\":" + std::string(object) + ",");
    ExpectSame(ClaimWith("value", bare), dialect);
    dialect.insert(1, "\"value\":" + std::string(bare) + ",");
    ExpectSame(ClaimWith("value", bare), dialect);
  }
}

TEST(ClaimParser, TakesSubjectForConceptPath) {
  std::string dialect = ClaimWith("concept_path", "");
  dialect.insert(1, R"("subject":"a/b",)");
  ExpectSame(ClaimWith("", ""), dialect);
  ExpectFault("subject", "\"other\"", "/subject");
  ExpectSame(ClaimWith("", ""), ClaimWith("subject", "\"a/b\""));
}

TEST(ClaimParser, RefusesAValueThatItsAliasContradicts) {
  ExpectFault("object", "2", "/object");
  ExpectFault("object", R"({"Text":"1"})", "/object");
}

TEST(ClaimParser, NamesEveryMissingField) {
  for (std::string_view name : {"concept_path", "predicate", "value", "confidence"})
    ExpectFault(name, "", "/" + std::string(name));
  EXPECT_EQ(Parse("{}").errors.size(), 4U);
}

TEST(ClaimParser, PointsAtTheFieldThatIsWrong) {
  const std::string long_id = std::string(kId) + "0";
  const std::vector<std::array<std::string, 3>> wrong = {
      {"concept_path", "1", ""},
      {"concept_path", "\"\"", ""},
      {"concept_path", "\"a/*\"", ""},
      {"concept_path", R"("a\u0000b")", ""},
      {"predicate", "[]", ""},
      {"predicate", R"("\u0085")", ""},
      {"predicate", Quoted(std::string(129, 'p')), ""},
      {"value", "[1]", ""},
      {"value", "{}", ""},
      {"value", R"({"Number":1})", ""},
      {"value", R"({"ref":"a","x":1})", ""},
      {"value", R"({"ref":1})", "/ref"},
      {"value", R"({"ref":"a/"})", "/ref"},
      {"value", "9007199254740993", ""},
      {"value", "10000000000000000001", ""},
      {"object", R"({"type":"Number","value":"1"})", "/value"},
      {"object", R"({"type":"number","value":1})", "/value"},
      {"object", R"({"Nummer":1})", "/Nummer"},
      {"object", R"({"Number":1,"Text":"x"})", ""},
      {"object", R"({"type":"Text"})", "/type"},
      {"object", R"({"Reference":""})", "/Reference"},
      {"confidence", "1.0000001", ""},
      {"confidence", "-0.1", ""},
      {"confidence", "\"1\"", ""},
      {"confidence", "true", ""},
      {"source", "\"s\"", ""},
      {"source", "{}", ""},
      {"source", R"({"id":1})", "/id"},
      {"source", R"({"id":""})", "/id"},
      {"source", R"({"id":"a","id":"a"})", "/id"},
      {"source", R"({"class":"Clinical"})", "/class"},
      {"source", R"({"class":"clinical","class":"clinical"})", "/class"},
      {"source", R"({"a/b~":1})", "/a~1b~0"},
      {"source", R"({"url":")" + std::string(2049, 'u') + "\"}", "/url"},
      {"source", R"({"hash":null})", "/hash"},
      {"lifecycle", "\"done\"", ""},
      {"lifecycle", "1", ""},
      {"parent", Quoted(long_id), ""},
      {"parent", Quoted("ABCD"), ""},
      {"derived_from", "[]", ""},
      {"derived_from", Quoted(kId), ""},
      {"derived_from", "[" + Quoted(kId) + ",1]", "/1"},
      {"derived_from", "[" + Quoted(kId) + "," + Quoted(kId) + "]", "/1"},
      {"epoch", "\"\"", ""},
      {"epoch", Quoted(std::string(129, 'e')), ""},
      {"timestamp", "\"yesterday\"", ""},
      {"timestamp", "1770804000.5", ""},
      {"timestamp", "1770804000000", ""},
      {"timestamp", "true", ""},
      {"timestamp", "-62167219201", ""},
      {"timestamp", "\"2026-02-30T00:00:00Z\"", ""},
      {"valid_from", "\"\"", ""},
      {"valid_to", "{}", ""},
      {"metadata", "[]", ""},
      {"metadata", R"({"a":{"b":1,"b":1}})", "/a/b"},
      {"metadata", R"({"n":[0,9007199254740993]})", "/n/1"},
      {"metadata", R"({"a":")" + std::string(4096, 'm') + "\"}", ""}};
  for (const auto& [name, json, below] : wrong) {
    // An alias stands beside what it contradicts; what is tested here is its own form.
    ExpectFault(name, json, "/" + name + below);
  }
}

TEST(ClaimParser, TakesWhatIsJustWithinTheLimits) {
  const std::vector<std::pair<std::string, std::string>> right = {
      {"concept_path", Quoted(std::string(512, 'c'))},
      {"predicate", Quoted(std::string(128, 'p'))},
      {"value", Quoted(std::string(kValueBytesMax, 'v'))},
      {"value", "9007199254740992"},
      {"value", "-9007199254740992"},
      {"value", "1e300"},
      {"value", "100000000000000000000"},
      {"value", "\"\""},
      {"value", R"("\u0000")"},
      {"confidence", "0"},
      {"confidence", "1.0"},
      {"metadata", "{}"},
      {"metadata", R"({"a":")" + std::string(4096 - 8, 'm') + "\"}"},
      {"timestamp", "0"},
      {"timestamp", "253402300799"},
      {"timestamp", "-62167219200"},
      {"epoch", Quoted(std::string(128, 'e'))},
      {"source", R"({"class":"expert"})"},
      {"metadata", "{\"a\":" + std::string(30, '[') + std::string(30, ']') + "}"}};
  for (const auto& [name, json] : right) {
    const ParsedClaim parsed = Parse(ClaimWith(name, json));
    EXPECT_TRUE(parsed.status.ok()) << name << ": " << parsed.status.message();
  }
}

TEST(ClaimParser, BoundsTheDepthOfTheWholeDocument) {
  ExpectFault(
      "metadata", "{\"a\":" + std::string(31, '[') + std::string(31, ']') + "}", "/metadata/a" + [] {
        std::string zeros;
        for (int i = 0; i < 30; ++i) zeros += "/0";
        return zeros;
      }());
}

TEST(ClaimParser, SaysThatAValueIsTooLarge) {
  const ParsedClaim parsed = Parse(ClaimWith("value", Quoted(std::string(kValueBytesMax + 1, 'v'))));
  EXPECT_EQ(parsed.status.code(), Code::kTooLarge);
  EXPECT_EQ(parsed.status.reason(), "value_too_large");
  EXPECT_EQ(parsed.errors.at(0).pointer, "/value");
}

TEST(ClaimParser, RefusesNullAndDuplicatesOfEveryField) {
  for (std::string_view name : {"concept_path", "predicate", "value", "confidence", "agent_id", "source",
                                "lifecycle", "parent", "derived_from", "epoch", "timestamp", "valid_from",
                                "valid_to", "metadata", "signature", "signatures", "subject", "object"}) {
    ExpectFault(name, "null", "/" + std::string(name));
  }
  std::string twice = ClaimWith("", "");
  twice.insert(1, R"("predicate":"p",)");
  const FieldError fault = FaultOf(twice);
  EXPECT_EQ(fault.pointer, "/predicate");
  EXPECT_EQ(fault.detail, "the key stands twice in its object");
}

TEST(ClaimParser, ListsWhatIsAllowedInsteadOfAnUnknownField) {
  const FieldError fault = FaultOf(ClaimWith("confidense/~", "1"));
  EXPECT_EQ(fault.pointer, "/confidense~1~0");
  EXPECT_NE(fault.detail.find("unknown field; allowed are concept_path, predicate, value, confidence,"),
            std::string::npos)
      << fault.detail;
}

TEST(ClaimParser, SaysWhichFieldsTheServerAdds) {
  for (std::string_view name : {"id", "sequence", "recorded_at", "status", "hash"}) {
    EXPECT_EQ(FaultOf(ClaimWith(name, "1")).detail, "is added by the server; leave it out");
  }
}

TEST(ClaimParser, GathersFaultsInTheOrderOfTheDocumentAndBoundsThem) {
  const ParsedClaim parsed = Parse(R"({"zzz":1,"confidence":2,"predicate":"","value":1,"concept_path":"a"})");
  ASSERT_EQ(parsed.errors.size(), 3U);
  EXPECT_EQ(parsed.errors[0].pointer, "/zzz");
  EXPECT_EQ(parsed.errors[1].pointer, "/confidence");
  EXPECT_EQ(parsed.errors[2].pointer, "/predicate");
  std::string many = "{";
  for (int i = 0; i < 1000; ++i) many += "\"" + std::to_string(i) + std::string(500, 'x') + "\":1,";
  const ParsedClaim hostile = Parse(many + "\"x\":1}");
  EXPECT_EQ(hostile.errors.size(), 16U);
  size_t bytes = hostile.status.message().size();
  for (const FieldError& error : hostile.errors) bytes += error.pointer.size() + error.detail.size();
  EXPECT_LT(bytes, 16384U);
}

TEST(ClaimParser, RefusesAPeriodThatEndsBeforeItBegins) {
  std::string claim = ClaimWith("valid_to", "\"2020-01-01T00:00:00Z\"");
  EXPECT_TRUE(Parse(std::string(claim).insert(1, R"("valid_from":"2020-01-01T00:00:00Z",)")).status.ok());
  EXPECT_EQ(FaultOf(claim.insert(1, R"("valid_from":"2020-01-01T00:00:00.001Z",)")).pointer, "/valid_to");
}

TEST(ClaimParser, TellsTextThatIsNotJsonFromClaimsThatAreWrong) {
  for (std::string_view json : {"", "   ", "{", "nope", "{\"a\":}", "{} {}", "\xff", "\"", "{\"a\":1,}"}) {
    const ParsedClaim parsed = Parse(json);
    EXPECT_EQ(parsed.status.reason(), "invalid_json") << json;
    EXPECT_TRUE(parsed.errors.empty());
  }
  EXPECT_NE(Parse("{\"a\":1 \"b\":2}").status.message().find("byte 7: ',' or '}' is expected here"),
            std::string_view::npos)
      << Parse("{\"a\":1 \"b\":2}").status.message();
  for (std::string_view json : {"[]", "1", "\"x\"", "null", "true"})
    EXPECT_EQ(Parse(json).status.reason(), "invalid_request") << json;
}

TEST(ClaimParser, PointsAtNumbersAndStringsThatDoNotSurvive) {
  EXPECT_EQ(FaultOf(ClaimWith("value", "1e999")).pointer, "/value");
  EXPECT_NE(FaultOf(ClaimWith("value", "1e999")).detail.find("send it as a string"), std::string::npos);
  EXPECT_EQ(FaultOf(ClaimWith("value", "123456789012345678901234567890")).pointer, "/value");
  EXPECT_EQ(FaultOf(ClaimWith("value", R"("a\ud800")")).pointer, "/value");
  EXPECT_EQ(FaultOf(ClaimWith("metadata", R"({"k":[0,-1e400]})")).pointer, "/metadata/k/1");
}

TEST(ClaimParser, ReadsInPlaceWhenThereIsRoom) {
  std::string json = ClaimWith("epoch", "\"e\"");
  const size_t size = json.size();
  json.append(64, '#');  // must not be taken for text
  ClaimParser parser;
  const ParsedClaim parsed = parser.ParseClaim(std::string_view(json).substr(0, size), json.size(), {});
  ASSERT_TRUE(parsed.status.ok()) << parsed.status.message();
  EXPECT_EQ(parsed.assertion.epoch, "e");
}

TEST(ClaimParser, SurvivesAHugeDocumentAndASmallOneAfterIt) {
  ClaimParser parser;
  const std::string huge = ClaimWith("value", Quoted(std::string(6 * 1024 * 1024, 'v')));
  EXPECT_EQ(parser.ParseClaim(huge, huge.size(), {}).status.reason(), "value_too_large");
  const std::string small = ClaimWith("", "");
  EXPECT_TRUE(parser.ParseClaim(small, small.size(), {}).status.ok());
}

class ClaimBatch : public testing::Test {
 protected:
  Result<std::vector<ParsedClaim>> Read(std::string_view json, size_t items_max = 100) {
    return parser_.ParseArray(json, json.size(), items_max);
  }
  ClaimParser parser_;
};

TEST_F(ClaimBatch, KeepsTheOrderAndSparesTheGoodItems) {
  const auto items = Read("[" + ClaimWith("epoch", "\"1\"") + "," + ClaimWith("confidence", "7") + ",3," +
                          ClaimWith("epoch", "\"4\"") + "]");
  ASSERT_TRUE(items);
  ASSERT_EQ(items->size(), 4U);
  EXPECT_EQ((*items)[0].assertion.epoch, "1");
  EXPECT_EQ((*items)[1].errors.at(0).pointer, "/1/confidence");
  EXPECT_EQ((*items)[2].errors.at(0).pointer, "/2");
  EXPECT_EQ((*items)[3].assertion.epoch, "4");
}

TEST_F(ClaimBatch, SparesTheGoodItemsBesideANumberThatDoesNotSurvive) {
  const auto items = Read(" [" + ClaimWith("epoch", "\"1\"") + " , " + ClaimWith("value", "1e999") + ",\n" +
                          ClaimWith("value", R"("\udead")") + "," + ClaimWith("epoch", "\"4\"") + "] ");
  ASSERT_TRUE(items) << items.error().message();
  ASSERT_EQ(items->size(), 4U);
  EXPECT_EQ((*items)[0].assertion.epoch, "1");
  EXPECT_EQ((*items)[1].errors.at(0).pointer, "/1/value");
  EXPECT_EQ((*items)[2].errors.at(0).pointer, "/2/value");
  EXPECT_EQ((*items)[3].assertion.epoch, "4");
}

TEST_F(ClaimBatch, FailsWholeWhenItIsNoArrayOrNoJson) {
  EXPECT_EQ(Read("{}").error().reason(), "invalid_request");
  EXPECT_EQ(Read("[{]").error().reason(), "invalid_json");
  EXPECT_EQ(Read("").error().reason(), "invalid_json");
  EXPECT_EQ(Read("[1e999] x").error().reason(), "invalid_json");
  EXPECT_EQ(Read("1e999").error().code(), Code::kInvalidArgument);
  EXPECT_TRUE(Read("[]")->empty());
}

TEST_F(ClaimBatch, IsBounded) {
  EXPECT_EQ(Read("[1,2,3]", 3)->size(), 3U);
  EXPECT_EQ(Read("[1,2,3,4]", 3).error().code(), Code::kTooLarge);
  EXPECT_EQ(Read("[1,2,3,1e999]", 3).error().reason(), "batch_too_large");
}

}  // namespace
}  // namespace stemedb::model
