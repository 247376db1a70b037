// SPDX-License-Identifier: Apache-2.0
// The server's LensRunner against stock LuaJIT (stock.lua) over random claims, full of ties: every winner,
// weight, share, score, explanation and detail must be the same.
#include <gtest/gtest.h>

#include <cctype>
#include <cstdio>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <vector>

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
    claim.trust = claim.agent.empty() ? 0.5 : static_cast<double>(claim.agent.back() - '0') / 5;
    claim.derived_trust = claim.trust * below(5) / 4;
    claim.votes = static_cast<uint32_t>(below(2) == 0 ? 0 : below(4));
    claim.vote_weight = claim.votes * static_cast<double>(below(11)) / 10;
    if (const int epoch = below(4); epoch > 0) {
      claim.epoch = "epoch " + std::to_string(epoch);
      claim.epoch_superseded = epoch == 1;
    }
    claims.push_back(claim);
  }
  std::shuffle(claims.begin(), claims.end(), random);
  return Claims(claims);
}

struct Asked {
  std::string lens;
  std::map<std::string, ParamValue> params = {};
  std::string predicate = "predicate";
};

// Every shipped lens, some in several ways.
std::vector<Asked> AllLenses(int round) {
  std::vector<Asked> asked = {{"recency", {{"max_age_s", round % 3 == 0 ? 60.0 : 0.0}}},
                              {"consensus"},
                              {"confidence"},
                              {"tier_authority"},
                              {"layered"},
                              {"skeptic"},
                              {"vote_consensus"},
                              {"authority", {{"derived", round % 2 == 0}}},
                              {"constraints", {}, "must_use:it"},
                              {"constraints"}};
  for (const char* rule : {"consensus", "recency", "confidence", "tier_authority"})
    asked.push_back({"epoch_aware", {{"rule", std::string(rule)}}});
  return asked;
}

std::string LuaOf(const ParamValue& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* text = std::get_if<std::string>(&value)) return "'" + *text + "'";
  std::string number;
  AppendJsonNumber(number, std::get<double>(value));
  return number;
}

// The question as a Lua table of stock.lua's cases.
void WriteCase(std::ostream& out, const Asked& asked, const Claims& claims) {
  out << "{ lens = '" << asked.lens << "', now = " << kNow << ", predicate = '" << asked.predicate
      << "', params = { ";
  for (const auto& [name, value] : asked.params) out << name << " = " << LuaOf(value) << ", ";
  out << "}, claims = {\n";
  for (const auto& row : claims.rows()) {
    std::string numbers;
    const std::pair<const char*, double> fields[] = {{"weight", row.weight},
                                                     {"effective_confidence", row.effective_confidence},
                                                     {"trust", row.trust},
                                                     {"derived_trust", row.derived_trust},
                                                     {"vote_weight", row.vote_weight}};
    for (const auto& [name, number] : fields) {
      numbers.append(name).append(" = ");
      AppendJsonNumber(numbers, number);
      numbers += ", ";
    }
    out << "  { value = '" << std::string(row.value_text, row.value_text_size) << "', id = '"
        << ToHex({row.id, 32}) << "', timestamp = " << row.timestamp_ms << ", tier = " << int{row.tier}
        << ", " << numbers << "votes = " << row.votes
        << ", epoch_superseded = " << (row.epoch_superseded != 0 ? "true" : "false")
        << ", value_index = " << row.value_index + 1 << ", voice_index = " << row.voice_index + 1 << " },\n";
  }
  out << "} },\n";
}

// Numbers outside of its strings as Short has them.
std::string WithShortNumbers(const std::string& json) {
  std::string text;
  bool in_string = false;
  for (size_t i = 0; i < json.size();) {
    const char c = json[i];
    if (!in_string && (c == '-' || std::isdigit(static_cast<unsigned char>(c)) != 0)) {
      size_t size = 0;
      text += Short(std::stod(json.substr(i), &size));
      i += size;
      continue;
    }
    if (c == '"') in_string = !in_string;
    text += c;
    ++i;
  }
  return text;
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

std::string Answer(LensRunner& runner, const Asked& asked, const Claims& claims) {
  const int script = runner.scripts().Find(asked.lens);
  const auto params = CheckParams(runner.scripts().scripts()[static_cast<size_t>(script)], asked.params);
  if (!params) return std::string(params.error().message());
  LensCall call = claims.Call(&*params);
  call.predicate = asked.predicate;
  const auto outcome = runner.Resolve(script, call);
  if (!outcome) return std::string(outcome.error().message());
  std::string line = asked.lens + " | " + Line(outcome->overall) + " | " + outcome->explain;
  for (const auto& layer : outcome->layers)
    line += " | tier " + std::to_string(layer.tier) + " " + Line(layer.judgement);
  if (!outcome->details_json.empty()) line += " | " + WithShortNumbers(outcome->details_json);
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
      out << "add((function() return {\n";  // a function of its own: Lua allows 65,536 constants in each
      for (const Asked& asked : AllLenses(i)) {
        WriteCase(out, asked, claims);
        ours.push_back(Answer(runner, asked, claims));
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
