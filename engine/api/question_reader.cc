// SPDX-License-Identifier: Apache-2.0
// The table of fields, the walk over a question's members, and the two spellings of a question.
#include "api/question_reader.h"

#include <algorithm>
#include <set>

#include "api/query_string.h"
#include "api/question_fields.h"
#include "http/message.h"
#include "query/question_key.h"

namespace stemedb::api {
namespace {

using simdjson::dom::element;

constexpr size_t kErrorsMax = 16;
constexpr int64_t kNotOverMsMax = 60'000;  // a moment is over as soon as what came in till then is on disk

ReadQuestion Unreadable(simdjson::error_code error, bool is_empty) {
  ReadQuestion out;
  out.status = Status(Code::kInvalidArgument, "invalid_json",
                      is_empty ? "the body is empty; a JSON object with the question is expected"
                               : std::string("the body is not JSON: ") + simdjson::error_message(error));
  return out;
}

// "/params/k" is "params.k" in a query string.
std::string ParameterName(std::string_view pointer) {
  std::string name(pointer.empty() ? pointer : pointer.substr(1));
  std::replace(name.begin(), name.end(), '/', '.');
  return name;
}

}  // namespace

std::string PointerTo(std::string_view name) {
  std::string part = "/";
  for (char c : name.substr(0, kNameBytesShownMax)) {
    if (c == '~')
      part += "~0";
    else if (c == '/')
      part += "~1";
    else
      part += c;
  }
  // A cut may have split a character.
  while (!simdjson::validate_utf8(part)) part.pop_back();
  return part;
}

const QuestionFields::Field QuestionFields::kFields[] = {
    {"concept_path", &QuestionFields::ReadConceptPath},
    {"subject", &QuestionFields::ReadSubject},
    {"predicate", &QuestionFields::ReadPredicate},
    {"lens", &QuestionFields::ReadLens},
    {"fallback", &QuestionFields::ReadFallback},
    {"lenses", &QuestionFields::ReadLenses},
    {"params", &QuestionFields::ReadParams},
    {"as_of", &QuestionFields::ReadAsOf},
    {"valid_at", &QuestionFields::ReadValidAt},
    {"since", &QuestionFields::ReadSince},
    {"status", &QuestionFields::ReadStatus},
    {"lifecycle", &QuestionFields::ReadLifecycle},
    {"epoch", &QuestionFields::ReadEpoch},
    {"source_class", &QuestionFields::ReadSourceClass},
    {"agent_id", &QuestionFields::ReadAgentId},
    {"min_confidence", &QuestionFields::ReadMinConfidence},
    {"decay", &QuestionFields::ReadDecay},
    {"class_multipliers", &QuestionFields::ReadMultipliers},
    {"include", &QuestionFields::ReadInclude},
    {"limit", &QuestionFields::ReadLimit},
    {"cursor", &QuestionFields::ReadCursor},
    {"max_stale", &QuestionFields::ReadMaxStale},
};

ReadQuestion QuestionFields::Read(element root) {
  simdjson::dom::object object;
  if (root.get(object) != simdjson::SUCCESS) {
    Complain(
        "a question is a JSON object such as {\"concept_path\":\"drugs/aspirin\",\"lens\":\"consensus\"}");
  } else {
    std::set<std::string_view> seen;
    for (const auto member : object) {
      const std::string_view key = member.key;
      const element value = member.value;
      const auto field =
          std::find_if(std::begin(kFields), std::end(kFields), [&](const Field& f) { return f.name == key; });
      at_ = PointerTo(key);
      if (field == std::end(kFields) || !IsAllowed(key)) {
        RefuseUnknown();
      } else if (!seen.insert(key).second) {
        Complain("is given twice");
      } else if (value.is_null()) {
        Complain("must not be null; leave an absent field out");
      } else {
        (this->*field->read)(value);
      }
    }
    at_ = "/concept_path";
    if (!seen.contains("concept_path") && !seen.contains("subject")) {
      Complain("is required: a concept path, a path with /* behind it for all below, or * for everything");
    }
    if (form_.lens_field == LensField::kList && !seen.contains("lenses")) {
      at_ = "/lenses";
      Complain("is required: the names of the lenses to compare");
    }
    CheckLens();
    ApplyCursor();
  }
  if (!out_.errors.empty()) {
    const http::FieldError& first = out_.errors.front();
    const std::string more = out_.errors.size() > 1
                                 ? " (and " + std::to_string(out_.errors.size() - 1) + " more; see errors)"
                                 : "";
    out_.status =
        Status(Code::kInvalidArgument, "invalid_request", first.pointer + " " + first.detail + more);
  }
  return std::move(out_);
}

bool QuestionFields::IsAllowed(std::string_view name) const {
  if (name == "lenses") return form_.lens_field == LensField::kList;
  if (name == "fallback") return form_.lens_field == LensField::kOptional;
  if (name == "max_stale") return form_.lens_field != LensField::kList;  // comparisons are always made anew
  return name != "lens" || form_.lens_field != LensField::kList;
}

void QuestionFields::RefuseUnknown() {
  std::string allowed;
  for (const Field& field : kFields) {
    if (IsAllowed(field.name)) allowed.append(allowed.empty() ? "" : ", ").append(field.name);
  }
  Complain("unknown field; allowed are " + allowed);
}

void QuestionFields::CheckLens() {
  at_ = "/fallback";
  if (!question_.fallback.empty() && question_.lens.empty()) Complain("needs a lens that it stands in for");
  if (form_.lens_field != LensField::kFixed) return;
  at_ = "/lens";
  if (!question_.lens.empty() && question_.lens != form_.fixed_lens) {
    Complain("this path asks the lens " + std::string(form_.fixed_lens) +
             "; leave lens out, or ask /v1/query");
  }
  question_.lens = form_.fixed_lens;
}

void QuestionFields::ComplainAt(std::string_view below, std::string detail) {
  if (out_.errors.size() < kErrorsMax) out_.errors.push_back({at_ + std::string(below), std::move(detail)});
}

// A cursor of another question would begin its listing anywhere, and hide what it asks for.
void QuestionFields::CheckCursor() {
  const query::Cursor& cursor = *cursor_;
  at_ = "/cursor";
  if (cursor.question != query::FingerprintOf(question_)) {
    return Complain(
        "belongs to another question: send it with that of the page before, of which limit and max_stale "
        "alone "
        "may change");
  }
  // A time that was not over yet when the first page was made stood for one a little earlier.
  const auto is_its_time = [&](int64_t time_ms) {
    return time_ms >= cursor.now_ms && time_ms - cursor.now_ms <= kNotOverMsMax;
  };
  const query::Moment as_of = question_.as_of.value_or(query::Moment{});
  const bool is_its_moment = as_of.sequence.value_or(cursor.as_of_sequence) == cursor.as_of_sequence &&
                             question_.now_ms.value_or(cursor.now_ms) == cursor.now_ms &&
                             is_its_time(as_of.time_ms.value_or(cursor.now_ms));
  if (!is_its_moment) {
    Complain(
        "is of another moment than as_of: all pages are of that of the first one; leave as_of as it was "
        "there, "
        "or out");
  }
}

// Every page answers for the moment of the first one, whatever has been written since.
void QuestionFields::ApplyCursor() {
  if (!cursor_) return;
  if (out_.errors.empty()) CheckCursor();
  question_.before_sequence = cursor_->before_sequence;
  question_.changes_after = cursor_->changes_after;
  question_.as_of = query::Moment{.sequence = cursor_->as_of_sequence, .time_ms = {}};
  question_.now_ms = cursor_->now_ms;
}

ReadQuestion ReadQuestionJson(simdjson::dom::parser& parser, std::string_view body,
                              const QuestionForm& form) {
  element root;
  static_assert(http::kBodyPadding >= simdjson::SIMDJSON_PADDING, "so that bodies are parsed in place");
  const auto error = parser.parse(body.data(), body.size(), false).get(root);
  if (error != simdjson::SUCCESS) return Unreadable(error, body.empty());
  return QuestionFields(form).Read(root);
}

ReadQuestion ReadQuestionElement(element root, const QuestionForm& form, std::string_view at) {
  ReadQuestion out = QuestionFields(form).Read(root);
  for (http::FieldError& field : out.errors) field.pointer.insert(0, at);
  if (!out.errors.empty()) {
    out.status = Status(out.status.code(), out.status.reason(),
                        out.errors.front().pointer + " " + out.errors.front().detail);
  }
  return out;
}

ReadQuestion ReadQuestionString(simdjson::dom::parser& parser, std::string_view query,
                                const QuestionForm& form) {
  ReadQuestion out;
  const auto object = QuestionObjectOf(parser, query);
  if (!object) {
    out.status = object.error();
    return out;
  }
  element root;
  const auto error = parser.parse(*object).get(root);
  if (error != simdjson::SUCCESS) return Unreadable(error, false);
  out = QuestionFields(form).Read(root);
  for (http::FieldError& field : out.errors) field.pointer = ParameterName(field.pointer);
  if (!out.status.ok() && !out.errors.empty()) {
    out.status = Status(out.status.code(), out.status.reason(),
                        out.errors.front().pointer + " " + out.errors.front().detail);
  }
  return out;
}

}  // namespace stemedb::api
