// SPDX-License-Identifier: Apache-2.0
// Claims for tests: writes down candidates as short rows, then brings them into the order and numbering that
// the query room promises (newest first, equal times by smaller id; values and voices by first appearance).
#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "script/lens.h"
#include "script/weights.h"

namespace stemedb::script::testing {

inline constexpr int64_t kDay = 86400000;
inline constexpr int64_t kNow = 1767225600000;  // 2026-01-01T00:00:00Z

struct Claim {
  std::string value;
  double confidence = 0.8;
  int tier = 5;
  int64_t age_ms = 0;
  std::string agent;  // empty: anonymous
  std::string source = "s";
  uint8_t id = 0;  // 0: numbered by position
  double trust = 0.5;
  double derived_trust = 0.5;
  uint32_t votes = 0;
  double vote_weight = 0;
  std::string epoch;  // empty: none
  bool epoch_superseded = false;
};

class Claims {
 public:
  explicit Claims(const std::vector<Claim>& claims) {
    for (size_t i = 0; i < claims.size(); ++i) Add(claims[i], i);
    std::sort(rows_.begin(), rows_.end(), [](const Candidate& a, const Candidate& b) {
      if (a.timestamp_ms != b.timestamp_ms) return a.timestamp_ms > b.timestamp_ms;
      return std::memcmp(a.id, b.id, 32) < 0;
    });
    std::map<std::string, uint32_t> values, voices;
    for (auto& row : rows_) {
      const std::string value(row.value_text, row.value_text_size);
      std::string voice(row.source_id, row.source_id_size);
      if (row.anonymous == 0) voice.assign(reinterpret_cast<const char*>(row.agent_id), 32);
      row.value_index = values.emplace(value, values.size()).first->second;
      row.voice_index = voices.emplace(voice, voices.size()).first->second;
    }
    values_ = static_cast<uint32_t>(values.size());
    voices_ = static_cast<uint32_t>(voices.size());
  }

  LensCall Call(const Params* params = nullptr) const { return {rows_, values_, voices_, kNow, params}; }
  const std::vector<Candidate>& rows() const { return rows_; }
  std::string ValueOf(uint32_t row) const { return {rows_[row].value_text, rows_[row].value_text_size}; }

 private:
  const char* Keep(std::string text) { return kept_.emplace_back(std::move(text)).data(); }
  const uint8_t* KeepId(std::string seed) {
    seed.resize(32, '\0');
    return reinterpret_cast<const uint8_t*>(Keep(std::move(seed)));
  }

  void Add(const Claim& claim, size_t position) {
    Candidate row{};
    row.confidence = row.effective_confidence = claim.confidence;
    row.weight = claim.confidence * kClassMultipliers[static_cast<size_t>(claim.tier)];
    row.trust = claim.trust;
    row.derived_trust = claim.derived_trust;
    row.votes = claim.votes;
    row.vote_weight = claim.vote_weight;
    row.timestamp_ms = kNow - claim.age_ms;
    row.valid_from_ms = INT64_MIN;
    row.valid_to_ms = INT64_MAX;
    row.sequence = position + 1;
    row.value_text = Keep(claim.value);
    row.value_text_size = static_cast<uint32_t>(claim.value.size());
    row.source_id = Keep(claim.source);
    row.source_id_size = static_cast<uint32_t>(claim.source.size());
    row.epoch = Keep(claim.epoch);
    row.epoch_size = static_cast<uint32_t>(claim.epoch.size());
    row.epoch_superseded = claim.epoch_superseded ? 1 : 0;
    std::string id(1, static_cast<char>(claim.id != 0 ? claim.id : (position + 1) / 256));
    if (claim.id == 0) id += static_cast<char>((position + 1) % 256);
    row.id = KeepId(id);
    row.agent_id = KeepId(claim.agent);
    row.tier = static_cast<uint8_t>(claim.tier);
    row.anonymous = claim.agent.empty() ? 1 : 0;
    rows_.push_back(row);
  }

  std::deque<std::string> kept_;
  std::vector<Candidate> rows_;
  uint32_t values_ = 0;
  uint32_t voices_ = 0;
};

// The shipped lenses.
inline std::shared_ptr<const ScriptSet> Shipped() {
  auto set = ScriptSet::Load(STEMEDB_SOURCE_DIR "/lenses", 1);
  if (!set) throw std::runtime_error(std::string(set.error().message()));
  return *set;
}

// One script with this body of resolve(ctx, candidates), `head` before the table.
inline ScriptFile Lens(const std::string& body, const std::string& head = "") {
  return {"probe.lua",
          head +
              " return { kind = 'lens', api = 1, name = 'probe', version = '1', description = 'probe', "
              "resolve = function(ctx, candidates) " +
              body + " end }"};
}

}  // namespace stemedb::script::testing
