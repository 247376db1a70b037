// SPDX-License-Identifier: Apache-2.0
// Outcome: what a lens said, in C++ terms, checked: every index is in range, every number finite, every list
// bounded. The query room turns it into a resolution for clients.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stemedb::script {

// Unanimous: all candidates have one value, whatever the lens weighed. Agreed: the leading share is at least
// 0.8. None: nothing to judge.
enum class Agreement : uint8_t { kNone, kUnanimous, kAgreed, kContested };

struct ValueWeight {
  uint32_t value_index = 0;  // Candidate::value_index
  double weight = 0;
  double share = 0;  // weight / all weight of the same list; 0 when there is no weight
};

// One judgement; `layered` has one for each populated tier.
struct Judgement {
  std::optional<uint32_t> winner;  // index into the candidates; a lens may pick none
  double confidence = 0;           // 0..1
  double conflict_score = 0;       // 0..1, Shannon entropy of the shares / log(values with weight)
  Agreement agreement = Agreement::kNone;
  uint32_t candidates_count = 0;
  std::vector<ValueWeight> values;  // heaviest first; equal weights by smaller id of their first claim
};

struct Layer {
  uint8_t tier = 0;
  Judgement judgement;
};

struct Outcome {
  Judgement overall;
  std::vector<Layer> layers;  // empty unless the lens gives layers
  std::string explain;        // one sentence, valid UTF-8, at most 1 KiB
  std::string
      details_json;  // a JSON object of what else the lens wants to say, at most 16 KiB; empty when nothing
};

}  // namespace stemedb::script
