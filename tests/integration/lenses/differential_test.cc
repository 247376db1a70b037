// SPDX-License-Identifier: Apache-2.0
// The server's LensRunner against stock LuaJIT (stock.lua) over random claims, full of ties: every winner,
// weight, share, score and explanation must be the same.
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <random>

#include "../../unit/script/claims.h"
#include "base/json_writer.h"

namespace stemedb::script::testing {
namespace {

constexpr int kQuestions = 400;

std::string Short(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.12g", number);
  return text;
}

Claims RandomClaims(std::mt19937_64& random) {
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<uint64_t>(n)); };
  constexpr int64_t kAges[] = {0, 1000, 60000, 60001, 3600000, 3600001, kDay, kDay + 1, 40 * kDay};
  const int count = 1 + below(below(4) == 0 ? 120 : 8), values = 1 + below(5), agents = 1 + below(6);
  std::vector<Claim> claims;
  for (int i = 0; i < count; ++i) {
    Claim claim;
    claim.value = "value " + std::to_string(below(values));
    claim.confidence = below(5) / 4.0;
    claim.tier = below(6);
    claim.age_ms = kAges[below(9)];
    claim.agent = below(4) == 0 ? "" : "agent " + std::to_string(below(agents));
    claim.source = "source " + std::to_string(below(3));
    claims.push_back(claim);
  }
  std::shuffle(claims.begin(), claims.end(), random);
  return Claims(claims);
}

// The question as a Lua table of stock.lua's cases.
void WriteCase(std::ostream& out, const std::string& lens, const Claims& claims, int max_age_s) {
  out << "{ lens = '" << lens << "', now = " << kNow << ", ";
  if (lens == "recency") out << "params = { max_age_s = " << max_age_s << " }, ";
  out << "claims = {\n";
  for (const auto& row : claims.rows()) {
    std::string numbers = "weight = ";
    AppendJsonNumber(numbers, row.weight);
    numbers += ", effective_confidence = ";
    AppendJsonNumber(numbers, row.effective_confidence);
    out << "  { value = '" << std::string(row.value_text, row.value_text_size) << "', id = '"
        << ToHex({row.id, 32}) << "', timestamp = " << row.timestamp_ms << ", tier = " << int{row.tier}
        << ", " << numbers << ", value_index = " << row.value_index + 1
        << ", voice_index = " << row.voice_index + 1 << " },\n";
  }
  out << "} },\n";
}

std::string Line(const Judgement& judgement) {
  constexpr const char* kNames[] = {"none", "unanimous", "agreed", "contested"};
  std::string line = std::to_string(judgement.winner ? *judgement.winner + 1 : 0) + " " +
                     Short(judgement.confidence) + " " + Short(judgement.conflict_score) + " " +
                     kNames[static_cast<int>(judgement.agreement)] + " " +
                     std::to_string(judgement.candidates_count);
  for (const auto& value : judgement.values) {
    line +=
        " " + std::to_string(value.value_index + 1) + ":" + Short(value.weight) + ":" + Short(value.share);
  }
  return line;
}

std::string Answer(LensRunner& runner, const std::string& lens, const Claims& claims, int max_age_s) {
  const int script = runner.scripts().Find(lens);
  std::map<std::string, ParamValue> given;
  if (lens == "recency") given["max_age_s"] = static_cast<double>(max_age_s);
  const auto params = CheckParams(runner.scripts().scripts()[static_cast<size_t>(script)], given);
  const auto outcome = runner.Resolve(script, claims.Call(&*params));
  if (!outcome) return std::string(outcome.error().message());
  std::string line = lens + " | " + Line(outcome->overall) + " | " + outcome->explain;
  for (const auto& layer : outcome->layers)
    line += " | tier " + std::to_string(layer.tier) + " " + Line(layer.judgement);
  const std::string key = "{\"between_tiers_conflict\":";
  if (outcome->details_json.starts_with(key)) {
    line += " | between " + Short(std::stod(outcome->details_json.substr(key.size())));
  }
  return line;
}

std::vector<std::string> Stock(const std::string& cases) {
  const std::string command = LUAJIT " " STEMEDB_SOURCE_DIR
                                     "/tests/integration/lenses/stock.lua " STEMEDB_SOURCE_DIR " cases " +
                              cases;
  std::vector<std::string> lines;
  std::FILE* pipe = popen(command.c_str(), "r");
  std::string text;
  char buffer[4096];
  while (std::fgets(buffer, sizeof buffer, pipe) != nullptr) {
    text += buffer;
    if (text.back() != '\n') continue;
    text.pop_back();
    lines.push_back(std::move(text));
    text.clear();
  }
  EXPECT_EQ(pclose(pipe), 0) << text;
  return lines;
}

TEST(Lenses, AnswerAsTheyDoUnderStockLuaJit) {
  const uint64_t seed = std::random_device()();
  std::cout << "seed " << seed << "\n";
  std::mt19937_64 random(seed);
  LensRunner runner(Shipped(), {});
  const std::string file = ::testing::TempDir() + "lens_cases_" + std::to_string(seed) + ".lua";
  std::vector<std::string> ours;
  {
    std::ofstream out(file);
    out << "local cases = {}\nlocal function add(list) for _, case in ipairs(list) do cases[#cases + 1] = "
           "case end end\n";
    for (int i = 0; i < kQuestions; ++i) {
      const Claims claims = RandomClaims(random);
      const int max_age_s = i % 3 == 0 ? 60 : 0;
      out << "add((function() return {\n";  // a function of its own: Lua allows 65,536 constants in each
      for (const char* lens :
           {"recency", "consensus", "confidence", "tier_authority", "layered", "skeptic"}) {
        WriteCase(out, lens, claims, max_age_s);
        ours.push_back(Answer(runner, lens, claims, max_age_s));
      }
      out << "} end)())\n";
    }
    out << "return cases\n";
  }
  const auto stock = Stock(file);
  std::remove(file.c_str());
  ASSERT_EQ(stock.size(), ours.size());
  for (size_t i = 0; i < ours.size(); ++i) ASSERT_EQ(stock[i], ours[i]) << "case " << i << ", seed " << seed;
}

}  // namespace
}  // namespace stemedb::script::testing
