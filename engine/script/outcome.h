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

// Who said a part of a judgement: the lens, or the default rules of docs/lua-api.md.
enum class Origin : uint8_t { kDefault, kLens };
struct Origins {
  Origin weights = Origin::kDefault;
  Origin confidence = Origin::kDefault;
  Origin conflict_score = Origin::kDefault;
  Origin status = Origin::kDefault;
};

// One judgement; `layered` has one for each populated tier.
struct Judgement {
  std::optional<uint32_t> winner;  // index into the candidates; a lens may pick none
  double confidence = 0;           // 0..1
  double conflict_score = 0;       // 0..1, Shannon entropy of the shares / log(values with weight)
  Agreement agreement = Agreement::kNone;
  uint32_t candidates_count = 0;
  std::vector<ValueWeight> values;  // heaviest first; equal weights by smaller id of their first claim
  Origins origins;
};

struct Layer {
  uint8_t tier = 0;
  Judgement judgement;
};

// What the lens made of one claim.
struct Note {
  uint32_t candidate = 0;  // index into the candidates
  std::string text;        // valid UTF-8, at most kNoteBytesMax
};
inline constexpr size_t kNoteBytesMax = 200;
// Notes are taken for so many candidates, the newest: as many as are shown.
inline constexpr uint32_t kNotedCandidatesMax = 10'000;

struct Outcome {
  Judgement overall;
  std::vector<Layer> layers;  // empty unless the lens gives layers
  std::string explain;        // one sentence, valid UTF-8, at most 1 KiB
  std::vector<Note> notes;    // ascending; empty unless the call wanted them
  bool declined = false;      // the lens gave nil and a reason
  bool read_now = false;      // it looked at the clock: it may say something else at another time
  std::string
      details_json;  // a JSON object of what else the lens wants to say, at most 16 KiB; empty when nothing
};

}  // namespace stemedb::script
