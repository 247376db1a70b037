// SPDX-License-Identifier: Apache-2.0
// ScriptSet: what a script must say of itself, and what the server says when it doesn't.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "claims.h"
#include "crypto/sha256.h"
#include "script/live_scripts.h"
#include "script/script_files.h"
#include "script/self_check.h"

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
  for (const char* name : {"authority", "confidence", "consensus", "constraints", "epoch_aware", "layered",
                           "recency", "skeptic", "tier_authority", "vote_consensus"}) {
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
  for (const char* text :
       {"1\\27[2J", "\\0", "1\\n", "1\\127", "\\194\\155A", "\\226\\128\\174", "\\226\\129\\166"}) {
    EXPECT_EQ(With("version = '1'", "version = '" + std::string(text) + "'"),
              "probe.lua: version has a control character: it is shown with every answer, so write it like "
              "\"1.0.0\"")
        << text;
  }
  EXPECT_EQ(With("version = '1'", "version = '1.0 „ä“ €…'"), "");
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

TEST(ScriptSet, RefusesFieldsThatNobodyReads) {
  EXPECT_EQ(With("api = 1", "api = 1, parms = {}"),
            "probe.lua: parms is no field of a lens: did you mean 'params'?");
  EXPECT_EQ(
      With("api = 1", "api = 1, zeta = 1, author = 'me'"),
      "probe.lua: author is no field of a lens: there are api, description, kind, name, params, resolve, "
      "version");
  EXPECT_THAT(With("api = 1", "api = 1, 5"),
              HasSubstr("probe.lua: [1] is no field of a lens: there are api, "));
  const auto param = [](const std::string& fields) {
    return With("api = 1", "api = 1, params = { x = { description = 'd', " + fields + " } }");
  };
  EXPECT_EQ(param("type = 'number', default = 1, min = 0, max = 1"), "");
  EXPECT_EQ(param("type = 'number', default = 1, mim = 0"),
            "probe.lua: params.x.mim is no field of a parameter of this type: did you mean 'min'?");
  EXPECT_EQ(
      param("type = 'boolean', default = true, min = 0"),
      "probe.lua: params.x.min is no field of a parameter of this type: there are default, description, "
      "type");
  EXPECT_EQ(param("type = 'string', default = 'a', choices = { 'a' }"), "");
  EXPECT_THAT(param("type = 'integer', default = 1, choices = { 1 }"), HasSubstr("params.x.choices"));
}

TEST(ScriptSet, RefusesWhatTakesHalfACallsTimeToLoad) {
  EXPECT_THAT(Refusal("local n = 0 for i = 1, 1e9 do n = n + i % 7 end " + Lens("return {}").text),
              ContainsRegex("^probe.lua:1: stopped after 25 ms|^probe.lua: takes [0-9]+ µs to load"));
  // Some 10 ms and more, of which a policy has 2.5.
  const std::string policy =
      "local n = 0 for i = 1, 1e7 do n = n + i % 7 end return { kind = 'policy', hook = 'rate_limit', api = "
      "1, "
      "name = 'rate_limit', version = '1', description = 'd', limit = function() end }";
  const auto refused = CheckScript({"rate_limit.lua", policy});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason(), "script_invalid");
  EXPECT_THAT(std::string(refused.error().message()),
              ContainsRegex("a policy may take 2500, half the time of a call|stopped after 25 ms"));
}

TEST(SelfCheck, FindsALensThatKeepsSomethingBetweenCalls) {
  const auto check = [](const std::string& body, const std::string& head) {
    auto set = ScriptSet::Build({Lens(body, head)}, 1);
    EXPECT_TRUE(set) << set.error().message();
    LensRunner runner(*set, {});
    return std::string(script::SelfCheck(runner, 0).message());
  };
  EXPECT_THAT(
      check("calls = calls + 1 return { explain = 'call ' .. calls }", "local calls = 0"),
      HasSubstr("probe.lua: answers differently when asked again: don't keep anything between calls in "
                "upvalues"));
  EXPECT_THAT(check("local mine = #candidates local c = 1 / last last = mine return { confidence = c }",
                    "local last = 1"),
              HasSubstr("answers differently when asked again"));
  EXPECT_EQ(
      check("calls = calls + 1 return { winner = 1, explain = 'of ' .. #candidates }", "local calls = 0"),
      "");
}

TEST(SelfCheck, LooksAtEveryKeyAndAsksForNotes) {
  const auto check = [](const std::string& body) {
    auto set = ScriptSet::Build({Lens(body)}, 1);
    EXPECT_TRUE(set) << set.error().message();
    LensRunner runner(*set, {});
    return std::string(script::SelfCheck(runner, 0).message());
  };
  EXPECT_EQ(check("return { winner = 1, confidense = 1 }"),
            "self-check, one claim: probe.lua: resolve returned an unknown field 'confidense': did you mean "
            "'confidence'?");
  EXPECT_THAT(check("return { winner = 1, weights = { [candidates[1].value] = 1 } }"),
              HasSubstr("weights with the key 'a': they go by value_index"));
  EXPECT_THAT(check("if ctx.wants_notes then error('in its notes') end return { winner = 1 }"),
              HasSubstr("probe.lua:1: in its notes"));
  EXPECT_THAT(check("return { winner = 1, confidence = ctx.wants_notes and 1 or 0.5 }"),
              HasSubstr("use ctx.wants_notes for notes alone"));
}

TEST(ScriptSet, SurvivesAScriptThatFillsItsMemoryWhileLoading) {
  const std::string text =
      "local t = {} pcall(function() for i = 1, 1e9 do t[i] = ('x'):rep(60000 + i) end end) " +
      Lens("return { explain = tostring(#t) }").text;
  const auto set = ScriptSet::Build({{"probe.lua", text}}, 1);
  const std::string message = set ? "out of memory" : std::string(set.error().message());
  EXPECT_THAT(message, ContainsRegex("memory|stopped after 25 ms|to load"));
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

class Directory {
 public:
  explicit Directory(const std::string& name) : path_(::testing::TempDir() + name) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directory(path_);
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ + "/" + name, std::ios::binary) << text;
  }
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

TEST(ScriptFiles, WhatIsNoFileIsRefusedAndNeverWaitedFor) {
  const Directory directory("script_files_test");
  const auto why = [&](const char* name) {
    const auto read = ReadScriptFile(directory.path() + "/" + name);
    return read ? std::string("read") : std::string(read.error().message());
  };
  ASSERT_EQ(mkfifo((directory.path() + "/fifo.lua").c_str(), 0600), 0);
  std::filesystem::create_directory(directory.path() + "/dir.lua");
  std::filesystem::create_symlink("/dev/zero", directory.path() + "/endless.lua");
  directory.Write("large.lua", std::string(kScriptBytesMax + 1, 'x'));
  directory.Write("largest.lua", std::string(kScriptBytesMax, 'x'));
  EXPECT_THAT(why("fifo.lua"), HasSubstr("fifo.lua: is a FIFO"));
  EXPECT_THAT(why("dir.lua"), HasSubstr("is a directory"));
  EXPECT_THAT(why("endless.lua"), HasSubstr("is a device"));
  EXPECT_THAT(why("large.lua"), HasSubstr("larger than 256 KiB"));
  EXPECT_EQ(why("largest.lua"), "read");
  EXPECT_EQ(ReadScriptFile(directory.path() + "/none.lua").error().reason(), "script_changing");
}

TEST(ScriptFiles, AListTellsAnotherTextOfTheSameSizeAndTime) {
  const Directory directory("script_files_test");
  directory.Write("a.lua", "one");
  const auto before = ListScriptFiles(directory.path());
  const auto time = std::filesystem::last_write_time(directory.path() + "/a.lua");
  directory.Write("b", "two");
  std::filesystem::rename(directory.path() + "/b", directory.path() + "/a.lua");
  std::filesystem::last_write_time(directory.path() + "/a.lua", time);
  const auto after = ListScriptFiles(directory.path());
  ASSERT_EQ(before->size(), 1u);
  ASSERT_EQ(after->size(), 1u);
  EXPECT_NE((*before)[0].signature, (*after)[0].signature);
}

TEST(ScriptSet, LoadsTwoDirectoriesOfWhichOneMayBeMissing) {
  const Directory lenses("script_set_lenses"), policies("script_set_policies");
  lenses.Write("probe.lua", Lens("return {}").text);
  EXPECT_TRUE(ScriptSet::Load(lenses.path(), 1, policies.path()));
  EXPECT_TRUE(ScriptSet::Load(lenses.path(), 1, policies.path() + "/none"));
  policies.Write("probe.lua", Lens("return {}").text);
  EXPECT_THAT(std::string(ScriptSet::Load(lenses.path(), 1, policies.path()).error().message()),
              HasSubstr("this is the directory for kind 'policy'"));
}

TEST(ScriptSet, NamesAreUnique) {
  const ScriptInfo probe = *CheckScript(Lens("return {}"));
  EXPECT_THAT(std::string(ScriptSet::Of({probe, probe}, 1).error().message()),
              HasSubstr("two scripts are named"));
}

TEST(ScriptSet, ADraftIsNamedByItselfAndItsFileByWhoSendsIt) {
  const auto draft = CheckDraft(Lens("return {}").text, "mine.lua");
  ASSERT_TRUE(draft) << draft.error().message();
  EXPECT_EQ(draft->name + " " + draft->file, "probe mine.lua");
  for (const char* text :
       {"", "return 5", "return {", "return { name = 5 }", "return { name = ('x'):rep(999) }"}) {
    const auto wrong = CheckDraft(text, "mine.lua");
    ASSERT_FALSE(wrong) << text;
    EXPECT_THAT(std::string(wrong.error().message()), HasSubstr(".lua")) << text;
  }
}

TEST(LiveScripts, AreTakenUpOnceForEachGeneration) {
  LiveScripts live;
  EXPECT_EQ(live.generation(), 0u);
  std::shared_ptr<const ScriptSet> mine;
  live.Publish(*ScriptSet::Build({Lens("return {}")}, 1));
  EXPECT_TRUE(live.TakeUp(mine));
  EXPECT_FALSE(live.TakeUp(mine));
  live.Publish(*ScriptSet::Build({Lens("return {}")}, 2));
  EXPECT_TRUE(live.TakeUp(mine));
  EXPECT_EQ(mine->generation(), 2u);
}

}  // namespace
}  // namespace stemedb::script::testing
