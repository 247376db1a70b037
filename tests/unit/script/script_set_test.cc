// SPDX-License-Identifier: Apache-2.0
// ScriptSet: what a script must say of itself, and what the server says when it doesn't.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "claims.h"
#include "crypto/sha256.h"

namespace stemedb::script::testing {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

std::string Refusal(const std::string& text) {
  const auto set = ScriptSet::Build({{"probe.lua", text}}, 1);
  return set ? std::string() : std::string(set.error().message());
}

// The probe with one piece of its description replaced.
std::string With(const std::string& piece, const std::string& by) {
  std::string text = Lens("return {}").text;
  return Refusal(text.replace(text.find(piece), piece.size(), by));
}

TEST(ScriptSet, LoadsTheShippedLensesWithTheirHashes) {
  const auto set = ScriptSet::Load(STEMEDB_SOURCE_DIR "/lenses", 7);
  ASSERT_TRUE(set) << set.error().message();
  EXPECT_EQ((*set)->generation(), 7u);
  std::vector<std::string> names;
  for (const auto& script : (*set)->scripts()) {
    names.push_back(script.name);
    EXPECT_EQ(script.kind, "lens");
    EXPECT_EQ(script.version, "1.0.0");
    EXPECT_EQ(script.file, script.name + ".lua");
    EXPECT_EQ(script.sha256, crypto::Sha256::Of(script.source));
    EXPECT_FALSE(script.description.empty());
    EXPECT_EQ((*set)->scripts()[static_cast<size_t>((*set)->Find(script.name))].name, script.name);
  }
  for (const char* name : {"confidence", "consensus", "layered", "recency", "skeptic", "tier_authority"}) {
    EXPECT_THAT(names, ::testing::Contains(name));
  }
  EXPECT_EQ((*set)->Find("nobody"), -1);
}

TEST(ScriptSet, ReadsParameters) {
  const auto set = Shipped();
  const ScriptInfo& recency = set->scripts()[static_cast<size_t>(set->Find("recency"))];
  ASSERT_EQ(recency.params.size(), 1u);
  EXPECT_EQ(recency.params[0].name, "max_age_s");
  EXPECT_EQ(recency.params[0].type, "integer");
  EXPECT_EQ(std::get<double>(recency.params[0].default_value), 0);
  EXPECT_EQ(recency.params[0].min, 0);
}

TEST(ScriptSet, SaysWhatADescriptionLacks) {
  EXPECT_THAT(With("kind = 'lens'", "kind = 'lense'"), HasSubstr("probe.lua: kind is 'lense'"));
  EXPECT_THAT(With("api = 1", "api = 2"), HasSubstr("probe.lua: api must be 1"));
  EXPECT_THAT(With("api = 1,", ""), HasSubstr("api must be 1"));
  EXPECT_THAT(With("name = 'probe'", "name = 'other'"), HasSubstr("named like its file"));
  EXPECT_THAT(With("name = 'probe'", "name = 'Pro be'"), HasSubstr("name must be a-z"));
  EXPECT_THAT(With("version = '1',", ""), HasSubstr("version must be a text"));
  EXPECT_THAT(With("description = 'probe'", "description = 5"), HasSubstr("description must be a text"));
  EXPECT_THAT(With("resolve =", "resolved ="), HasSubstr("resolve must be a function"));
  const auto params = [](const std::string& table) { return With("api = 1", "api = 1, params = " + table); };
  EXPECT_EQ(params("{}"), "");
  EXPECT_THAT(params("5"), HasSubstr("params must be a table"));
  EXPECT_THAT(params("{ 1 }"), HasSubstr("params must have names"));
  EXPECT_THAT(params("{ x = 1 }"), HasSubstr("params.x must be a table"));
  EXPECT_THAT(params("{ X = {} }"), HasSubstr("params.X must have a name of a-z"));
  EXPECT_THAT(params("{ x = { type = 'date', default = 1, description = 'd' } }"),
              HasSubstr("params.x.type must be"));
  EXPECT_THAT(params("{ x = { type = 'number', description = 'd' } }"),
              HasSubstr("params.x.default is missing"));
  EXPECT_THAT(params("{ x = { type = 'number', default = 1 } }"), HasSubstr("params.x.description must be"));
  EXPECT_THAT(params("{ x = { type = 'number', default = 1, max = 0, description = 'd' } }"),
              HasSubstr("params.x.default must be within"));
}

TEST(ScriptSet, SurvivesAScriptThatFillsItsMemoryWhileLoading) {
  const std::string text =
      "local t = {} pcall(function() for i = 1, 1e9 do t[i] = ('x'):rep(60000 + i) end end) " +
      Lens("return { explain = tostring(#t) }").text;
  const auto set = ScriptSet::Build({{"probe.lua", text}}, 1);
  const std::string message = set ? "out of memory" : std::string(set.error().message());
  EXPECT_THAT(message, ContainsRegex("memory|stopped after 100 ms"));
}

TEST(ScriptSet, LoadsADirectoryOrSaysWhyNot) {
  const std::filesystem::path directory = std::filesystem::path(::testing::TempDir()) / "script_set_test";
  std::filesystem::remove_all(directory);
  EXPECT_THAT(std::string(ScriptSet::Load(directory.string(), 1).error().message()),
              HasSubstr("script_set_test"));
  std::filesystem::create_directory(directory);
  EXPECT_EQ(ScriptSet::Load(directory.string(), 1).error().reason(), "scripts_missing");
  std::ofstream(directory / "probe.lua") << Lens("return {}").text;
  std::ofstream(directory / "probe_spec.lua") << "no Lua at all";
  std::ofstream(directory / ".probe.lua.swp.lua") << "an editor's";
  std::ofstream(directory / "notes.txt") << "notes";
  const auto good = ScriptSet::Load(directory.string(), 1);
  ASSERT_TRUE(good) << good.error().message();
  EXPECT_EQ((*good)->scripts().size(), 1u);
  std::ofstream(directory / "bad.lua") << "return {\n}}";
  const auto bad = ScriptSet::Load(directory.string(), 1);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().reason(), "script_invalid");
  EXPECT_THAT(std::string(bad.error().message()), HasSubstr("bad.lua:2: "));
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace stemedb::script::testing
