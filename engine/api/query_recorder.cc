// SPDX-License-Identifier: Apache-2.0
#include "api/query_recorder.h"

#include <algorithm>

#include "api/errors.h"
#include "api/question_json.h"
#include "api/sender.h"
#include "base/scratch.h"
#include "crypto/sha256.h"

namespace stemedb::api {
namespace {

static_assert(static_cast<int>(audit::Role::kListed) == static_cast<int>(query::ClaimRole::kListed) &&
              static_cast<int>(audit::Role::kWinner) == static_cast<int>(query::ClaimRole::kWinner) &&
              static_cast<int>(audit::Role::kSupports) == static_cast<int>(query::ClaimRole::kSupports) &&
              static_cast<int>(audit::Role::kOpposes) == static_cast<int>(query::ClaimRole::kOpposes));
static_assert(query::Account::kClaimsToldMax <= audit::kClaimsUsedMax);

audit::ClientKind KindOf(const http::Request& request, const Sender& sender) {
  if (sender.is_loopback) return audit::ClientKind::kLoopback;
  return request.peer_is_loopback ? audit::ClientKind::kProxied : audit::ClientKind::kRemote;
}

}  // namespace

QueryRecorder::QueryRecorder(audit::QueryTrail* trail, const env::Clock& clock)
    : trail_(trail), buffer_(trail != nullptr ? &trail->NewBuffer() : nullptr), clock_(clock) {}

void QueryRecorder::Begin(const Asked& asked, const query::Account& account) {
  const Sender sender = SenderOf(asked.request);
  record_.time_ms = clock_.NowMs();
  record_.duration_us = static_cast<uint64_t>(std::max(asked.seconds, 0.0) * 1e6);
  record_.client = KindOf(asked.request, sender);
  record_.address = sender.address;
  record_.agent.reset();
  // As it names itself, be it a key or not: nothing proves it either way.
  if (const std::string_view agent = asked.request.header("x-agent-id"); !agent.empty())
    record_.agent = agent;
  record_.request_id = asked.request.request_id;
  record_.endpoint = asked.endpoint;
  record_.fell_back = account.fell_back;
  record_.is_stale = account.is_stale;
  record_.has_moment = account.has_moment;
  record_.sequence = account.sequence;
  record_.now_ms = account.now_ms;
  record_.lenses.clear();
  for (const query::AccountedLens& lens : account.lenses)
    record_.lenses.push_back({lens.name, lens.version, lens.sha256, lens.generation});
  question_.clear();
  AppendQuestionJson(question_, asked.question, asked.lenses);
  record_.question = question_;
  record_.question_bytes = question_.size();
}

void QueryRecorder::SetAnswer(const query::Account& account, std::string_view answer, const Hash256& sha256) {
  record_.answered = true;
  record_.code = {};
  record_.answer_bytes = answer.size();
  record_.answer_sha256 = sha256;
  record_.resolutions = account.resolutions;
  record_.candidates = account.candidates;
  record_.assertions = account.assertions;
  record_.claims.clear();
  for (const query::ContributingClaim& claim : account.claims) {
    record_.claims.push_back({claim.sequence, claim.resolution, claim.lens,
                              static_cast<audit::Role>(claim.role), claim.weight, claim.share});
  }
  record_.claims_not_told = account.claims_not_told;
}

// Whatever it had found, nobody was told of it.
void QueryRecorder::SetFailure(const Status& why) {
  record_.answered = false;
  record_.code = Classify(why).reason;
  record_.resolutions = record_.candidates = record_.assertions = record_.claims_not_told = 0;
  record_.claims.clear();
}

void QueryRecorder::Record(const Asked& asked, const query::Account& account, const Status& status,
                           std::string_view answer, const std::optional<Hash256>& sha256) {
  if (trail_ == nullptr) return;
  Begin(asked, account);
  if (status.ok()) {
    SetAnswer(account, answer, sha256 ? *sha256 : crypto::Sha256::Of(answer));
  } else {
    SetFailure(status);
  }
  Add();
}

void QueryRecorder::Add() {
  constexpr size_t kKeptBytesMax = 64 << 10;
  frame_.clear();
  audit::AppendFrame(frame_, record_);
  trail_->Add(*buffer_, frame_, record_.time_ms);
  ReleaseIfLarge(question_, kKeptBytesMax);
}

}  // namespace stemedb::api
