// SPDX-License-Identifier: Apache-2.0
// Reasons are listed when a client can be told something that their Code alone doesn't say, or when the layer
// differs.
#include "api/errors.h"

#include <algorithm>
#include <array>
#include <string>

namespace stemedb::api {
namespace {

constexpr std::array kByReason = {
    ErrorClass{"invalid_json", 400, "validation"},
    ErrorClass{"invalid_request", 400, "validation"},
    ErrorClass{"invalid_params", 400, "validation"},
    ErrorClass{"invalid_query", 400, "validation"},
    ErrorClass{"invalid_signature", 401, "auth"},
    ErrorClass{"missing_signature", 401, "auth"},
    ErrorClass{"signature_required", 401, "auth"},
    ErrorClass{"unsigned_not_allowed", 403, "auth"},
    ErrorClass{"unknown_assertion", 404, "query"},
    ErrorClass{"unknown_lens", 404, "query"},
    ErrorClass{"unknown_source", 404, "query"},
    ErrorClass{"unknown_concept", 404, "query"},
    ErrorClass{"unknown_query", 404, "query"},
    ErrorClass{"audit_off", 409, "server"},
    ErrorClass{"stale_vote", 409, "validation"},
    ErrorClass{"already_superseded", 409, "validation"},
    ErrorClass{"already_retracted", 409, "validation"},
    ErrorClass{"epoch_exists", 409, "validation"},
    ErrorClass{"source_exists", 409, "validation"},
    ErrorClass{"would_close_circle", 409, "validation"},
    ErrorClass{"names_changed", 503, "storage"},
    ErrorClass{"not_yours", 403, "auth"},
    ErrorClass{"alias_exists", 409, "validation"},
    ErrorClass{"alias_limit", 409, "validation"},
    ErrorClass{"not_an_alias", 409, "validation"},
    ErrorClass{"lineage_too_large", 422, "query"},
    ErrorClass{"timestamp_in_future", 422, "validation"},
    ErrorClass{"batch_too_large", 413, "validation"},
    ErrorClass{"value_too_large", 413, "validation"},
    ErrorClass{"as_of_in_future", 422, "query"},
    ErrorClass{"too_many_pairs", 422, "query"},
    ErrorClass{"too_many_rows", 422, "query"},
    ErrorClass{"answer_too_large", 422, "query"},
    ErrorClass{"forbidden", 403, "auth"},
    ErrorClass{"unknown_script", 404, "script"},
    ErrorClass{"unknown_version", 404, "script"},
    ErrorClass{"no_previous_version", 409, "script"},
    ErrorClass{"already_live", 409, "script"},
    ErrorClass{"another_text", 409, "script"},
    ErrorClass{"script_invalid", 422, "script"},
    ErrorClass{"script_refused", 422, "script"},
    ErrorClass{"script_unreadable", 422, "script"},
    ErrorClass{"script_changing", 422, "script"},
    ErrorClass{"lens_failed", 500, "script"},
    ErrorClass{"overloaded", 503, "storage"},
    ErrorClass{"disk_full", 503, "storage"},
    ErrorClass{"wal_failed", 503, "storage"},
    ErrorClass{"shutting_down", 503, "server"},
    ErrorClass{"quota_exceeded", 429, "limit"},
    ErrorClass{"policy_failed", 500, "script"},
};

// Seconds to wait before trying again: a queue is empty soon, a disk isn't.
std::string_view RetryAfter(std::string_view reason) {
  if (reason == "disk_full" || reason == "wal_failed") return "30";
  return reason == "shutting_down" ? "5" : "1";
}

ErrorClass ByCode(Code code, std::string_view reason) {
  switch (code) {
    case Code::kInvalidArgument:
      return {reason, 400, "validation"};
    case Code::kUnauthenticated:
      return {reason, 401, "auth"};
    case Code::kPermissionDenied:
      return {reason, 403, "auth"};
    case Code::kNotFound:
      return {reason, 404, "query"};
    case Code::kConflict:
      return {reason, 409, "storage"};
    case Code::kTooLarge:
      return {reason, 413, "validation"};
    case Code::kOutOfRange:
      return {reason, 422, "validation"};
    case Code::kResourceExhausted:
      return {reason, 503, "storage"};
    case Code::kUnavailable:
      return {reason, 503, "server"};
    case Code::kDeadlineExceeded:
      return {reason, 504, "query"};
    case Code::kCorruption:
    case Code::kIoError:
      return {reason, 500, "storage"};
    case Code::kOk:
    case Code::kInternal:
      break;
  }
  return {"internal", 500, "server"};
}

}  // namespace

ErrorClass Classify(const Status& status) {
  const auto row = std::find_if(kByReason.begin(), kByReason.end(),
                                [&](const ErrorClass& entry) { return entry.reason == status.reason(); });
  return row != kByReason.end() ? *row : ByCode(status.code(), status.reason());
}

http::Response ProblemOf(const Status& status, std::span<const http::FieldError> errors) {
  const ErrorClass error = Classify(status);
  // A lens is the operator's text, and its file and line are what its author needs.
  const bool is_internal = error.http_status == 500 && error.reason != "lens_failed";
  const std::string_view detail =
      is_internal ? "The server failed; its log has the cause under this request_id." : status.message();
  http::Response response = http::Problem(error.http_status, error.reason, detail, errors);
  if (error.http_status == 503) response.headers.emplace_back("Retry-After", RetryAfter(error.reason));
  if (error.http_status == 401)
    response.headers.emplace_back("WWW-Authenticate", "Ed25519 realm=\"stemedb\"");
  return response;
}

}  // namespace stemedb::api
