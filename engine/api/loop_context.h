// SPDX-License-Identifier: Apache-2.0
// LoopContext: what one loop's handlers share: its query engine, its parsers, its series. Made on the loop's
// thread and used there alone, so nothing in it has a lock.
#pragma once

#include <simdjson.h>

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "api/backend.h"
#include "api/query_recorder.h"
#include "api/rate_gate.h"
#include "api/turn_queue.h"
#include "api/watch_hub.h"
#include "base/status.h"
#include "http/exchange.h"
#include "http/problem.h"
#include "http/router.h"
#include "model/claim_parser.h"
#include "model/operation_parser.h"
#include "query/engine.h"

namespace stemedb::api {

class LoopContext {
 public:
  // `backend` outlives it. The operations loop answers no questions and has no engine. `bell` is rung after
  // each publish.
  enum class Role : uint8_t { kClients, kOperations };
  LoopContext(Backend& backend, Role role, std::shared_ptr<WatchBell> bell);
  // For a list of routes that is never served.
  LoopContext() = default;
  LoopContext(const LoopContext&) = delete;
  LoopContext& operator=(const LoopContext&) = delete;

  Backend& backend() const { return *backend_; }
  query::Engine& engine() { return *engine_; }  // kClients only
  model::ClaimParser& claim_parser() { return claim_parser_; }
  model::OperationParser& operation_parser() { return operation_parser_; }
  simdjson::dom::parser& json_parser() { return json_parser_; }
  telemetry::QuerySeries& Queries(std::string_view endpoint);
  // Where whatever runs a script takes its turn.
  TurnQueue& turns() { return *turns_; }     // kClients only
  RateGate& rates() { return *rates_; }      // kClients only
  WatchHub& watches() { return *watches_; }  // kClients only
  // Of every answer to a question.
  QueryRecorder& recorder() { return *recorder_; }  // kClients only
  // Lets go of a generation of scripts that is no more live, states and all, if there is one. kClients only.
  void TakeUpLive();
  // How many batches this loop is working on: they are bounded, as each holds its body.
  size_t batches_in_flight = 0;
  // Whether claims of this turn wait in the store for others: it is told to begin at the turn's end.
  bool has_submitted = false;

  // Counts the failure, logs it when it is the server's own fault, and makes the answer.
  http::Response Refusal(const http::Request& request, const Status& status,
                         std::span<const http::FieldError> errors = {});
  void CountError(const Status& status);
  // A policy failed and the built-in limit judges in its place: counts it, and logs it once a minute at most.
  void PolicyFailed(const Status& status);

 private:
  Backend* backend_ = nullptr;
  std::unique_ptr<query::Engine> engine_;
  std::unique_ptr<TurnQueue> turns_;
  std::unique_ptr<RateGate> rates_;
  std::unique_ptr<QueryRecorder> recorder_;
  model::ClaimParser claim_parser_;
  model::OperationParser operation_parser_;
  simdjson::dom::parser json_parser_;
  std::map<std::string, telemetry::QuerySeries, std::less<>> queries_;
  std::map<std::pair<std::string, std::string_view>, telemetry::Counter*> errors_;  // by code and layer
  std::map<std::string, telemetry::Counter*, std::less<>> rejected_;                // by code
  std::unique_ptr<WatchHub> watches_;                                               // uses the others
};

}  // namespace stemedb::api
