// SPDX-License-Identifier: Apache-2.0
// QuestionFields: turns one parsed JSON object into a question, field by field, and gathers every fault, up
// to a bound, so that a client can mend its question in one go. Internal to the room: the public door is
// question_reader.h.
#pragma once

#include <simdjson.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "api/question_reader.h"
#include "query/cursor.h"

namespace stemedb::api {

inline constexpr size_t kNameBytesShownMax = 128;  // of a client's name that an answer repeats

// "/" and the name as RFC 6901 writes it, cut to what an answer repeats.
std::string PointerTo(std::string_view name);

// Used for one question and thrown away.
class QuestionFields {
  using element = simdjson::dom::element;

 public:
  explicit QuestionFields(const QuestionForm& form) : form_(form) {}

  ReadQuestion Read(element root);

 private:
  using Classes = std::array<double, model::kSourceClassCount>;
  struct Field {
    std::string_view name;
    void (QuestionFields::*read)(element);
  };
  static const Field kFields[];

  bool IsAllowed(std::string_view name) const;
  void RefuseUnknown();
  void CheckLens();
  void CheckCursor();
  void ApplyCursor();

  void ReadConceptPath(element value);
  void ReadSubject(element value);
  void TakePath(std::string_view field, element value);
  void ReadPredicate(element value);
  void ReadLens(element value);
  void ReadFallback(element value);
  void ReadLenses(element value);
  void ReadParams(element value);
  void ReadAsOf(element value);
  void ReadSince(element value);
  void ReadValidAt(element value);
  void ReadStatus(element value);
  void ReadLifecycle(element value);
  void ReadEpoch(element value);
  void ReadSourceClass(element value);
  void ReadAgentId(element value);
  void ReadMinConfidence(element value);
  void ReadDecay(element value);
  void ReadMultipliers(element value);
  void ReadInclude(element value);
  void ReadLimit(element value);
  void ReadCursor(element value);
  void ReadMaxStale(element value);

  std::optional<std::string_view> Text(element value);
  std::optional<std::string> Name(element value, size_t bytes_max);
  std::optional<query::Moment> MomentOf(element value);
  // A number above or equal to `min` and at most `max`.
  std::optional<double> NumberIn(element value, double min, double max, std::string_view what);
  // {"clinical": 0.5, …} over the defaults; null is `null_means` where that is given.
  void ReadClasses(element value, Classes& classes, double max, std::optional<double> null_means);
  void Complain(std::string detail) { ComplainAt("", std::move(detail)); }
  void ComplainAt(std::string_view below, std::string detail);

  const QuestionForm& form_;
  ReadQuestion out_;
  query::Question& question_ = out_.question;
  std::string at_;  // pointer of the field being read
  bool has_path_ = false;
  std::string path_as_given_;
  std::optional<query::Cursor> cursor_;
};

}  // namespace stemedb::api
