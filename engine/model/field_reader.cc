// SPDX-License-Identifier: Apache-2.0
// Everything is checked in the order in which the client wrote it, so that the first error in the answer is
// the first one in the document.
#include "model/field_reader.h"

#include <algorithm>

#include "base/time.h"
#include "model/json_form.h"
#include "model/text_rules.h"

namespace stemedb::model {
namespace {

using simdjson::dom::element_type;

}  // namespace

Status NotJson(std::string_view json, const JsonProblem& problem) {
  return Status(Code::kInvalidArgument, "invalid_json",
                json.empty() ? "the body is empty; JSON is expected"
                             : "not JSON: byte " + std::to_string(problem.offset) + ": " + problem.detail);
}

Status Unreadable(std::string_view json, std::string_view pointer, const JsonProblem& problem,
                  std::vector<FieldError>& errors) {
  if (!problem.readable) return NotJson(json, problem);
  const std::string at = std::string(pointer) + problem.pointer;
  errors.push_back({at, problem.detail});
  return Status(Code::kInvalidArgument, "invalid_request", at + " " + problem.detail);
}

void FieldReader::RefuseUnknown(Name key, std::span<const std::string_view> added, std::string_view allowed) {
  if (std::find(added.begin(), added.end(), key) != added.end()) {
    return Complain(key, "is added by the server; leave it out");
  }
  std::string pointer;
  if (key.size() <= kNameShownMax) AppendPointer(pointer, key);
  Complain(pointer.empty() ? "" : pointer.substr(1), "unknown field; allowed are " + std::string(allowed));
}

void FieldReader::CheckSignedTimes(std::string_view noun, bool has_timestamp) {
  const auto wanted = [noun](std::string_view what) {
    return "a signed " + std::string(noun) + " must give its " + std::string(what) +
           " in the canonical form YYYY-MM-DDTHH:MM:SS.mmmZ (UTC, three decimals), as it was signed";
  };
  if (!loose_time_.empty()) return Complain(loose_time_, wanted("times"));
  if (!has_timestamp) Complain("timestamp", wanted("timestamp"));
}

std::optional<std::string_view> FieldReader::TextOf(Name name, Element element) {
  std::string_view text;
  if (element.get(text) == simdjson::SUCCESS) return text;
  Complain(name, "must be a string");
  return {};
}

std::optional<std::string_view> FieldReader::NameIn(Name name, Element element, size_t bytes_max) {
  const auto text = TextOf(name, element);
  if (!text) return {};
  std::string fault = NameFault(*text, bytes_max);
  if (fault.empty()) return text;
  Complain(name, std::move(fault));
  return {};
}

std::optional<std::string_view> FieldReader::PathIn(Name name, Element element) {
  const auto text = TextOf(name, element);
  if (!text) return {};
  std::string fault = ConceptPathFault(*text);
  if (fault.empty()) return text;
  Complain(name, std::move(fault));
  return {};
}

std::optional<Hash256> FieldReader::IdIn(Name name, Element element) {
  Hash256 id;
  std::string_view text;
  if (element.get(text) == simdjson::SUCCESS && FromHex(text, id)) return id;
  Complain(name, "must be an assertion id: 64 lower-case hex digits");
  return {};
}

std::optional<double> FieldReader::FractionIn(Name name, Element element) {
  double number = 0;
  if (element.is_number() && ReadNumber(element, number) && number >= 0 && number <= 1) return number;
  Complain(name, "must be a number from 0 to 1");
  return {};
}

std::optional<int64_t> FieldReader::TimeIn(Name name, Element element) {
  std::optional<int64_t> time_ms;
  bool is_canonical = false;
  if (element.type() == element_type::STRING) {
    const std::string_view text = element.get_string().value_unsafe();
    time_ms = ParseTime(text);
    is_canonical = time_ms && IsCanonicalTime(text);
  } else if (element.type() == element_type::INT64) {
    const int64_t seconds = element.get_int64().value_unsafe();
    if (seconds >= kTimeMin / 1000 && seconds <= kTimeMax / 1000) time_ms = seconds * 1000;
  }
  if (!time_ms) {
    Complain(name,
             "must be an RFC 3339 time such as 2026-02-11T10:00:00.000Z, or whole Unix seconds, in the years "
             "0000 to 9999");
  } else if (!is_canonical && loose_time_.empty()) {
    loose_time_ = name;
  }
  return time_ms;
}

void FieldReader::Complain(Name name, std::string detail) {
  Complain(name, Code::kInvalidArgument, "invalid_request", std::move(detail));
}

// What is malformed is answered so; only when all else is well do size and signature decide.
void FieldReader::Complain(Name name, Code code, std::string_view reason, std::string detail) {
  const auto gravity = [](Code c) {
    return c == Code::kInvalidArgument ? 3 : c == Code::kTooLarge ? 2 : c == Code::kOk ? 0 : 1;
  };
  if (gravity(code) > gravity(code_)) {
    code_ = code;
    reason_ = reason;
  }
  if (has_all_faults()) return;
  std::string pointer = pointer_;
  if (!name.empty()) pointer.append("/").append(name);
  errors_.push_back({std::move(pointer), std::move(detail)});
}

Status FieldReader::Verdict() const {
  if (code_ == Code::kOk) return Status::Ok();
  const FieldError& first = errors_.front();
  std::string message = first.pointer.empty() ? first.detail : first.pointer + " " + first.detail;
  if (errors_.size() > 1) message += " (and " + std::to_string(errors_.size() - 1) + " more; see errors)";
  return Status(code_, reason_, std::move(message));
}

}  // namespace stemedb::model
