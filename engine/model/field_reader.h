// SPDX-License-Identifier: Apache-2.0
// What the readers of claims and of operations share: faults, each with a pointer into the client's document,
// and the plain kinds of field. Internal to the room.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "model/claim_parser.h"
#include "model/json_scan.h"

namespace stemedb::model {

// Of a name that we don't know, no more than this is said back.
inline constexpr size_t kNameShownMax = 128;

// So many faults of one object are said; a hostile body must not make a long answer.
inline constexpr size_t kErrorsMax = 16;

inline constexpr std::string_view kSourceClassHint =
    "must be one of regulatory, clinical, observational, expert, community, anecdotal";

// How text is refused in which there is nothing to read.
Status NotJson(std::string_view json, const JsonProblem& problem);
// Likewise, or when the text at `pointer` is JSON but holds what can't be kept; that is put into `errors`.
Status Unreadable(std::string_view json, std::string_view pointer, const JsonProblem& problem,
                  std::vector<FieldError>& errors);

// Used for one object and thrown away.
class FieldReader {
 public:
  using Element = simdjson::dom::element;
  using Name = std::string_view;  // a pointer below the object, without the first '/'

  // `pointer` names the object in the client's document: "" or "/3".
  explicit FieldReader(std::string pointer) : pointer_(std::move(pointer)) {}

  // Each complains and gives nothing when the element isn't that.
  std::optional<std::string_view> TextOf(Name name, Element element);
  // Text that is a name of at most bytes_max bytes.
  std::optional<std::string_view> NameIn(Name name, Element element, size_t bytes_max);
  std::optional<std::string_view> PathIn(Name name, Element element);
  std::optional<Hash256> IdIn(Name name, Element element);
  std::optional<double> FractionIn(Name name, Element element);  // 0..1
  // Any form of a time; CheckSignedTimes refuses the loose ones. `name` must outlive the reader.
  std::optional<int64_t> TimeIn(Name name, Element element);

  void Complain(Name name, std::string detail);
  void Complain(Name name, Code code, std::string_view reason, std::string detail);
  bool has_faults() const { return code_ != Code::kOk; }
  // Whether there are so many that no further one is said.
  bool has_all_faults() const { return errors_.size() >= kErrorsMax; }

 protected:
  // Whether the member is to be read: it stands there for the first time and isn't null. `number` is the
  // field's place in the reader's table, below 32.
  bool Takes(size_t number, Name key, Element element) {
    const uint32_t bit = 1U << number;
    const bool is_first = (seen_ & bit) == 0;
    seen_ |= bit;
    if (is_first && !element.is_null()) return true;
    Complain(key,
             is_first ? "must not be null; leave an absent field out" : "the key stands twice in its object");
    return false;
  }
  bool seen(size_t number) const { return (seen_ >> number & 1) != 0; }
  // `added` are the fields that the server adds, `allowed` the list of those that a client may give.
  void RefuseUnknown(Name key, std::span<const std::string_view> added, std::string_view allowed);
  // Of what is signed: `noun` is what messages call it.
  void CheckSignedTimes(std::string_view noun, bool has_timestamp);

  // All that was complained of.
  Status Verdict() const;
  std::vector<FieldError> TakeErrors() { return std::move(errors_); }

 private:
  std::string pointer_;
  std::vector<FieldError> errors_;
  uint32_t seen_ = 0;      // bit i: the i-th field was there
  Name loose_time_;        // the first time that was not in the canonical form; empty when all were
  Code code_ = Code::kOk;  // the gravest fault so far
  std::string_view reason_;
};

}  // namespace stemedb::model
