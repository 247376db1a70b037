// SPDX-License-Identifier: Apache-2.0
// Reading the cases of a lens.
#include "script/spec_case.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <lua.hpp>
#include <utility>

#include "base/bytes.h"
#include "base/time.h"
#include "script/call_frame.h"
#include "script/details.h"
#include "script/spec_fields.h"
#include "script/spec_size.h"
#include "script/utf8.h"
#include "script/weights.h"

namespace stemedb::script {
namespace {

constexpr int kClaimsMax = kSpecClaimsMax;

// What a claim of a question can have: confidence times a class multiplier, which a question may set to 1,000
// (api room); texts of so many bytes (model room); a moment that can be written.
constexpr double kWeightMax = 1000;
constexpr size_t kSourceBytesMax = 512;
constexpr size_t kConceptPathBytesMax = 512;
constexpr size_t kPredicateBytesMax = 128;
constexpr size_t kEpochBytesMax = 128;
constexpr double kVotesMax = UINT32_MAX;  // Candidate::votes
constexpr std::array<std::string_view, 5> kLifecycles = {"proposed", "under_review", "approved", "deprecated",
                                                         "rejected"};
constexpr double kAgeMin = static_cast<double>(kSpecNow - kTimeMax) / 1000;
constexpr double kAgeMax = static_cast<double>(kSpecNow - kTimeMin) / 1000;

void Name(std::array<uint8_t, 32>& id, std::string_view text) {
  std::memcpy(id.data(), text.data(), std::min(text.size(), id.size()));
}

// Of the claim's value: what ClaimParser (model room) takes.
std::string ValueFault(const ParamValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return "";
  if (text->size() > kTextMax)
    return "value must be a text of at most " + std::to_string(kTextMax) + " bytes, got " +
           std::to_string(text->size());
  return CleanUtf8(*text, SIZE_MAX) == *text ? "" : "value must be UTF-8, as a claim's texts are";
}

FieldReader LifecycleName(uint8_t& lifecycle) {
  return [&lifecycle](lua_State* lua) -> std::string {
    const std::string_view name = lua_type(lua, -1) == LUA_TSTRING ? TopText(lua) : std::string_view();
    const auto found = std::find(kLifecycles.begin(), kLifecycles.end(), name);
    if (found == kLifecycles.end())
      return "must be one of proposed, under_review, approved, deprecated, rejected";
    lifecycle = static_cast<uint8_t>(found - kLifecycles.begin());
    return "";
  };
}

// What is wrong with a field that another one bounds.
std::string NotAbove(const std::string& field, const std::string& bound, double max,
                     const std::optional<double>& got) {
  if (!got || *got <= max) return "";
  return field + " must be a number from 0 to the " + bound + ", " + NumberText(max) + ", got " +
         NumberText(*got);
}

std::string ReadGiven(lua_State* lua, std::vector<GivenClaim>& given) {
  GivenClaim claim;
  bool has_value = false;
  std::optional<double> effective, weight, derived_trust, vote_weight;
  std::string id;
  const Fields fields = {
      {"value", Scalar([&](ParamValue v) { claim.value = std::move(v), has_value = true; })},
      {"confidence", NumberWithin(0, 1, [&](double v) { claim.confidence = v; })},
      {"effective_confidence", NumberWithin(0, 1, [&](double v) { effective = v; })},
      {"weight", NumberWithin(0, kWeightMax, [&](double v) { weight = v; })},
      {"tier", Whole(0, 5, [&](double v) { claim.tier = static_cast<int>(v); })},
      {"age_s", NumberWithin(kAgeMin, kAgeMax, [&](double v) { claim.age_s = v; })},
      {"trust", NumberWithin(0, 1, [&](double v) { claim.trust = v; })},
      {"derived_trust", NumberWithin(0, 1, [&](double v) { derived_trust = v; })},
      {"votes", Whole(0, kVotesMax, [&](double v) { claim.votes = static_cast<uint32_t>(v); })},
      {"vote_weight", NumberWithin(0, kVotesMax, [&](double v) { vote_weight = v; })},
      {"lifecycle", LifecycleName(claim.lifecycle)},
      {"epoch", ClaimText(1, kEpochBytesMax, [&](std::string v) { claim.epoch = std::move(v); })},
      {"epoch_superseded", Flag([&](bool v) { claim.epoch_superseded = v; })},
      {"agent", ClaimText(1, sizeof(Hash256), [&](std::string v) { claim.agent = std::move(v); })},
      {"source", ClaimText(1, kSourceBytesMax, [&](std::string v) { claim.source = std::move(v); })},
      {"id", ClaimText(1, sizeof(Hash256), [&](std::string v) { id = std::move(v); })},
  };
  if (std::string error = ReadFields(lua, fields); !error.empty()) return error;
  if (!has_value) return "value is missing";
  if (std::string fault = ValueFault(claim.value); !fault.empty()) return fault;
  for (const std::string& fault :
       {NotAbove("effective_confidence", "confidence", claim.confidence, effective),
        NotAbove("derived_trust", "trust", claim.trust, derived_trust),
        NotAbove("vote_weight", "votes", claim.votes, vote_weight)}) {
    if (!fault.empty()) return fault;
  }
  if (claim.epoch_superseded && claim.epoch.empty())
    return "epoch_superseded must not be true without an epoch";
  claim.effective_confidence = effective.value_or(claim.confidence);
  claim.derived_trust = derived_trust.value_or(claim.trust);
  claim.vote_weight = vote_weight.value_or(claim.votes);
  claim.weight =
      weight.value_or(claim.effective_confidence * kClassMultipliers[static_cast<size_t>(claim.tier)]);
  const auto number = given.size() + 1;
  claim.id[0] = static_cast<uint8_t>(number >> 8);  // ids ascend with the list unless the case gives one
  claim.id[1] = static_cast<uint8_t>(number);
  if (!id.empty()) claim.id.fill(0), Name(claim.id, id);
  Name(claim.agent_id, claim.agent);
  given.push_back(std::move(claim));
  return "";
}

// No two claims have one id.
std::string TwiceGiven(const std::vector<GivenClaim>& given) {
  std::map<std::array<uint8_t, 32>, size_t> numbers;
  for (size_t i = 0; i < given.size(); ++i) {
    const auto [first, is_new] = numbers.emplace(given[i].id, i + 1);
    if (is_new) continue;
    return "given[" + std::to_string(i + 1) + "].id must be another than that of given[" +
           std::to_string(first->second) + "]: no two claims have one id";
  }
  return "";
}

FieldReader Winner(ExpectedJudgement& expected) {
  return [&expected](lua_State* lua) -> std::string {
    if (lua_type(lua, -1) == LUA_TBOOLEAN && lua_toboolean(lua, -1) == 0) {
      expected.winner = 0;
      return "";
    }
    const std::string error =
        Whole(1, kClaimsMax, [&](double v) { expected.winner = static_cast<int>(v); })(lua);
    return error.empty() ? error : "must be the number of a given claim, or false for none";
  };
}

FieldReader Shares(ExpectedJudgement& expected) {
  return [&expected](lua_State* lua) -> std::string {
    expected.shares.emplace();
    return List([&expected](lua_State* state) -> std::string {
      std::pair<ParamValue, double> share;
      if (lua_type(state, -1) != LUA_TTABLE) return "must be { value, share }";
      const int table = lua_gettop(state);
      lua_rawgeti(state, table, 1);
      std::string error = Scalar([&](ParamValue v) { share.first = std::move(v); })(state);
      lua_rawgeti(state, table, 2);
      if (error.empty()) error = Number([&](double v) { share.second = v; })(state);
      lua_settop(state, table);
      expected.shares->push_back(std::move(share));
      return error;
    })(lua);
  };
}

Fields JudgementFields(ExpectedJudgement& expected) {
  return {
      {"winner", Winner(expected)},
      {"value", Scalar([&](ParamValue v) { expected.value = std::move(v); })},
      {"confidence", Number([&](double v) { expected.confidence = v; })},
      {"conflict_score", Number([&](double v) { expected.conflict_score = v; })},
      {"status", Text([&](std::string v) { expected.status = std::move(v); })},
      {"candidates_count",
       Whole(0, kClaimsMax, [&](double v) { expected.candidates_count = static_cast<int>(v); })},
      {"shares", Shares(expected)},
  };
}

std::string ReadLayer(lua_State* lua, SpecCase& spec) {
  ExpectedJudgement expected;
  Fields fields = JudgementFields(expected);
  fields["tier"] = Whole(0, 5, [&](double v) { expected.tier = static_cast<int>(v); });
  std::string error = ReadFields(lua, fields);
  if (error.empty() && expected.tier < 0) error = "tier is missing";
  spec.layers->push_back(std::move(expected));
  return error;
}

std::string ReadNotes(lua_State* lua, SpecCase& spec) {
  if (lua_type(lua, -1) != LUA_TTABLE) return "must be a table";
  const int table = lua_gettop(lua);
  std::string error;
  lua_pushnil(lua);
  while (error.empty() && lua_next(lua, table) != 0) {
    const bool has_text = lua_type(lua, -1) == LUA_TSTRING;
    const bool is_false = lua_type(lua, -1) == LUA_TBOOLEAN && lua_toboolean(lua, -1) == 0;
    const double number = lua_type(lua, -2) == LUA_TNUMBER ? lua_tonumber(lua, -2) : 0;
    if (number >= 1 && number <= kClaimsMax && number == std::floor(number) && (has_text || is_false)) {
      spec.notes[static_cast<int>(number)] = has_text ? TopText(lua) : std::string_view();
    } else {
      error = "must give, by the number of a given claim, a part of its note, or false for none";
    }
    lua_pop(lua, 1);
  }
  lua_settop(lua, table);
  return error.empty() && spec.notes.empty() ? "is empty, which holds of every answer" : error;
}

// `spec` outlives them.
Fields ExpectedFields(SpecCase& spec) {
  Fields fields = JudgementFields(spec.expected);
  fields["explain"] = Part([&](std::string v) { spec.explain = std::move(v); });
  fields["notes"] = [&](lua_State* state) { return ReadNotes(state, spec); };
  fields["details"] = Text([&](std::string v) { spec.details = std::move(v); });
  fields["fails"] = Part([&](std::string v) { spec.fails = std::move(v); });
  fields["layers"] = [&](lua_State* state) {
    spec.layers.emplace();
    return List([&](lua_State* entry) { return ReadLayer(entry, spec); })(state);
  };
  return fields;
}

// The case on top of the stack.
void Read(lua_State* lua, size_t number, SpecCase& spec) {
  const Fields expected = ExpectedFields(spec);
  ReadCase(
      lua, number,
      {{"given", List([&](lua_State* entry) { return ReadGiven(entry, spec.given); })},
       {"concept_path",
        ClaimText(1, kConceptPathBytesMax, [&](std::string v) { spec.concept_path = std::move(v); })},
       {"predicate", ClaimText(1, kPredicateBytesMax, [&](std::string v) { spec.predicate = std::move(v); })},
       {"expect", [&](lua_State* state) { return ReadExpectation(state, expected); }}},
      {{"given", "a list of claims"}, {"expect", "a table with one or more of " + Names(expected)}}, spec);
  if (spec.error.empty()) spec.error = TwiceGiven(spec.given);
  // Of a claim that isn't there no lens has a note.
  const size_t noted = spec.notes.empty() ? 0 : static_cast<size_t>(spec.notes.rbegin()->first);
  if (spec.error.empty() && noted > spec.given.size()) {
    spec.error = "expect.notes[" + std::to_string(noted) + "] is about no given claim: there are " +
                 std::to_string(spec.given.size());
  }
}

// Values by their canonical form; the prefix keeps the text "1" apart from the number 1.
std::string ValueKey(const ParamValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return "t" + *text;
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "b1" : "b0";
  const double number = std::get<double>(value) + 0.0;  // -0 is 0
  std::string key("n");
  return key.append(reinterpret_cast<const char*>(&number), sizeof number);
}

Candidate Row(const GivenClaim& claim) {
  Candidate row{};
  row.confidence = claim.confidence;
  row.effective_confidence = claim.effective_confidence;
  row.weight = claim.weight;
  row.trust = claim.trust;
  row.derived_trust = claim.derived_trust;
  row.votes = claim.votes;
  row.vote_weight = claim.vote_weight;
  row.timestamp_ms = kSpecNow - std::llround(claim.age_s * 1000);
  row.valid_from_ms = INT64_MIN;
  row.valid_to_ms = INT64_MAX;
  if (const auto* text = std::get_if<std::string>(&claim.value)) {
    row.value_text = text->data();
    row.value_text_size = static_cast<uint32_t>(text->size());
  } else if (const auto* flag = std::get_if<bool>(&claim.value)) {
    row.value_kind = 2;
    row.number = *flag ? 1 : 0;
  } else {
    row.value_kind = 1;
    row.number = std::get<double>(claim.value);
  }
  row.source_id = claim.source.data();
  row.source_id_size = static_cast<uint32_t>(claim.source.size());
  row.epoch = claim.epoch.data();
  row.epoch_size = static_cast<uint32_t>(claim.epoch.size());
  row.epoch_superseded = claim.epoch_superseded ? 1 : 0;
  row.lifecycle = claim.lifecycle;
  row.id = claim.id.data();
  row.agent_id = claim.agent_id.data();
  row.tier = static_cast<uint8_t>(claim.tier);
  row.anonymous = claim.agent.empty() ? 1 : 0;
  return row;
}

}  // namespace

std::vector<SpecCase> ReadCases(lua_State* lua, int index) {
  std::vector<SpecCase> cases;
  ForEachCase(lua, index, [&](size_t number) { Read(lua, number, cases.emplace_back()); });
  return cases;
}

PreparedClaims Prepare(const std::vector<GivenClaim>& given) {
  PreparedClaims prepared;
  for (size_t i = 0; i < given.size(); ++i) prepared.numbers.push_back(static_cast<int>(i) + 1);
  const auto claim = [&](int number) -> const GivenClaim& { return given[static_cast<size_t>(number) - 1]; };
  std::sort(prepared.numbers.begin(), prepared.numbers.end(), [&](int a, int b) {
    if (claim(a).age_s != claim(b).age_s) return claim(a).age_s < claim(b).age_s;
    return claim(a).id < claim(b).id;
  });
  std::map<std::string, uint32_t> values, voices;
  for (int number : prepared.numbers) {
    const GivenClaim& from = claim(number);
    Candidate row = Row(from);
    const std::string voice = from.agent.empty() ? "s" + from.source : "a" + from.agent;
    row.value_index = values.emplace(ValueKey(from.value), values.size()).first->second;
    row.voice_index = voices.emplace(voice, voices.size()).first->second;
    row.sequence = static_cast<uint64_t>(number);
    prepared.rows.push_back(row);
  }
  prepared.values_count = static_cast<uint32_t>(values.size());
  prepared.voices_count = static_cast<uint32_t>(voices.size());
  return prepared;
}

}  // namespace stemedb::script
