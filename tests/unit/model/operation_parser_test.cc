// SPDX-License-Identifier: Apache-2.0
// What bodies each kind of operation takes, which faults are named, and where they point. Signers are in
// operation_signature_test.cc.
#include "model/operation_parser.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "operations.h"

namespace stemedb::model {
namespace {

using Kind = OperationKind;

// The first fault of a body that must be refused as invalid_request.
FieldError FaultOf(Kind kind, const std::string& json, std::string_view source_id = {}) {
  const ParsedOperation parsed = ParseOperation(kind, json, {}, source_id);
  EXPECT_EQ(parsed.status.code(), Code::kInvalidArgument) << NameOf(kind) << ": " << json;
  EXPECT_EQ(parsed.status.reason(), "invalid_request") << json << ": " << parsed.status.message();
  return parsed.errors.empty() ? FieldError{"none", "none"} : parsed.errors.front();
}

void ExpectFault(Kind kind, std::string_view name, std::string_view json, std::string_view pointer) {
  const FieldError fault = FaultOf(kind, BodyWith(kind, name, json));
  EXPECT_EQ(fault.pointer, pointer) << NameOf(kind) << ": " << name << ": " << json << ": " << fault.detail;
  EXPECT_FALSE(fault.detail.empty());
}

void ExpectTaken(Kind kind, const std::string& json) {
  const ParsedOperation parsed = ParseOperation(kind, json);
  EXPECT_TRUE(parsed.status.ok()) << NameOf(kind) << ": " << parsed.status.message() << "\n" << json;
  EXPECT_TRUE(parsed.errors.empty());
}

TEST(OperationParser, LeavesAbsentFieldsAbsent) {
  for (Kind kind : kAllKinds) {
    const ParsedOperation parsed = ParseOperation(kind, BodyOf(SmallestBody(kind)));
    ASSERT_TRUE(parsed.status.ok()) << parsed.status.message();
    const Operation& o = parsed.operation;
    EXPECT_EQ(o.kind, kind);
    EXPECT_FALSE(o.timestamp_ms || o.agent_id || o.source_class || o.cascade || o.subtree || parsed.dry_run);
    EXPECT_TRUE(o.signatures.empty() && o.reason.empty() && o.detail.empty() && o.url.empty());
    EXPECT_TRUE(o.hash.empty() && o.content.empty() && parsed.errors.empty());
  }
}

TEST(OperationParser, ReadsEveryField) {
  const auto read = [](Kind kind) { return ParseOperation(kind, BodyOf(LargestBody(kind))).operation; };
  EXPECT_EQ(ToHex(read(Kind::kVote).assertion_id.value_or(Hash256{})), kOneId);
  EXPECT_EQ(read(Kind::kVote).number, 0.5);
  EXPECT_EQ(ToHex(read(Kind::kSupersession).assertion_id.value_or(Hash256{})), kOneId);
  EXPECT_EQ(ToHex(read(Kind::kSupersession).other_id), kOtherId);
  EXPECT_EQ(read(Kind::kSupersession).reason, "because");
  EXPECT_TRUE(read(Kind::kRetraction).cascade);
  EXPECT_EQ(read(Kind::kRetraction).reason, "because");
  EXPECT_EQ(read(Kind::kEpoch).name, "e");
  EXPECT_EQ(read(Kind::kEpoch).other_name, "d");
  EXPECT_EQ(read(Kind::kEpoch).detail, "replaces");
  EXPECT_EQ(read(Kind::kSource).name, "s");
  EXPECT_EQ(read(Kind::kSource).source_class, SourceClass::kClinical);
  EXPECT_EQ(read(Kind::kSource).detail, "A title");
  EXPECT_EQ(read(Kind::kSource).url, "https://example.org/");
  EXPECT_EQ(read(Kind::kSource).hash, "sha256:00");
  EXPECT_EQ(read(Kind::kSource).content, "line\nline");
  EXPECT_EQ(read(Kind::kSourceStatus).name, "s");
  EXPECT_EQ(read(Kind::kSourceStatus).source_status, SourceStatus::kRetracted);
  EXPECT_EQ(read(Kind::kSourceStatus).reason, "because");
  EXPECT_EQ(read(Kind::kAlias).path, "a/b");
  EXPECT_EQ(read(Kind::kAlias).other_name, "c/d");
  EXPECT_EQ(ToHex(read(Kind::kTrust).other_id), kOneId);
  EXPECT_EQ(read(Kind::kTrust).number, 0.5);
  for (Kind kind : kAllKinds) EXPECT_EQ(read(kind).timestamp_ms, 1770804000000) << NameOf(kind);
}

TEST(OperationParser, NamesEveryMissingField) {
  for (Kind kind : kAllKinds) {
    if (kind == Kind::kRetraction) continue;  // Retraction, NeedsATarget
    for (const auto& [name, json] : SmallestBody(kind)) ExpectFault(kind, name, "", "/" + name);
    EXPECT_EQ(ParseOperation(kind, "{}").errors.size(), SmallestBody(kind).size()) << NameOf(kind);
  }
}

TEST(OperationParser, PointsAtTheFieldThatIsWrong) {
  struct Wrong {
    Kind kind;
    std::string name, json;
  };
  const std::string long_id = std::string(kOneId) + "0", upper_id = "ABCDEF" + std::string(kOneId.substr(6));
  std::vector<Wrong> wrong;
  const auto add = [&wrong](Kind kind, std::string_view name, std::initializer_list<std::string> texts) {
    for (const std::string& json : texts) wrong.push_back({kind, std::string(name), json});
  };
  const std::pair<Kind, std::string_view> ids[] = {{Kind::kVote, "assertion_id"},
                                                   {Kind::kSupersession, "target"},
                                                   {Kind::kSupersession, "replacement"},
                                                   {Kind::kRetraction, "assertion_id"}};
  for (const auto& [kind, name] : ids) {
    add(kind, name,
        {"1", "\"\"", "[]", "{}", "true", Quoted(long_id), Quoted(upper_id), Quoted(kOneId.substr(1))});
  }
  for (const auto& [kind, name] : {std::pair{Kind::kVote, "weight"}, std::pair{Kind::kTrust, "trust"}}) {
    add(kind, name,
        {"1.0000001", "-0.1", "2", "-1", "1e300", "\"1\"", "true", "[0.5]", "18446744073709551615"});
  }
  add(Kind::kTrust, "agent",
      {"1", "\"\"", Quoted(long_id), Quoted(upper_id), Quoted(std::string(64, '0')), "[]"});
  for (std::string_view name : {"alias", "concept_path"}) {
    add(Kind::kAlias, name,
        {"1", "\"\"", "\"/a\"", "\"a/\"", "\"a//b\"", "\"*\"", "\"a/*\"", "\"A://b\"", R"("a\u0000b")",
         R"("\u0085")", Quoted(std::string(513, 'c'))});
  }
  for (std::string_view name : {"name", "supersedes"}) {
    add(Kind::kEpoch, name, {"1", "\"\"", R"("\n")", Quoted(std::string(129, 'e'))});
  }
  add(Kind::kEpoch, "supersession_type", {"\"\"", "\"Replaces\"", "\"replace\"", "1", "[\"replaces\"]"});
  for (Kind kind : {Kind::kSource, Kind::kSourceStatus}) {
    add(kind, "id", {"1", "\"\"", R"("\t")", Quoted(std::string(513, 's'))});
  }
  add(Kind::kSource, "class", {"\"\"", "\"Clinical\"", "1", "\"5\""});
  add(Kind::kSource, "title", {"\"\"", "1", R"("\u001f")", Quoted(std::string(1025, 't'))});
  add(Kind::kSource, "url", {"\"\"", "1", Quoted(std::string(2049, 'u'))});
  add(Kind::kSource, "hash", {"\"\"", "1", Quoted(std::string(257, 'h'))});
  add(Kind::kSource, "content", {"\"\"", "1", "{}", "[]"});
  add(Kind::kSourceStatus, "status", {"\"\"", "\"gone\"", "\"Active\"", "0"});
  for (Kind kind : {Kind::kSupersession, Kind::kRetraction, Kind::kSourceStatus, Kind::kTrust}) {
    add(kind, "reason", {"\"\"", "1", R"("\u007f")", Quoted(std::string(1025, 'r'))});
  }
  add(Kind::kRetraction, "cascade", {"1", "\"true\"", "[]", "{}"});
  for (Kind kind : {Kind::kRetraction, Kind::kSourceStatus}) add(kind, "dry_run", {"0", "\"false\"", "[]"});
  for (Kind kind : kAllKinds) {
    add(kind, "timestamp",
        {"\"yesterday\"", "1770804000.5", "1770804000000", "true", "\"2026-02-30T00:00:00Z\""});
    add(kind, "signatures", {"[]", "{}", "1"});
    add(kind, "agent_id", {"1", "[]"});
    add(kind, "signature", {"1", "[]"});
  }
  for (const auto& [kind, name, json] : wrong) ExpectFault(kind, name, json, "/" + name);
}

TEST(OperationParser, TakesWhatIsJustWithinTheLimits) {
  for (const auto& [kind, name] : {std::pair{Kind::kVote, "weight"}, std::pair{Kind::kTrust, "trust"}}) {
    for (std::string_view json : {"0", "1", "1.0", "-0", "0.0", "1e-999"})
      ExpectTaken(kind, BodyWith(kind, name, json));
  }
  const std::string path = Quoted(std::string(512, 'c'));
  ExpectTaken(Kind::kAlias, BodyWith(Kind::kAlias, "alias", path));
  ExpectTaken(Kind::kAlias, BodyWith(Kind::kAlias, "concept_path", path));
  ExpectTaken(Kind::kRetraction, "{\"concept_path\":" + path + "}");
  ExpectTaken(Kind::kRetraction, "{\"concept_path\":" + Quoted(std::string(510, 'c') + "/*") + "}");
  ExpectTaken(Kind::kRetraction, "{\"source_id\":" + Quoted(std::string(512, 's')) + "}");
  ExpectTaken(Kind::kEpoch, BodyWith(Kind::kEpoch, "name", Quoted(std::string(128, 'e'))));
  ExpectTaken(Kind::kEpoch, BodyWith(Kind::kEpoch, "supersedes", Quoted(std::string(128, 'd'))));
  for (std::string_view type : {"replaces", "corrects", "expires"}) {
    ExpectTaken(Kind::kEpoch, R"({"name":"e","supersedes":"d","supersession_type":)" + Quoted(type) + "}");
  }
  ExpectTaken(Kind::kSource, BodyWith(Kind::kSource, "id", Quoted(std::string(512, 's'))));
  ExpectTaken(Kind::kSource, BodyWith(Kind::kSource, "title", Quoted(std::string(1024, 't'))));
  ExpectTaken(Kind::kSource, BodyWith(Kind::kSource, "url", Quoted(std::string(2048, 'u'))));
  ExpectTaken(Kind::kSource, BodyWith(Kind::kSource, "hash", Quoted(std::string(256, 'h'))));
  ExpectTaken(Kind::kSource, BodyWith(Kind::kSource, "content", Quoted(std::string(1 << 20, 'c'))));
  ExpectTaken(Kind::kSource, BodyWith(Kind::kSource, "content", R"("\u0000\n")"));
  for (std::string_view status : {"active", "under_review", "deprecated", "retracted"}) {
    ExpectTaken(Kind::kSourceStatus, BodyWith(Kind::kSourceStatus, "status", Quoted(status)));
  }
  for (Kind kind : {Kind::kSupersession, Kind::kRetraction, Kind::kSourceStatus, Kind::kTrust}) {
    ExpectTaken(kind, BodyWith(kind, "reason", Quoted(std::string(1024, 'r'))));
  }
}

TEST(OperationParser, SaysThatContentIsTooLarge) {
  const std::string content = Quoted(std::string((1 << 20) + 1, 'c'));
  const ParsedOperation parsed = ParseOperation(Kind::kSource, BodyWith(Kind::kSource, "content", content));
  EXPECT_EQ(parsed.status.code(), Code::kTooLarge);
  EXPECT_EQ(parsed.status.reason(), "value_too_large");
  ASSERT_EQ(parsed.errors.size(), 1U);
  EXPECT_EQ(parsed.errors[0].pointer, "/content");
  EXPECT_EQ(parsed.errors[0].detail, "is 1048577 bytes long; the limit is 1048576");
}

TEST(OperationParser, RefusesNullAndDuplicatesOfEveryField) {
  for (Kind kind : kAllKinds) {
    Members members = LargestBody(kind);
    for (std::string_view name : {"agent_id", "signature", "signatures"})
      ExpectFault(kind, name, "null", "/" + std::string(name));
    for (const auto& [name, json] : members) {
      ExpectFault(kind, name, "null", "/" + name);
      Members twice = members;
      twice.emplace_back(name, json);
      const FieldError fault = FaultOf(kind, BodyOf(twice));
      EXPECT_EQ(fault.pointer, "/" + name);
      EXPECT_EQ(fault.detail, "the key stands twice in its object");
    }
  }
}

TEST(OperationParser, KnowsNoFieldsButThoseOfTheKind) {
  for (Kind kind : kAllKinds) {
    const Members own = LargestBody(kind);
    for (Kind other : kAllKinds) {
      for (const auto& [name, json] : LargestBody(other)) {
        const auto is_it = [name = name](const auto& member) { return member.first == name; };
        if (std::any_of(own.begin(), own.end(), is_it)) continue;
        if (kind == Kind::kRetraction && name == "concept_path") continue;
        const FieldError fault = FaultOf(kind, BodyWith(kind, name, json));
        EXPECT_EQ(fault.pointer, "/" + name);
        const bool is_added = name == "id";
        EXPECT_NE(fault.detail.find(is_added ? "is added by the server" : "unknown field; allowed are "),
                  std::string::npos)
            << NameOf(kind) << ": " << name << ": " << fault.detail;
      }
    }
    if (kind != Kind::kRetraction && kind != Kind::kSourceStatus)
      ExpectFault(kind, "dry_run", "true", "/dry_run");
  }
}

TEST(OperationParser, ListsWhatIsAllowedInsteadOfAnUnknownField) {
  const auto detail = [](Kind kind) { return FaultOf(kind, BodyWith(kind, "xyz/~", "1")).detail; };
  EXPECT_EQ(FaultOf(Kind::kVote, BodyWith(Kind::kVote, "xyz/~", "1")).pointer, "/xyz~1~0");
  const std::string all = "agent_id, timestamp, signature, signatures";
  EXPECT_EQ(detail(Kind::kVote), "unknown field; allowed are assertion_id, weight, " + all);
  EXPECT_EQ(detail(Kind::kSupersession), "unknown field; allowed are target, replacement, reason, " + all);
  EXPECT_EQ(
      detail(Kind::kRetraction),
      "unknown field; allowed are assertion_id, concept_path, source_id, reason, cascade, dry_run, " + all);
  EXPECT_EQ(detail(Kind::kEpoch), "unknown field; allowed are name, supersedes, supersession_type, " + all);
  EXPECT_EQ(detail(Kind::kSource), "unknown field; allowed are id, class, title, url, hash, content, " + all);
  EXPECT_EQ(detail(Kind::kSourceStatus), "unknown field; allowed are id, status, reason, dry_run, " + all);
  EXPECT_EQ(detail(Kind::kAlias), "unknown field; allowed are alias, concept_path, " + all);
  EXPECT_EQ(detail(Kind::kTrust), "unknown field; allowed are agent, trust, rank, reason, " + all);
}

TEST(OperationParser, SaysWhichFieldsTheServerAdds) {
  for (Kind kind : kAllKinds) {
    for (std::string_view name : {"operation_id", "kind", "sequence", "recorded_at"}) {
      EXPECT_EQ(FaultOf(kind, BodyWith(kind, name, "1")).detail, "is added by the server; leave it out");
    }
  }
}

TEST(OperationParser, GathersFaultsInTheOrderOfTheDocumentAndBoundsThem) {
  const ParsedOperation parsed = ParseOperation(Kind::kVote, R"({"zzz":1,"weight":2,"assertion_id":"x"})");
  ASSERT_EQ(parsed.errors.size(), 3U);
  EXPECT_EQ(parsed.errors[0].pointer, "/zzz");
  EXPECT_EQ(parsed.errors[1].pointer, "/weight");
  EXPECT_EQ(parsed.errors[2].pointer, "/assertion_id");
  std::string many = "{";
  for (int i = 0; i < 1000; ++i) many += "\"" + std::to_string(i) + std::string(500, 'x') + "\":1,";
  for (Kind kind : kAllKinds) {
    const ParsedOperation hostile = ParseOperation(kind, many + "\"x\":1}");
    EXPECT_EQ(hostile.errors.size(), 16U);
    size_t bytes = hostile.status.message().size();
    for (const FieldError& error : hostile.errors) bytes += error.pointer.size() + error.detail.size();
    EXPECT_LT(bytes, 16384U);
  }
}

TEST(OperationParser, TellsTextThatIsNotJsonFromBodiesThatAreWrong) {
  for (Kind kind : kAllKinds) {
    for (std::string_view json : {"", "   ", "{", "nope", "{\"a\":}", "{} {}", "\xff", "{\"a\":1,}"}) {
      const ParsedOperation parsed = ParseOperation(kind, json);
      EXPECT_EQ(parsed.status.reason(), "invalid_json") << json;
      EXPECT_TRUE(parsed.errors.empty());
      EXPECT_EQ(parsed.operation.kind, kind);
    }
    for (std::string_view json : {"[]", "1", "\"x\"", "null", "true"}) {
      const FieldError fault = FaultOf(kind, std::string(json));
      EXPECT_EQ(fault.pointer, "");
      EXPECT_NE(fault.detail.find("is a JSON object such as {\""), std::string::npos) << fault.detail;
    }
  }
}

TEST(OperationParser, PointsAtNumbersAndStringsThatDoNotSurvive) {
  ExpectFault(Kind::kVote, "weight", "1e999", "/weight");
  ExpectFault(Kind::kTrust, "trust", "123456789012345678901234567890", "/trust");
  ExpectFault(Kind::kAlias, "alias", R"("a\ud800")", "/alias");
  ExpectFault(Kind::kSource, "content", R"("\udead")", "/content");
}

TEST(OperationParser, ReadsInPlaceWhenThereIsRoom) {
  std::string json = BodyWith(Kind::kEpoch, "name", "\"e\"");
  const size_t size = json.size();
  json.append(64, '#');  // must not be taken for text
  OperationParser parser;
  const ParsedOperation parsed =
      parser.Parse(Kind::kEpoch, std::string_view(json).substr(0, size), json.size(), {});
  ASSERT_TRUE(parsed.status.ok()) << parsed.status.message();
  EXPECT_EQ(parsed.operation.name, "e");
}

TEST(OperationParser, SurvivesAHugeDocumentAndASmallOneAfterIt) {
  OperationParser parser;
  const std::string huge = BodyWith(Kind::kSource, "content", Quoted(std::string(6 * 1024 * 1024, 'v')));
  EXPECT_EQ(parser.Parse(Kind::kSource, huge, huge.size(), {}).status.reason(), "value_too_large");
  const std::string small = BodyWith(Kind::kVote, "", "");
  EXPECT_TRUE(parser.Parse(Kind::kVote, small, small.size(), {}).status.ok());
}

TEST(Trust, MayBeGivenAsARank) {
  const std::string agent = R"("agent":)" + Quoted(kOneId);
  const auto read = [&](const std::string& members) {
    return ParseOperation(Kind::kTrust, "{" + agent + "," + members + "}");
  };
  EXPECT_EQ(read(R"("rank":0.25)").operation.number, 0.25);
  EXPECT_TRUE(read(R"("rank":0.25)").status.ok());
  EXPECT_TRUE(read(R"("rank":0,"trust":0)").status.ok());
  // What is signed is the same.
  const std::string time = R"(,"timestamp":"2026-02-11T10:00:00.000Z")";
  EXPECT_EQ(CanonicalOf(read(R"("rank":0.25)" + time).operation),
            CanonicalOf(read(R"("trust":0.25)" + time).operation));
  for (const char* members : {R"("rank":0.25,"trust":0.5)", R"("trust":0.5,"rank":0.25)"}) {
    const ParsedOperation differs = read(members);
    ASSERT_EQ(differs.errors.size(), 1U) << members;
    EXPECT_EQ(differs.errors[0].pointer, "/rank");
  }
  for (const char* json : {"1.5", "-0.1", "\"0.5\"", "null", "true"}) {
    const ParsedOperation wrong = read("\"rank\":" + std::string(json));
    ASSERT_EQ(wrong.errors.size(), 1U) << json;
    EXPECT_EQ(wrong.errors[0].pointer, "/rank") << json;
  }
}

TEST(Trust, HasItsAgentInTheUrlOrInTheBodyOrInBoth) {
  const auto read = [](const std::string& body, std::string_view url_id) {
    return ParseOperation(Kind::kTrust, body, {}, url_id);
  };
  const std::string both = R"({"rank":0.5,"agent":)" + Quoted(kOneId) + "}";
  EXPECT_EQ(ToHex(read(R"({"rank":0.5})", kOneId).operation.other_id), kOneId);
  EXPECT_TRUE(read(R"({"rank":0.5})", kOneId).status.ok());
  EXPECT_TRUE(read(both, kOneId).status.ok());
  const ParsedOperation differs = read(both, kOtherId);
  ASSERT_EQ(differs.errors.size(), 1U);
  EXPECT_EQ(differs.errors[0].pointer, "/agent");
  const ParsedOperation missing = read("{}", kOneId);
  ASSERT_EQ(missing.errors.size(), 1U);
  EXPECT_EQ(missing.errors[0].pointer, "/rank");
  for (const std::string& url_id : {std::string("ab"), std::string(64, '0'), std::string(64, 'G')})
    EXPECT_FALSE(read(R"({"rank":0.5})", url_id).status.ok()) << url_id;
}

TEST(Retraction, NeedsATarget) {
  for (std::string_view json : {"{}", R"({"reason":"r","cascade":true})"}) {
    const FieldError fault = FaultOf(Kind::kRetraction, std::string(json));
    EXPECT_EQ(fault.pointer, "");
    EXPECT_EQ(fault.detail,
              "a retraction must name its target: one of assertion_id, concept_path, source_id");
  }
}

TEST(Retraction, HasOneTargetAlone) {
  const std::string id = R"("assertion_id":)" + Quoted(kOneId), path = R"("concept_path":"a")",
                    source = R"("source_id":"s")";
  const auto fault = [](const std::string& members) {
    return FaultOf(Kind::kRetraction, "{" + members + "}");
  };
  EXPECT_EQ(fault(id + "," + path).pointer, "/concept_path");
  EXPECT_EQ(fault(path + "," + id).pointer, "/concept_path");
  EXPECT_EQ(fault(id + "," + source).pointer, "/source_id");
  EXPECT_EQ(fault(path + "," + source).pointer, "/source_id");
  EXPECT_EQ(fault(id + "," + path + "," + source).detail,
            "is a second target beside assertion_id; give one of them");
}

TEST(Retraction, OfAPathMayTakeAllBelowIt) {
  const auto read = [](std::string_view path) {
    const std::string body = "{\"concept_path\":" + Quoted(path) + "}";
    const ParsedOperation parsed = ParseOperation(Kind::kRetraction, body);
    EXPECT_TRUE(parsed.status.ok()) << path << parsed.status.message();
    return std::pair(parsed.operation.path, parsed.operation.subtree);
  };
  EXPECT_EQ(read("a/b"), std::pair(std::string("a/b"), false));
  EXPECT_EQ(read("a/b/*"), std::pair(std::string("a/b"), true));
  EXPECT_EQ(read("a*"), std::pair(std::string("a*"), false));
  EXPECT_EQ(read("a/*/*"), std::pair(std::string("a/*"), true));
  EXPECT_EQ(read("x://*"), std::pair(std::string("x://"), true));
  for (std::string_view path : {"*", "/*", "a//*", "/a/*", "A://*", "://*"}) {
    EXPECT_EQ(FaultOf(Kind::kRetraction, "{\"concept_path\":" + Quoted(path) + "}").pointer, "/concept_path")
        << path;
  }
  EXPECT_EQ(
      FaultOf(Kind::kRetraction, "{\"concept_path\":" + Quoted(std::string(511, 'c') + "/*") + "}").pointer,
      "/concept_path");
  EXPECT_EQ(FaultOf(Kind::kRetraction, R"({"concept_path":"*"})").detail,
            "would retract everything; name the concept path above what is retracted");
}

TEST(Retraction, MayBeTriedWithoutBeingMade) {
  for (Kind kind : {Kind::kRetraction, Kind::kSourceStatus}) {
    EXPECT_TRUE(ParseOperation(kind, BodyWith(kind, "dry_run", "true")).dry_run);
    EXPECT_FALSE(ParseOperation(kind, BodyWith(kind, "dry_run", "false")).dry_run);
  }
}

TEST(Retraction, IsTriedWithoutASignature) {
  const std::string key(64, '7'), signature(128, '7');
  for (Kind kind : {Kind::kRetraction, Kind::kSourceStatus}) {
    Members members = SmallestBody(kind);
    members.emplace_back("timestamp", "\"2026-02-11T10:00:00.000Z\"");
    const std::string unsigned_trial = BodyWith(kind, "dry_run", "true");
    const ParsedOperation by_header = ParseOperation(kind, unsigned_trial, {key, signature});
    ASSERT_EQ(by_header.errors.size(), 1U) << by_header.status.message();
    EXPECT_EQ(by_header.errors[0].pointer, "/dry_run");
    EXPECT_EQ(by_header.errors[0].detail,
              "is no part of what is signed: whoever takes it out has a signed order to do it; leave the "
              "signature out to see what it would do");
    members.emplace_back("agent_id", Quoted(key));
    members.emplace_back("signature", Quoted(signature));
    members.emplace_back("dry_run", "true");
    EXPECT_EQ(FaultOf(kind, BodyOf(members)).pointer, "/dry_run");
    members.back().second = "false";
    ExpectTaken(kind, BodyOf(members));
  }
}

TEST(Retraction, IsTriedForAnAgentThatIsNamedWithoutItsSignature) {
  const std::string key(64, '7');
  AgentId agent;
  agent.fill(0x77);
  for (Kind kind : {Kind::kRetraction, Kind::kSourceStatus}) {
    Members members = SmallestBody(kind);
    members.emplace_back("dry_run", "true");
    const ParsedOperation by_header = ParseOperation(kind, BodyOf(members), {key, {}});
    ASSERT_TRUE(by_header.status.ok()) << by_header.status.message();
    EXPECT_EQ(by_header.operation.agent_id, agent);
    EXPECT_TRUE(by_header.operation.signatures.empty());
    EXPECT_FALSE(ParseOperation(kind, BodyOf(members), {"key", {}}).status.ok()) << "it must be a key";
    members.emplace_back("agent_id", Quoted(key));
    const ParsedOperation by_body = ParseOperation(kind, BodyOf(members));
    ASSERT_TRUE(by_body.status.ok()) << by_body.status.message();
    EXPECT_EQ(by_body.operation.agent_id, agent);
    EXPECT_FALSE(ParseOperation(kind, BodyOf(members), {std::string(64, '8'), {}}).status.ok())
        << "one agent";
    members[members.size() - 2].second = "false";
    const ParsedOperation no_dry_run = ParseOperation(kind, BodyOf(members));
    EXPECT_EQ(no_dry_run.status.reason(), "missing_signature");
    ASSERT_EQ(no_dry_run.errors.size(), 1u);
    EXPECT_EQ(no_dry_run.errors[0].pointer, "/agent_id");
  }
}

TEST(Epoch, HasATypeOfSupersessionOnlyBesideWhatItSupersedes) {
  const FieldError fault = FaultOf(Kind::kEpoch, BodyWith(Kind::kEpoch, "supersession_type", "\"replaces\""));
  EXPECT_EQ(fault.pointer, "/supersession_type");
  EXPECT_EQ(fault.detail, "says how an epoch is superseded: name that one in supersedes, or leave it out");
}

TEST(Supersession, IsNotOfAClaimByItself) {
  const FieldError fault =
      FaultOf(Kind::kSupersession, BodyWith(Kind::kSupersession, "replacement", Quoted(kOneId)));
  EXPECT_EQ(fault.pointer, "/replacement");
  EXPECT_EQ(fault.detail, "is the target; a claim can't take its own place");
  // An id of zeros is none that is missing.
  const std::string zeros = Quoted(std::string(64, '0'));
  ExpectTaken(Kind::kSupersession, BodyWith(Kind::kSupersession, "target", zeros));
  EXPECT_EQ(ParseOperation(Kind::kSupersession, "{\"target\":" + zeros + "}").errors.size(), 1U);
}

TEST(Epoch, DoesNotSupersedeItself) {
  const FieldError fault = FaultOf(Kind::kEpoch, BodyWith(Kind::kEpoch, "supersedes", "\"e\""));
  EXPECT_EQ(fault.pointer, "/supersedes");
  EXPECT_EQ(fault.detail, "is the epoch's own name; an epoch can't supersede itself");
}

TEST(Alias, MayStandForItselfSinceThatTakesItBack) {
  const std::string body = BodyWith(Kind::kAlias, "concept_path", "\"a/b\"");
  ExpectTaken(Kind::kAlias, body);
  const Operation alias = ParseOperation(Kind::kAlias, body).operation;
  EXPECT_EQ(alias.path, "a/b");
  EXPECT_EQ(alias.other_name, "a/b");
}

TEST(Source, HasAnIdThatAUrlCanHave) {
  for (const char* id : {"\".\"", "\"..\"", "\"/\"", "\"//\"", "\"./\"", "\"/..\"", "\"../..\""}) {
    const FieldError fault = FaultOf(Kind::kSource, BodyWith(Kind::kSource, "id", id));
    EXPECT_EQ(fault.pointer, "/id") << id;
    EXPECT_NE(fault.detail.find("dots and slashes"), std::string::npos) << id;
    ExpectTaken(Kind::kRetraction, "{\"source_id\":" + std::string(id) + "}");  // claims may name it
  }
  for (const char* id : {"\"...\"", "\".a\"", "\"a/..\"", "\"/a\"", "\"..b\""})
    ExpectTaken(Kind::kSource, BodyWith(Kind::kSource, "id", id));
}

TEST(SourceStatus, MayHaveItsSourceInTheUrl) {
  const std::string without = BodyWith(Kind::kSourceStatus, "id", "");
  EXPECT_EQ(FaultOf(Kind::kSourceStatus, without).pointer, "/id");
  const ParsedOperation parsed = ParseOperation(Kind::kSourceStatus, without, {}, "s");
  ASSERT_TRUE(parsed.status.ok()) << parsed.status.message();
  const std::string with = BodyWith(Kind::kSourceStatus, "", "");
  EXPECT_EQ(CanonicalOf(parsed.operation), CanonicalOf(ParseOperation(Kind::kSourceStatus, with).operation));
  EXPECT_TRUE(ParseOperation(Kind::kSourceStatus, with, {}, "s").status.ok());
  const FieldError fault = FaultOf(Kind::kSourceStatus, with, "other");
  EXPECT_EQ(fault.pointer, "/id");
  EXPECT_EQ(fault.detail, "differs from the source's id in the URL; leave it out, or repeat that one");
  EXPECT_EQ(FaultOf(Kind::kSourceStatus, without, "a\nb").detail,
            "the source's id in the URL must not hold control characters");
  EXPECT_EQ(FaultOf(Kind::kSourceStatus, without, std::string(513, 's')).pointer, "");
}

}  // namespace
}  // namespace stemedb::model
