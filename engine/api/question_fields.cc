// SPDX-License-Identifier: Apache-2.0
// One function for each field, in the order of the table.
#include "api/question_fields.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <utility>

#include "base/time.h"
#include "model/text_rules.h"
#include "script/weights.h"

namespace stemedb::api {
namespace {

constexpr uint64_t kSequenceMax = uint64_t{1} << 53;  // what every JSON reader can hold
constexpr size_t kParamsMax = 64;
constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr double kMultiplierMax = 1000;
constexpr double kHalfLifeDaysMax = 1e6;
constexpr std::pair<std::string_view, query::StatusFilter> kStatusFilters[] = {
    {"active", query::StatusFilter::kActive},
    {"superseded", query::StatusFilter::kSuperseded},
    {"retracted", query::StatusFilter::kRetracted},
    {"any", query::StatusFilter::kAny},
};
constexpr std::string_view kClassNames = "regulatory, clinical, observational, expert, community, anecdotal";

}  // namespace

std::optional<std::string_view> QuestionFields::Text(element value) {
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS) return text;
  Complain("must be a string");
  return std::nullopt;
}

std::optional<std::string> QuestionFields::Name(element value, size_t bytes_max) {
  const auto text = Text(value);
  if (!text) return std::nullopt;
  std::string fault = model::NameFault(*text, bytes_max);
  if (fault.empty()) return std::string(*text);
  Complain(std::move(fault));
  return std::nullopt;
}

void QuestionFields::ReadConceptPath(element value) { TakePath("subject", value); }
void QuestionFields::ReadSubject(element value) { TakePath("concept_path", value); }

void QuestionFields::TakePath(std::string_view other, element value) {
  const auto text = Text(value);
  if (!text) return;
  if (has_path_ && path_as_given_ != *text) {
    return Complain("differs from " + std::string(other) +
                    "; concept_path and subject are one field, give one of them");
  }
  has_path_ = true;
  path_as_given_ = *text;
  question_.subtree = *text == "*" || text->ends_with("/*");
  // What the asterisk stands for is some segment: with one in its place the path must be a good one.
  std::string example(*text);
  if (question_.subtree) example.back() = 'x';
  std::string fault = model::ConceptPathFault(example);
  if (!fault.empty()) return Complain(std::move(fault));
  question_.concept_path = *text;
  // Off goes the asterisk, and the slash before it unless that belongs to "scheme://".
  if (question_.subtree) question_.concept_path.pop_back();
  if (question_.subtree && !question_.concept_path.ends_with("://") && !question_.concept_path.empty()) {
    question_.concept_path.pop_back();
  }
}

void QuestionFields::ReadPredicate(element value) {
  if (auto name = Name(value, model::kPredicateBytesMax)) question_.predicate = std::move(*name);
}

void QuestionFields::ReadLens(element value) {
  if (auto name = Name(value, kNameBytesShownMax)) question_.lens = std::move(*name);
}

void QuestionFields::ReadFallback(element value) {
  if (auto name = Name(value, kNameBytesShownMax)) question_.fallback = std::move(*name);
}

void QuestionFields::ReadLenses(element value) {
  simdjson::dom::array array;
  if (value.get(array) != simdjson::SUCCESS || array.size() == 0 || array.size() > kLensesMax) {
    return Complain("must be a list of 1 to " + std::to_string(kLensesMax) + " lens names");
  }
  for (element item : array) {
    std::string_view text;
    if (item.get(text) != simdjson::SUCCESS || text.empty() || text.size() > kNameBytesShownMax) {
      return ComplainAt("/" + std::to_string(out_.lenses.size()), "must be a lens's name");
    }
    if (std::find(out_.lenses.begin(), out_.lenses.end(), text) != out_.lenses.end()) {
      return ComplainAt("/" + std::to_string(out_.lenses.size()), "stands twice in the list");
    }
    out_.lenses.emplace_back(text);
  }
}

void QuestionFields::ReadParams(element value) {
  simdjson::dom::object object;
  if (value.get(object) != simdjson::SUCCESS) return Complain("must be an object of the lens's parameters");
  for (const auto [key, item] : object) {
    if (question_.params.size() == kParamsMax) return Complain("holds more than 64 parameters");
    const std::string name(key);
    script::ParamValue param;
    std::string_view text;
    bool flag = false;
    double number = 0;
    if (item.get(text) == simdjson::SUCCESS)
      param = std::string(text);
    else if (item.get(flag) == simdjson::SUCCESS)
      param = flag;
    else if (item.get(number) == simdjson::SUCCESS)
      param = number;
    else {
      ComplainAt(PointerTo(key), "must be a string, a number or a boolean");
      continue;
    }
    if (!question_.params.emplace(name, std::move(param)).second)
      ComplainAt(PointerTo(key), "is given twice");
  }
}

std::optional<query::Moment> QuestionFields::MomentOf(element value) {
  query::Moment moment;
  std::string_view text;
  uint64_t sequence = 0;
  if (value.get(sequence) == simdjson::SUCCESS && sequence <= kSequenceMax) {
    moment.sequence = sequence;
    return moment;
  }
  if (value.get(text) == simdjson::SUCCESS) moment.time_ms = ParseTime(text);
  if (moment.time_ms) return moment;
  Complain("must be a sequence (a whole number from 0) or an RFC 3339 time such as 2026-02-11T10:00:00.000Z");
  return std::nullopt;
}

// As an answer has it: what was known then, weighed by the clock of then.
void QuestionFields::ReadAsOf(element value) {
  simdjson::dom::object object;
  if (value.get(object) != simdjson::SUCCESS) {
    question_.as_of = MomentOf(value);
    return;
  }
  element sequence, time;
  if (object.size() != 2 || object["sequence"].get(sequence) != simdjson::SUCCESS || !sequence.is_uint64() ||
      object["time"].get(time) != simdjson::SUCCESS || !time.is_string()) {
    return Complain("as an object it has a sequence and a time, as the as_of of an answer has");
  }
  const auto at = MomentOf(sequence), now = MomentOf(time);
  if (!at || !now) return;
  question_.as_of = query::Moment{.sequence = at->sequence, .time_ms = {}};
  question_.now_ms = now->time_ms;
}
void QuestionFields::ReadSince(element value) { question_.since = MomentOf(value); }

void QuestionFields::ReadValidAt(element value) {
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS) question_.valid_at_ms = ParseTime(text);
  if (!question_.valid_at_ms) Complain("must be an RFC 3339 time such as 2026-02-11T10:00:00.000Z");
}

void QuestionFields::ReadStatus(element value) {
  const auto text = Text(value);
  if (!text) return;
  const auto named = std::find_if(std::begin(kStatusFilters), std::end(kStatusFilters),
                                  [&](const auto& filter) { return filter.first == *text; });
  if (named == std::end(kStatusFilters)) return Complain("must be one of active, superseded, retracted, any");
  question_.status = named->second;
}

void QuestionFields::ReadLifecycle(element value) {
  const auto text = Text(value);
  if (!text) return;
  question_.lifecycle = model::LifecycleOf(*text);
  if (!question_.lifecycle) Complain("must be one of proposed, under_review, approved, deprecated, rejected");
}

void QuestionFields::ReadEpoch(element value) {
  if (auto name = Name(value, model::kEpochBytesMax)) question_.epoch = std::move(*name);
}

void QuestionFields::ReadSourceClass(element value) {
  const auto text = Text(value);
  if (!text) return;
  question_.source_class = model::SourceClassOf(*text);
  if (!question_.source_class) Complain("must be one of " + std::string(kClassNames));
}

void QuestionFields::ReadAgentId(element value) {
  const auto text = Text(value);
  if (!text) return;
  model::AgentId agent;
  if (!FromHex(*text, agent)) return Complain("must be an agent's public key: 64 lower-case hex digits");
  question_.agent_id = agent;
}

std::optional<double> QuestionFields::NumberIn(element value, double min, double max, std::string_view what) {
  double number = 0;
  const bool is_number = value.is_number() && value.get(number) == simdjson::SUCCESS;
  if (is_number && number >= min && number <= max) return number;
  Complain(std::string(what));
  return std::nullopt;
}

void QuestionFields::ReadMinConfidence(element value) {
  if (auto number = NumberIn(value, 0, 1, "must be a number from 0 to 1")) question_.min_confidence = *number;
}

void QuestionFields::ReadDecay(element value) {
  bool wanted = false;
  if (value.get(wanted) == simdjson::SUCCESS) {
    if (wanted) question_.decay = script::kHalfLifeDays;
    return;
  }
  Classes days = script::kHalfLifeDays;
  if (value.is_object()) {
    ReadClasses(value, days, kHalfLifeDaysMax, kNever);
  } else {
    const auto all =
        NumberIn(value, std::numeric_limits<double>::min(), kHalfLifeDaysMax,
                 "must be true, false, a half-life in days above 0, or an object of source classes to "
                 "half-lives in days, null for never");
    if (!all) return;
    days.fill(*all);
  }
  question_.decay = days;
}

void QuestionFields::ReadMultipliers(element value) {
  Classes factors = script::kClassMultipliers;
  simdjson::dom::array array;
  if (value.get(array) != simdjson::SUCCESS) {
    ReadClasses(value, factors, kMultiplierMax, std::nullopt);
  } else if (array.size() != factors.size()) {
    Complain("as a list it has six numbers, one for each tier from regulatory to anecdotal");
  } else {
    size_t tier = 0;
    for (element item : array) {
      double factor = 0;
      if (!item.is_number() || item.get(factor) != simdjson::SUCCESS || factor < 0 ||
          factor > kMultiplierMax) {
        ComplainAt("/" + std::to_string(tier), "must be a number from 0 to 1000");
      }
      factors[tier++] = factor;
    }
  }
  question_.class_multipliers = factors;
}

void QuestionFields::ReadClasses(element value, Classes& classes, double max,
                                 std::optional<double> null_means) {
  simdjson::dom::object object;
  if (value.get(object) != simdjson::SUCCESS) {
    return Complain("must be an object of source classes to numbers (" + std::string(kClassNames) + ")");
  }
  for (const auto [key, item] : object) {
    const auto source_class = model::SourceClassOf(key);
    if (!source_class) {
      ComplainAt(PointerTo(key), "unknown source class; allowed are " + std::string(kClassNames));
      continue;
    }
    double& place = classes[static_cast<size_t>(*source_class)];
    double number = 0;
    if (item.is_null() && null_means) {
      place = *null_means;
    } else if (item.is_number() && item.get(number) == simdjson::SUCCESS && number <= max &&
               (null_means ? number > 0 : number >= 0)) {
      place = number;
    } else {
      ComplainAt(PointerTo(key), null_means ? "must be a half-life in days above 0, or null for never"
                                            : "must be a number from 0 to 1000");
    }
  }
}

void QuestionFields::ReadInclude(element value) {
  simdjson::dom::array array;
  if (value.get(array) != simdjson::SUCCESS) return Complain("must be a list of: candidates, explain");
  size_t index = 0;
  for (element item : array) {
    std::string_view text;
    const bool is_text = item.get(text) == simdjson::SUCCESS;
    if (is_text && text == "candidates")
      question_.include_candidates = true;
    else if (is_text && text == "explain")
      question_.include_explain = true;
    else
      ComplainAt("/" + std::to_string(index), "unknown; allowed are candidates, explain");
    if (++index > 8) return Complain("must be a list of: candidates, explain");
  }
}

void QuestionFields::ReadLimit(element value) {
  uint64_t limit = 0;
  if (value.get(limit) == simdjson::SUCCESS && limit <= query::kLimitMax) {
    question_.limit = limit;
  } else {
    Complain("must be a whole number from 0 to " + std::to_string(query::kLimitMax));
  }
}

void QuestionFields::ReadCursor(element value) {
  const auto text = Text(value);
  if (!text) return;
  cursor_ = query::DecodeCursor(*text);
  if (!cursor_) Complain("is no cursor of this server, or was damaged; send next_cursor of the page before");
}

void QuestionFields::ReadMaxStale(element value) {
  constexpr double kSecondsMax = query::kMaxStaleMs / 1000;
  static_assert(query::kMaxStaleMs == 3'600'000, "the text says so");
  if (auto seconds = NumberIn(value, 0, kSecondsMax, "must be a number of seconds from 0 to 3600"))
    question_.max_stale_ms = std::llround(*seconds * 1000);
}

}  // namespace stemedb::api
