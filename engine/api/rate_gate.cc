// SPDX-License-Identifier: Apache-2.0
#include "api/rate_gate.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "api/account.h"
#include "api/sender.h"
#include "base/bytes.h"
#include "script/budget.h"

namespace stemedb::api {
namespace {

constexpr std::array<std::string_view, 11> kWrites = {
    "/v1/assert",    "/v1/assertions",   "/v1/assert/batch",  "/v1/vote",
    "/v1/supersede", "/v1/retract",      "/v1/epoch",         "/v1/source",
    "/v1/sources",   "/v1/sources/{id}", "/v1/concepts/alias"};

// The processor time costs a call of the kernel to read: it is asked from this share of a turn's time on, and
// until then no call counts for more than it, since a busy machine takes the thread away for whole
// milliseconds.
constexpr int64_t kUnaskedShare = 8;

// As the shipped policy has it.
std::optional<script::RateVerdict> BuiltInLimit(const script::PolicyRequest& asked) {
  constexpr double kPoints = 10'000, kHour = 3600, kAgentsPerPeer = 10;
  constexpr double kClaim = 10, kVote = 1, kQuestion = 5, kLens = 1;
  if (asked.loopback) return std::nullopt;
  const bool is_write = (asked.method == "POST" || asked.method == "PATCH") &&
                        std::find(kWrites.begin(), kWrites.end(), asked.route) != kWrites.end();
  const auto items = static_cast<double>(asked.items);
  const double one = asked.route == "/v1/vote" ? kVote : kClaim;
  const double cost = (is_write ? one * items : kQuestion + kLens * items) +
                      std::ceil(static_cast<double>(asked.body_bytes) / 1024);
  if (cost == 0) return std::nullopt;
  return script::RateVerdict{"points", cost, kPoints, kHour, kAgentsPerPeer * kPoints};
}

Account* AccountOf(const http::Request& request) { return static_cast<Account*>(request.note.get()); }

Status NoRoom(const Account& account) {
  return Status(
      Code::kResourceExhausted, "quota_exceeded",
      std::string(account.payer()) + " has used up its points; Retry-After says when there are enough again");
}

}  // namespace

RateGate::RateGate(const script::LiveScripts& live, defense::Limiter& limiter,
                   defense::ProvenAgents& proven_agents, const env::Clock& clock,
                   std::function<void(const Status&)> on_failure, Options options)
    : live_(live),
      runner_(live.Current(), {}),
      policy_(runner_.FindHook("rate_limit")),
      limiter_(limiter),
      proven_agents_(proven_agents),
      clock_(clock),
      on_failure_(std::move(on_failure)),
      options_(options) {
  Prepare();
}

// When it can't be made, the next call tries again, and says why.
void RateGate::Prepare() {
  if (policy_ >= 0) static_cast<void>(runner_.Prepare(policy_));
}

void RateGate::TakeUpLive() {
  if (live_.generation() == runner_.scripts().generation()) return;
  spent_ns_ = 0;
  Count();
  runner_.Use(live_.Current());
  policy_ = runner_.FindHook("rate_limit");
  Prepare();
}

void RateGate::OnTurnEnd() {
  spent_ns_ = 0;
  if (calls_ == 0) return;
  Count();
  Prepare();  // a call that failed has left no state
}

void RateGate::Count() {
  if (calls_ == 0) return;
  const auto& counts = runner_.scripts().scripts()[static_cast<size_t>(policy_)].counts;
  counts->AddCalls(std::exchange(calls_, 0));
  if (failures_ == 0) return;
  counts->AddFailures(std::exchange(failures_, 0), failure_, clock_.NowMs(), clock_.MonotonicNs());
}

RateGate::Payment RateGate::PaymentOf(const http::Route& route) {
  constexpr std::array<std::string_view, 5> kFree = {"/v1/health", "/livez", "/readyz", "/metrics",
                                                     "/api-doc/openapi.json"};
  constexpr std::array<std::string_view, 5> kWhenRead = {"/v1/query", "/v1/skeptic", "/v1/layered",
                                                         "/v1/constraints", "/v1/lenses/compare"};
  const auto is_in = [&](const auto& list) {
    return std::find(list.begin(), list.end(), route.path) != list.end();
  };
  if (is_in(kFree) || route.path.starts_with("/v1/admin/") || route.path.starts_with("/v1/audit/"))
    return Payment::kFree;
  if (is_in(kWhenRead)) return Payment::kWhenRead;
  return is_in(kWrites) ? Payment::kWhenProven : Payment::kAtOnce;
}

void RateGate::Learn(const http::Router& router) {
  for (const http::Route& route : router.routes()) payments_[&route] = PaymentOf(route);
}

std::optional<script::RateVerdict> RateGate::Ask(const http::Request& request, const Sender& sender,
                                                 uint64_t body_bytes, uint64_t items) {
  script::PolicyRequest asked;
  asked.route = request.route->path;
  asked.method = http::MethodName(request.method);
  asked.body_bytes = body_bytes;
  asked.items = items;
  asked.loopback = sender.is_loopback;
  asked.is_signed = sender.is_signed;
  asked.agent = sender.agent;
  asked.peer = sender.address;
  if (spent_ns_ >= options_.turn_ns_max) {
    on_failure_(Status(Code::kResourceExhausted, "policy_failed",
                       "the calls of one turn took " + std::to_string(spent_ns_ / 1'000'000) +
                           " ms together; for the rest of it the policy is not asked"));
    return BuiltInLimit(asked);
  }
  const int64_t now_ms = clock_.NowMs(), unasked_ns = options_.turn_ns_max / kUnaskedShare;
  const bool asks_thread = spent_ns_ >= unasked_ns;
  const auto time_ns = [&] { return asks_thread ? script::ThreadCpuNs() : clock_.MonotonicNs(); };
  if (options_.recent != nullptr) options_.recent->Offer(asked, now_ms);
  const int64_t began_ns = time_ns();
  auto verdict = runner_.Limit(policy_, asked, now_ms);
  const int64_t took_ns = time_ns() - began_ns;
  spent_ns_ += asks_thread ? took_ns : std::min(took_ns, unasked_ns);
  ++calls_;
  if (verdict) return std::move(*verdict);
  ++failures_;
  failure_ = verdict.error().message();
  on_failure_(verdict.error());
  return BuiltInLimit(asked);
}

Status RateGate::Judge(http::Request& request) {
  TakeUpLive();
  if (policy_ < 0) return Status::Ok();
  const auto payment = payments_.find(request.route);
  if (payment == payments_.end() || payment->second == Payment::kFree) return Status::Ok();
  const Sender sender = SenderOf(request);
  const bool reads = request.method == http::Method::kGet || request.method == http::Method::kHead;
  const bool can_prove = payment->second == Payment::kWhenProven && !reads;
  auto verdict = Ask(request, sender, sender.body_bytes, can_prove ? 1 : 0);
  if (!verdict) return Status::Ok();
  const auto account =
      std::make_shared<Account>(limiter_, proven_agents_, clock_, std::move(*verdict),
                                AddressKey(sender.address), can_prove ? NamedAgent(request) : std::string());
  request.note = account;
  const bool pays_at_once =
      payment->second == Payment::kAtOnce || (payment->second == Payment::kWhenProven && reads);
  if (pays_at_once) return account->PayUnproven() ? Status::Ok() : NoRoom(*account);
  if (account->Look()) return Status::Ok();
  account->Forgive();
  return NoRoom(*account);
}

Status RateGate::Reprice(const http::Request& request, uint64_t items) {
  Account* account = AccountOf(request);
  if (account == nullptr || policy_ < 0) return Status::Ok();
  auto verdict = Ask(request, SenderOf(request), request.body.size(), items);
  if (!verdict) return Status::Ok();
  return account->LookAgain(std::move(*verdict)) ? Status::Ok() : NoRoom(*account);
}

Status RateGate::PayProven(const http::Request& request, std::string_view agent) {
  Account* account = AccountOf(request);
  return account == nullptr || account->PayProven(agent) ? Status::Ok() : NoRoom(*account);
}

Status RateGate::PayUnproven(const http::Request& request) {
  Account* account = AccountOf(request);
  return account == nullptr || account->PayUnproven() ? Status::Ok() : NoRoom(*account);
}

Status RateGate::PayFor(const http::Request& request, uint64_t items) {
  if (request.note == nullptr) return Status::Ok();
  STEMEDB_RETURN_IF_ERROR(Reprice(request, items));
  return PayUnproven(request);
}

std::string RateGate::NamedAgent(const http::Request& request) {
  std::array<uint8_t, 32> key;
  if (!FromHex(request.header("x-agent-id"), key)) return {};
  return {key.begin(), key.end()};
}

void RateGate::Finish(const http::Request& request, http::Response& response) {
  Account* account = AccountOf(request);
  if (!account->is_settled()) account->PayUnproven();
  account->AddFields(response);
}

}  // namespace stemedb::api
