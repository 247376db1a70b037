// SPDX-License-Identifier: Apache-2.0
// RateGate: asks the rate limit's policy about each request when its head is known, refuses those whose
// buckets lack the points before their bodies are read, and lets the handlers settle what can be known only
// then: who signed, and how many claims there were.
//
// What the server's operation needs is never limited, whatever the policy says: health, metrics, the API's
// description, /v1/admin and /v1/audit. A policy that fails, or that has used up the turn's time, is replaced
// by the built-in limit for that request; without a policy there is no limit.
//
// One for each loop, used on its thread alone; the buckets are shared by all.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/status.h"
#include "defense/limiter.h"
#include "defense/proven_agents.h"
#include "deploy/recent_requests.h"
#include "env/clock.h"
#include "http/router.h"
#include "script/live_scripts.h"
#include "script/policy.h"

namespace stemedb::api {

struct Sender;

class RateGate {
 public:
  struct Options {
    // Of all policy calls of one turn, of the thread's processor time: 5 ms, the budget of one call, would be
    // a stall of seconds for a turn's requests.
    int64_t turn_ns_max = 20'000'000;
    // Gets the requests that the policy judged; null: nobody. Outlives the gate.
    deploy::RecentRequests* recent = nullptr;
  };
  // `live`, `limiter`, `proven_agents` and `clock` outlive it. `on_failure` hears of each time that the
  // built-in limit judged in the policy's place.
  RateGate(const script::LiveScripts& live, defense::Limiter& limiter, defense::ProvenAgents& proven_agents,
           const env::Clock& clock, std::function<void(const Status&)> on_failure, Options options);
  RateGate(const RateGate&) = delete;
  RateGate& operator=(const RateGate&) = delete;

  // Every route that Judge will see. `router` outlives the gate.
  void Learn(const http::Router& router);

  // When the head is known. A limited request gets an Account as its note. kResourceExhausted
  // "quota_exceeded" when it must be refused.
  Status Judge(http::Request& request);

  // The three below are for handlers and do nothing for a request without an account; kResourceExhausted
  // "quota_exceeded" as above.
  //
  // More is known than the head said: the body has come, and holds `items` claims, or asks for as many
  // lenses, one that may stand in for another included. Looks again, and pays nothing yet; if there is no
  // room, the price of the head.
  Status Reprice(const http::Request& request, uint64_t items);
  // The request pays: as `agent` (32 bytes), who has proven itself, or as nobody.
  Status PayProven(const http::Request& request, std::string_view agent);
  Status PayUnproven(const http::Request& request);
  // Reprice and PayUnproven.
  Status PayFor(const http::Request& request, uint64_t items);

  // The named agent's key, 32 bytes, or nothing.
  static std::string NamedAgent(const http::Request& request);

  // Adds the fields of a limited request to its answer.
  static void Finish(const http::Request& request, http::Response& response);

  void OnTurnEnd();
  // Takes up the live generation when it is another one, as Judge does: for a loop that gets no requests, so
  // that it doesn't keep what is no more live. The policy's state is made here, in a time of its own.
  void TakeUpLive();

 private:
  enum class Payment : uint8_t {
    kFree,
    kAtOnce,      // when the head is known
    kWhenRead,    // when the handler knows what is asked
    kWhenProven,  // when the handler knows who signed
  };

  static Payment PaymentOf(const http::Route& route);
  void Prepare();
  void Count();  // this turn's calls
  std::optional<script::RateVerdict> Ask(const http::Request& request, const Sender& sender,
                                         uint64_t body_bytes, uint64_t items);

  const script::LiveScripts& live_;
  script::PolicyRunner runner_;
  int policy_ = -1;  // position of the rate limit in the runner's set
  defense::Limiter& limiter_;
  defense::ProvenAgents& proven_agents_;
  const env::Clock& clock_;
  const std::function<void(const Status&)> on_failure_;
  const Options options_;
  std::unordered_map<const http::Route*, Payment> payments_;
  int64_t spent_ns_ = 0;   // by policies, of this turn
  uint64_t calls_ = 0;     // of the policy, not yet in its counts, which all loops share
  uint64_t failures_ = 0;  // of these calls
  std::string failure_;    // what the last of them failed of
};

}  // namespace stemedb::api
