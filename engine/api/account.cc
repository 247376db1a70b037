// SPDX-License-Identifier: Apache-2.0
// A subject is a letter for its kind and the bytes of its name, so that no address is an agent.
#include "api/account.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace stemedb::api {
namespace {

constexpr char kAgent = 'a';
constexpr char kOpen = 'o';
constexpr char kForged = 'f';
constexpr char kInName = 'n';
constexpr char kProven = 'p';

std::string_view NameOf(char kind) {
  switch (kind) {
    case kAgent:
      return "the agent";
    case kInName:
      return "the sending address, for claims in this agent's name that aren't proven,";
    case kForged:
      return "the sending address, for claims in the name of agents that it didn't prove,";
    case kProven:
      return "the sending address, for all its agents together,";
    default:
      return "the sending address";
  }
}

std::string Whole(double number) { return std::to_string(static_cast<int64_t>(number)); }

}  // namespace

Account::Account(defense::Limiter& limiter, defense::ProvenAgents& proven_agents, const env::Clock& clock,
                 script::RateVerdict verdict, std::string_view address_key, std::string_view agent)
    : limiter_(limiter),
      proven_agents_(proven_agents),
      clock_(clock),
      verdict_(std::move(verdict)),
      address_key_(address_key),
      agent_(agent) {
  if (agent.empty()) {
    unproven_kind_ = kOpen;
    unproven_subject_ = address_key_;
  } else if (const std::string pair = address_key_ + agent_; proven_agents_.Has(pair, clock_.MonotonicNs())) {
    unproven_kind_ = kInName;
    unproven_subject_ = pair;
  } else {
    unproven_kind_ = kForged;
    unproven_subject_ = address_key_;
  }
}

Account::~Account() {
  if (!is_settled_) DrainUnproven();
}

bool Account::Use(char kind, std::string_view subject, double limit, Taking taking) {
  const std::string key = kind + std::string(subject);
  const defense::Bucket bucket{verdict_.bucket, limit, verdict_.window_s};
  const int64_t now_ns = clock_.MonotonicNs();
  shown_ = taking == Taking::kIfRoom ? limiter_.Charge(key, bucket, verdict_.cost, now_ns)
                                     : limiter_.Look(key, bucket, verdict_.cost, now_ns);
  shown_limit_ = limit;
  payer_ = NameOf(kind);
  return shown_.has_room;
}

bool Account::UseUnproven(Taking taking) {
  return Use(unproven_kind_, unproven_subject_, verdict_.limit, taking);
}

void Account::DrainUnproven() {
  is_settled_ = true;
  limiter_.Drain(unproven_kind_ + unproven_subject_, {verdict_.bucket, verdict_.limit, verdict_.window_s},
                 verdict_.cost, clock_.MonotonicNs());
}

// The bucket that pays if all goes well is looked at last, so that it is the one that is shown.
bool Account::Look() {
  if (agent_.empty()) return UseUnproven(Taking::kNothing);
  return UseUnproven(Taking::kNothing) && Use(kProven, address_key_, verdict_.peer_limit, Taking::kNothing) &&
         Use(kAgent, agent_, verdict_.limit, Taking::kNothing);
}

bool Account::LookAgain(script::RateVerdict verdict) {
  std::swap(verdict_, verdict);
  if (Look()) return true;
  std::swap(verdict_, verdict);
  DrainUnproven();
  std::swap(verdict_, verdict);
  return Look();
}

bool Account::PayUnproven() {
  is_settled_ = true;
  if (UseUnproven(Taking::kIfRoom)) return true;
  DrainUnproven();
  return false;
}

bool Account::PayProven(std::string_view agent) {
  is_settled_ = true;
  if (!Use(kProven, address_key_, verdict_.peer_limit, Taking::kNothing) ||
      !Use(kAgent, agent, verdict_.limit, Taking::kIfRoom)) {
    DrainUnproven();  // reading and verifying was work
    return false;
  }
  limiter_.Drain(kProven + address_key_, {verdict_.bucket, verdict_.peer_limit, verdict_.window_s},
                 verdict_.cost, clock_.MonotonicNs());
  proven_agents_.Note(address_key_ + std::string(agent), clock_.MonotonicNs());
  return true;
}

// draft-ietf-httpapi-ratelimit-headers: structured fields, whole numbers. What is left is rounded down, times
// up.
void Account::AddFields(http::Response& response) const {
  if (shown_limit_ == 0) return;
  const std::string name = '"' + verdict_.bucket + '"';
  const std::string limit = Whole(shown_limit_), left = Whole(shown_.remaining),
                    full_in = Whole(std::ceil(shown_.full_in_s));
  response.headers.emplace_back("RateLimit-Policy",
                                name + ";q=" + limit + ";w=" + Whole(std::ceil(verdict_.window_s)));
  response.headers.emplace_back("RateLimit", name + ";r=" + left + ";t=" + full_in);
  response.headers.emplace_back("X-Quota-Limit", limit);
  response.headers.emplace_back("X-Quota-Remaining", left);
  response.headers.emplace_back("X-Quota-Reset", full_in);
  if (!shown_.has_room && response.status == 429)
    response.headers.emplace_back("Retry-After", Whole(std::max(1.0, std::ceil(shown_.room_in_s))));
}

}  // namespace stemedb::api
