// SPDX-License-Identifier: Apache-2.0
// Account: what one limited request costs, and whose buckets pay. A request pays exactly once, whatever
// becomes of it; one that nobody settles pays as unproven when its account goes.
//
// Three subjects belong to an address: `open` pays for requests that name no agent, `forged` for those that
// name one and don't prove it, `proven` for all agents together that send from it and prove themselves, on
// top of what each agent pays. So nobody spends an agent's points without its key (until there is proof its
// bucket is only looked at), and new keys at every request buy one address no more than `peer_limit`.
//
// A fourth, `in name`, belongs to an address and an agent that proved itself from there lately: what isn't
// proven in that agent's name is paid from it, and not from `forged`. So readers never lock out agents behind
// their address, and forgers lock out those alone that are new there, or whose very key they name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "defense/limiter.h"
#include "defense/proven_agents.h"
#include "env/clock.h"
#include "http/message.h"
#include "script/policy.h"

namespace stemedb::api {

class Account {
 public:
  // `limiter`, `proven_agents` and `clock` outlive it. `address_key` as AddressKey gives it; `agent` is the
  // named key's 32 bytes, empty when none is named or the request can't prove it.
  Account(defense::Limiter& limiter, defense::ProvenAgents& proven_agents, const env::Clock& clock,
          script::RateVerdict verdict, std::string_view address_key, std::string_view agent);
  ~Account();
  Account(const Account&) = delete;
  Account& operator=(const Account&) = delete;

  // Each gives whether there is room. Looking takes nothing. Paying, without room, takes nothing from an
  // agent, and what is left from the address that sent the request.
  bool Look();
  // At the price that holds when more is known of the request. Without room it pays the price that it was let
  // in by.
  bool LookAgain(script::RateVerdict verdict);
  bool PayUnproven();
  bool PayProven(std::string_view agent);
  // The request is refused for want of room before it cost anything: it pays nothing.
  void Forgive() { is_settled_ = true; }
  bool is_settled() const { return is_settled_; }

  // RateLimit-Policy, RateLimit and X-Quota-*, as of the last look or payment; Retry-After when there was no
  // room.
  void AddFields(http::Response& response) const;
  std::string_view payer() const { return payer_; }  // in words, for the refusal

 private:
  enum class Taking : uint8_t { kNothing, kIfRoom };
  // The bucket of a subject; remembers it as what is shown.
  bool Use(char kind, std::string_view subject, double limit, Taking taking);
  bool UseUnproven(Taking taking);
  void DrainUnproven();

  defense::Limiter& limiter_;
  defense::ProvenAgents& proven_agents_;
  const env::Clock& clock_;
  script::RateVerdict verdict_;
  const std::string address_key_;
  const std::string agent_;
  char unproven_kind_ = 0;
  std::string unproven_subject_;  // who pays as long as there is no proof
  bool is_settled_ = false;
  defense::Level shown_;
  double shown_limit_ = 0;
  std::string_view payer_;
};

}  // namespace stemedb::api
