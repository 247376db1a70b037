// SPDX-License-Identifier: Apache-2.0
// Metric series are looked up once for each loop and kept: a lookup costs a lock that all loops share.
#include "api/loop_context.h"

#include "api/errors.h"
#include "telemetry/log.h"

namespace stemedb::api {

LoopContext::LoopContext(Backend& backend, Role role, std::shared_ptr<WatchBell> bell) : backend_(&backend) {
  if (role == Role::kOperations) return;
  query::EngineOptions options;
  options.clock = backend.clock;
  options.metrics = backend.metrics;
  deploy::Deployment& deployment = backend.deployer->deployment();
  options.live = &deployment.live();
  options.recent = deployment.NewRecent();
  options.answers = backend.answers;
  if (backend.slow_lane != nullptr) options = query::ForLoop(options);
  engine_ = std::make_unique<query::Engine>(backend.store->NewReader(), deployment.live().Current(), options);
  turns_ = std::make_unique<TurnQueue>(*backend.clock, backend.turns,
                                       [this](const http::ExchangePtr& exchange, const Status& status) {
                                         if (exchange->is_streaming())
                                           return watches_->Refused(exchange, status);
                                         exchange->Respond(Refusal(exchange->request(), status));
                                       });
  rates_ = std::make_unique<RateGate>(
      deployment.live(), backend.limiter, backend.proven_agents, *backend.clock,
      [this](const Status& status) { PolicyFailed(status); },
      RateGate::Options{.recent = deployment.NewRecentRequests()});
  recorder_ = std::make_unique<QueryRecorder>(backend.trail, *backend.clock);
  watches_ = std::make_unique<WatchHub>(*this, std::move(bell));
}

void LoopContext::TakeUpLive() {
  engine_->TakeUpLive();
  rates_->TakeUpLive();
}

telemetry::QuerySeries& LoopContext::Queries(std::string_view endpoint) {
  auto found = queries_.find(endpoint);
  if (found == queries_.end()) {
    found = queries_.emplace(std::string(endpoint), backend_->metrics->Query(endpoint)).first;
  }
  return found->second;
}

void LoopContext::CountError(const Status& status) {
  const ErrorClass error = Classify(status);
  telemetry::Counter*& counter = errors_[{std::string(error.reason), error.layer}];
  if (counter == nullptr) counter = &backend_->metrics->Error(error.reason, error.layer);
  counter->Increment();
}

void LoopContext::PolicyFailed(const Status& status) {
  constexpr int64_t kMinuteNs = 60'000'000'000;
  CountError(status);
  const telemetry::ScriptSeries series = backend_->metrics->Script("rate_limit");
  series.errors.Increment();
  if (status.code() == Code::kDeadlineExceeded) series.budget_kills.Increment();
  if (!backend_->policy_failure_logged.IsDue(backend_->clock->MonotonicNs(), kMinuteNs)) return;
  telemetry::LogError("api", "the rate limit's policy failed; the built-in limit judges in its place",
                      {{"cause", status.message()}});
}

http::Response LoopContext::Refusal(const http::Request& request, const Status& status,
                                    std::span<const http::FieldError> errors) {
  CountError(status);
  http::Response response = ProblemOf(status, errors);
  if (response.status == 429) {
    auto found = rejected_.find(status.reason());
    if (found == rejected_.end()) {
      const std::string reason(status.reason());
      found = rejected_.emplace(reason, &backend_->metrics->Rejected(reason)).first;
    }
    found->second->Increment();
  }
  // A 503 is a state that the store has logged already; one line for each refused request would flood the
  // log.
  if (response.status >= 500 && response.status != 503) {
    telemetry::LogError("api", "request failed",
                        {{"code", status.reason()},
                         {"cause", status.message()},
                         {"route", request.route != nullptr ? std::string_view(request.route->path) : ""},
                         {"request_id", request.request_id},
                         {"traceparent", request.traceparent}});
  }
  return response;
}

}  // namespace stemedb::api
