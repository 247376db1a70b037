// SPDX-License-Identifier: Apache-2.0
// GET /v1/watch: new claims and operations on a concept path, and changed resolutions, as server-sent events.
#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "api/question_reader.h"
#include "api/routes.h"
#include "http/message.h"

namespace stemedb::api {
namespace {

struct WatchRequest {
  Status status;
  std::vector<http::FieldError> errors;
  query::Question question;
  std::optional<uint64_t> after;
};

WatchRequest Refuse(std::string name, std::string detail) {
  WatchRequest out;
  out.status = Status(Code::kInvalidArgument, "invalid_request", name + " " + detail);
  out.errors.push_back({std::move(name), std::move(detail)});
  return out;
}

// A question has many more fields; a watcher who believes that one of them counts would be misled.
bool IsKnown(std::string_view name) {
  constexpr std::array<std::string_view, 5> kNames = {"concept_path", "subject", "predicate", "lens",
                                                      "params"};
  return name.starts_with("params.") || std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

WatchRequest ReadWatch(LoopContext& context, const http::Request& request) {
  WatchRequest out;
  const auto params = http::ParseQuery(request.query);
  if (!params) {
    out.status = params.error();
    return out;
  }
  for (const auto& [name, value] : *params) {
    if (!IsKnown(name))
      return Refuse(name, "unknown parameter; allowed are concept_path, subject, predicate, lens, params");
  }
  ReadQuestion read = ReadQuestionString(context.json_parser(), request.query, {});
  out.status = std::move(read.status);
  out.errors = std::move(read.errors);
  out.question = std::move(read.question);
  const std::string_view id = request.header("last-event-id");
  if (!out.status.ok() || id.empty()) return out;
  uint64_t after = 0;
  const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), after);
  if (error != std::errc() || end != id.data() + id.size())
    return Refuse("Last-Event-ID", "must be the id of an event: a sequence");
  out.after = after;
  return out;
}

void Watch(LoopContext& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  WatchRequest read = ReadWatch(context, request);
  if (read.status.ok()) {
    read.status = context.watches().Start(exchange, std::move(read.question), read.after);
    if (read.status.ok()) return;
    if (read.status.reason() == "invalid_request")
      read.errors.push_back({"Last-Event-ID", std::string(read.status.message())});
  }
  exchange->Respond(context.Refusal(request, read.status, read.errors));
}

}  // namespace

void AddWatchRoutes(http::Router& router, LoopContext& context) {
  router.Add({.path = "/v1/watch",
              .methods = {http::Method::kGet},
              .handler = [&context](const http::ExchangePtr& exchange) { Watch(context, exchange); },
              .param_names = {}});
}

}  // namespace stemedb::api
