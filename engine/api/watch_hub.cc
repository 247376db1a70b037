// SPDX-License-Identifier: Apache-2.0
// Tasks posted to the loop do all sending: what is sent at a turn's end would wait for the next turn.
#include "api/watch_hub.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "api/loop_context.h"
#include "api/sender.h"
#include "api/slow_lane.h"
#include "api/watch_events.h"
#include "crypto/sha256.h"
#include "http/loop.h"
#include "telemetry/log.h"
#include "telemetry/stopwatch.h"

namespace stemedb::api {
namespace {

// What waits for one peer before it falls behind. A batch's burst fits; 4,096 of them are the loop's output
// budget.
constexpr size_t kUnsentMax = 64 * 1024;
// Of one turn: records looked at and events sent, for those who keep up; records, for those who don't.
constexpr size_t kStepsTogether = 4'096;
constexpr size_t kStepsBehind = 512;
constexpr size_t kStepsOfOneBehind = 128;
constexpr int64_t kKeepAliveNs = 15'000'000'000;
constexpr int64_t kTendNs = 1'000'000'000;
constexpr int64_t kAskAgainNs = 1'000'000'000;
// From the end of one asking to the next for the same watcher. One that takes long takes a tenth of a thread
// at most.
constexpr int64_t kAskEveryNs = 100'000'000;
constexpr double kRestPerAsking = 10;
constexpr double kWalkSecondsMax = 0.005;  // of one turn, for each of the two ways along the log
constexpr size_t kLineageMax = 2'000;      // ids, for the status of one claim

// No later asking of it would do better. The wall clock set back is another matter.
bool IsTooLarge(const Status& status) {
  return status.code() == Code::kOutOfRange && status.reason() != "as_of_in_future";
}

// All programs on this machine have one address, and are not limited otherwise either.
std::string SenderKey(const http::Request& request) {
  const Sender sender = SenderOf(request);
  return sender.is_loopback ? std::string() : "at " + AddressKey(sender.address);
}

}  // namespace

WatchHub::WatchHub(LoopContext& context, std::shared_ptr<WatchBell> bell)
    : context_(context), bell_(std::move(bell)), line_([this] { Work(); }) {}

WatchHub::~WatchHub() {
  if (loop_ != nullptr) bell_->Remove(line_);
  context_.backend().metrics->domain().watchers.Decrement(static_cast<double>(watchers_.size()));
}

// On the bell first: what is published before the first look is seen by it, what comes later rings.
void WatchHub::Open(http::Loop& loop) {
  if (loop_ != nullptr) return;
  loop_ = &loop;
  reader_ = context_.backend().store->NewReader();
  standing_.emplace(kLineageMax);
  generation_ = LiveGeneration();
  bell_->Add(line_, loop);
}

// A reader that nobody refreshes would keep what it has seen in memory.
void WatchHub::RestIfEmpty() {
  if (loop_ == nullptr || !watchers_.empty()) return;
  bell_->Remove(line_);
  loop_ = nullptr;
  reader_.reset();
  standing_.reset();
  behind_.clear();
  to_ask_.clear();
  at_ = newest_ = event_sequence_ = 0;
}

Status WatchHub::CheckRoom(std::string_view sender) {
  const auto is_full = [&] { return watchers_.size() >= kWatchersMax; };
  const auto is_of_sender = [&](const WatcherPtr& watcher) { return watcher->sender == sender; };
  const auto has_share = [&] {
    return sender.empty() || std::count_if(watchers_.begin(), watchers_.end(), is_of_sender) <
                                 static_cast<ptrdiff_t>(kWatchersOfAddressMax);
  };
  if (is_full() || !has_share()) Sweep();
  if (is_full())
    return Status(Code::kResourceExhausted, "overloaded", "too many watch already; try again later");
  if (has_share()) return Status::Ok();
  return Status(Code::kResourceExhausted, "overloaded",
                "too many watch from this address already; let one end first");
}

Status WatchHub::Start(http::ExchangePtr exchange, query::Question question, std::optional<uint64_t> after) {
  std::string sender = SenderKey(exchange->request());
  STEMEDB_RETURN_IF_ERROR(CheckRoom(sender));
  if (!question.lens.empty()) {
    const auto scripts = context_.backend().deployer->deployment().live().Current();
    STEMEDB_RETURN_IF_ERROR(query::CheckLens(*scripts, question));
  }
  const bool is_first = watchers_.empty();
  Open(exchange->loop());
  auto watcher = std::make_shared<Watcher>();
  watcher->scope.subtree = question.subtree;
  watcher->scope.predicate = question.predicate;
  bool is_reset = false;
  const auto place = [&]() -> Status {
    STEMEDB_RETURN_IF_ERROR(reader_->Refresh());
    const uint64_t newest = reader_->sequence();
    if (after && *after > newest) {
      return Status(Code::kInvalidArgument, "invalid_request",
                    "Last-Event-ID lies in the future: the newest sequence is " + std::to_string(newest));
    }
    if (is_first) at_ = newest;
    newest_ = newest;
    is_reset = after && newest - *after > kReplayMax;
    watcher->after = after && !is_reset ? *after : newest;
    return query::FindPaths(*reader_, watcher->after, question.concept_path, watcher->scope);
  };
  const Status placed = place();
  reader_->Release();
  if (!placed.ok()) {
    RestIfEmpty();
    return placed;
  }
  http::Response head;
  head.content_type = "text/event-stream";
  head.headers = {{"Cache-Control", "no-store"}, {"X-Accel-Buffering", "no"}};
  AppendHello(head.body, watcher->after);
  if (is_reset) AppendReset(head.body, watcher->after);
  exchange->StartStream(std::move(head));
  if (exchange->request().method == http::Method::kHead) {
    exchange->EndStream();
    RestIfEmpty();
    return Status::Ok();
  }
  watcher->exchange = std::move(exchange);
  watcher->sender = std::move(sender);
  watcher->question = std::move(question);
  watcher->sent_ns = context_.backend().clock->MonotonicNs();
  watchers_.push_back(watcher);
  context_.backend().metrics->domain().watchers.Increment();
  index_.Add(watcher.get());
  if (watcher->after < at_) {
    watcher->behind = true;
    behind_.push_back(watcher);
  }
  if (!watcher->question.lens.empty()) Touch(*watcher);
  return Status::Ok();
}

void WatchHub::PostWork() {
  if (is_posted_) return;
  is_posted_ = loop_->Post([this] {
    is_posted_ = false;
    Work();
  });
}

bool WatchHub::HasRoom(const Watcher& watcher) { return watcher.exchange->unsent_bytes() <= kUnsentMax; }

bool WatchHub::CanAsk(const Watcher& watcher) const {
  return CanTake(watcher) && !watcher.behind &&
         context_.backend().clock->MonotonicNs() >= watcher.ask_from_ns;
}

bool WatchHub::HasReadyWork() const {
  const auto is_there = [](const WatcherPtr& watcher) { return watcher->exchange->peer_waits(); };
  return at_ < newest_ ||
         std::any_of(behind_.begin(), behind_.end(),
                     [&](const WatcherPtr& watcher) { return is_there(watcher) && CanTake(*watcher); }) ||
         std::any_of(to_ask_.begin(), to_ask_.end(),
                     [&](const WatcherPtr& watcher) { return is_there(watcher) && CanAsk(*watcher); });
}

// Connections' time-outs give idle loops two turns a second.
void WatchHub::OnTurnEnd() {
  if (watchers_.empty() || is_posted_) return;
  const bool is_due = context_.backend().clock->MonotonicNs() - tended_ns_ >= kTendNs;
  if (is_due || generation_ != LiveGeneration() || HasReadyWork()) PostWork();
}

void WatchHub::Work() {
  line_.Clear();
  if (watchers_.empty()) return;
  if (context_.backend().clock->MonotonicNs() - tended_ns_ >= kTendNs) Tend();
  if (watchers_.empty()) return;
  const Status walked = Walk();
  reader_->Release();
  if (!walked.ok()) return EndAll(walked);
  TouchAllForNewScripts();
  AskTouched();
}

Status WatchHub::Walk() {
  STEMEDB_RETURN_IF_ERROR(reader_->Refresh());
  newest_ = reader_->sequence();
  if (at_ == newest_ && behind_.empty()) return Status::Ok();
  event_sequence_ = 0;  // the status in an event is of this view
  STEMEDB_RETURN_IF_ERROR(WalkTogether());
  return WalkBehind();
}

Status WatchHub::Look(uint64_t sequence, store::Record& record) {
  auto found = reader_->Get(sequence);
  if (!found) return found.error();
  record = *found;
  return query::FindConcern(record, *reader_, concern_);
}

Status WatchHub::WalkTogether() {
  store::Record record;
  const telemetry::Stopwatch began;
  for (size_t steps = 0; at_ < newest_ && steps < kStepsTogether; ++at_) {
    if (began.Seconds() > kWalkSecondsMax) break;
    STEMEDB_RETURN_IF_ERROR(Look(at_ + 1, record));
    index_.Find(concern_.places, found_);
    for (Watched* watched : found_) {
      auto& watcher = static_cast<Watcher&>(*watched);
      if (watcher.behind || watcher.after >= record.sequence || Deliver(watcher, record)) continue;
      watcher.behind = true;
      watcher.after = at_;
      behind_.push_back(watcher.shared_from_this());
    }
    steps += 1 + found_.size();
    if (!concern_.anywhere) continue;
    for (const WatcherPtr& watcher : watchers_) {
      if (!watcher->behind) Touch(*watcher);
    }
    steps += watchers_.size();
  }
  return Status::Ok();
}

Status WatchHub::WalkBehind() {
  store::Record record;
  size_t steps = kStepsBehind;
  const telemetry::Stopwatch began;
  for (size_t left = behind_.size(); left > 0 && steps > 0; --left) {
    if (began.Seconds() > kWalkSecondsMax) break;
    const WatcherPtr watcher = std::move(behind_.front());
    behind_.pop_front();
    if (!watcher->exchange->peer_waits()) continue;  // Sweep takes it away
    size_t own = std::min(steps, kStepsOfOneBehind);
    for (; watcher->after < at_ && own > 0 && CanTake(*watcher); --own, --steps) {
      STEMEDB_RETURN_IF_ERROR(Look(watcher->after + 1, record));
      ++watcher->after;
      if (query::IsAbout(concern_, watcher->scope)) Deliver(*watcher, record);
      if (concern_.anywhere) Touch(*watcher);
    }
    watcher->behind = watcher->after < at_;
    if (watcher->behind) behind_.push_back(watcher);
  }
  return Status::Ok();
}

bool WatchHub::Deliver(Watcher& watcher, const store::Record& record) {
  if (!CanTake(watcher)) return false;
  Send(watcher, EventOf(record));
  Touch(watcher);
  if (!concern_.is_alias || watcher.scope.subtree) return true;
  // Too many aliases: it keeps watching those that there were.
  index_.Remove(&watcher);
  const Status found =
      query::FindPaths(*reader_, record.sequence, watcher.question.concept_path, watcher.scope);
  index_.Add(&watcher);
  if (!found.ok()) context_.CountError(found);
  return true;
}

// As the newest view has it. Empty when it can't be found out here: the lineage is too long, or unreadable.
std::string_view WatchHub::StatusOf(const store::Record& record) {
  standing_->Begin(*reader_, newest_);
  if (!standing_->AnyOperation()) return NameOf(query::ClaimStatus::kActive);
  const auto status = standing_->StatusOf(store::RowOfRecord(record));
  if (status) return NameOf(*status);
  if (status.error().reason() != query::kLineageTooLarge) context_.CountError(status.error());
  return {};
}

// Made once for all who get it.
const std::string& WatchHub::EventOf(const store::Record& record) {
  if (event_sequence_ == record.sequence) return event_;
  event_.clear();
  AppendRecordEvent(event_, record, record.is_operation() ? std::string_view() : StatusOf(record));
  event_sequence_ = record.sequence;
  return event_;
}

void WatchHub::Send(Watcher& watcher, std::string_view event) {
  watcher.exchange->Send(event);
  watcher.sent_ns = context_.backend().clock->MonotonicNs();
}

void WatchHub::Touch(Watcher& watcher) {
  if (watcher.question.lens.empty() || std::exchange(watcher.is_queued, true)) return;
  to_ask_.push_back(watcher.shared_from_this());
}

// Of whichever script: a lens may follow a rule that another one holds.
void WatchHub::TouchAllForNewScripts() {
  const uint64_t live = LiveGeneration();
  if (std::exchange(generation_, live) == live) return;
  for (const WatcherPtr& watcher : watchers_) Touch(*watcher);
}

uint64_t WatchHub::LiveGeneration() const {
  return context_.backend().deployer->deployment().live().generation();
}

void WatchHub::AskTouched() {
  std::vector<WatcherPtr> touched;
  touched.swap(to_ask_);
  for (WatcherPtr& watcher : touched) {
    if (!watcher->exchange->peer_waits()) continue;
    if (!CanAsk(*watcher)) {
      to_ask_.push_back(std::move(watcher));
      continue;
    }
    watcher->is_queued = false;
    Ask(watcher);
  }
}

void WatchHub::Ask(const WatcherPtr& watcher) {
  watcher->asking = true;
  const auto question = std::make_shared<query::Question>(watcher->question);
  const uint64_t sequence = std::max(at_, watcher->after);
  question->as_of = query::Moment{.sequence = sequence, .time_ms = {}};
  question->now_ms = context_.backend().clock->NowMs();
  question->limit = 0;
  context_.Queries("watch").queries.Increment();
  context_.turns().Run(watcher->exchange, [this, watcher, sequence, question](const http::ExchangePtr&) {
    const telemetry::Stopwatch began;
    std::string answer;
    const Status answered = context_.engine().Answer(*question, answer);
    if (answered.reason() == query::kHandOverReason) return HandOver(watcher, question);
    const double seconds = began.Seconds();
    context_.Queries("watch").latency_seconds.Observe(seconds);
    context_.recorder().Record({watcher->exchange->request(), *question, {}, "watch", seconds},
                               context_.engine().account(), answered, answer);
    Rest(*watcher, seconds);
    Answered(watcher, sequence, answered, answer);
  });
}

void WatchHub::HandOver(const WatcherPtr& watcher, const std::shared_ptr<const query::Question>& question) {
  const uint64_t sequence = *question->as_of->sequence;
  auto work = [this, watcher, sequence, question](query::Engine* engine, const Status& ready) {
    if (!ready.ok()) {  // not asked, but it will be
      watcher->exchange->loop().Post(
          [this, watcher, sequence, ready] { Answered(watcher, sequence, ready, {}); });
      return;
    }
    const telemetry::Stopwatch began;
    std::string answer;
    Status status = engine->Answer(*question, answer);
    const double seconds = began.Seconds();
    std::optional<Hash256> sha256;  // made here, as a loop's other clients would wait for it
    if (status.ok() && context_.backend().trail != nullptr) sha256 = crypto::Sha256::Of(answer);
    watcher->exchange->loop().Post([this, watcher, sequence, question, seconds, sha256,
                                    account = engine->account(), status = std::move(status),
                                    answer = std::move(answer)] {
      context_.recorder().Record({watcher->exchange->request(), *question, {}, "watch", seconds}, account,
                                 status, answer, sha256);
      Rest(*watcher, seconds);
      Answered(watcher, sequence, status, answer);
    });
  };
  context_.backend().metrics->domain().query_slow_lane_total.Increment();
  const Status posted =
      context_.backend().slow_lane->Post(question->lens, watcher->exchange, std::move(work));
  if (!posted.ok()) Answered(watcher, sequence, posted, {});
}

void WatchHub::Refused(const http::ExchangePtr& exchange, const Status& status) {
  const auto at = std::find_if(watchers_.begin(), watchers_.end(),
                               [&](const WatcherPtr& watcher) { return &*watcher->exchange == &*exchange; });
  if (at != watchers_.end()) Answered(WatcherPtr(*at), 0, status, {});
}

void WatchHub::Answered(const WatcherPtr& watcher, uint64_t sequence, const Status& status,
                        const std::string& answer) {
  watcher->asking = false;
  if (!watcher->exchange->peer_waits()) return;
  if (status.ok()) return SendChanges(*watcher, sequence, answer);
  context_.CountError(status);
  if (status.code() == Code::kDeadlineExceeded)
    context_.backend().metrics->domain().query_timeout_total.Increment();
  const bool may_work_later =
      status.code() == Code::kResourceExhausted || status.code() == Code::kUnavailable;
  if (IsTooLarge(status)) return End(*watcher, status);
  if (!may_work_later) return SendFailure(*watcher, status);
  watcher->ask_from_ns =
      std::max(watcher->ask_from_ns, context_.backend().clock->MonotonicNs() + kAskAgainNs);
  Touch(*watcher);
}

void WatchHub::Rest(Watcher& watcher, double seconds) const {
  const auto rest_ns = static_cast<int64_t>(seconds * 1e9 * kRestPerAsking);
  watcher.ask_from_ns = context_.backend().clock->MonotonicNs() + std::max(kAskEveryNs, rest_ns);
}

// Sends as much as there is room for. The rest is found changed when the question is asked again.
void WatchHub::SendChanges(Watcher& watcher, uint64_t sequence, const std::string& answer) {
  ResolutionChanges changes(context_.json_parser(), answer);
  const size_t others = pairs_ - watcher.told.size();
  const auto too_many = [](std::string what) {
    return Status(Code::kOutOfRange, "too_many_pairs",
                  std::move(what) + "; watch a narrower concept path or name a predicate");
  };
  if (changes.pairs() > kPairsMax) {
    return End(watcher, too_many("the lens judges more than " + std::to_string(kPairsMax) +
                                 " (concept, predicate) pairs here"));
  }
  if (others + changes.pairs() > kPairsTotalMax)  // until others have gone
    return SendFailure(watcher, too_many("the lenses of all who watch judge too many pairs together"));
  watcher.failure.clear();
  const bool is_done = changes.Tell(watcher.told, sequence, [&](std::string_view event) {
    Send(watcher, event);
    return HasRoom(watcher);
  });
  pairs_ = others + watcher.told.size();
  if (!is_done) Touch(watcher);
}

// Once, until it has been answered or fails otherwise.
void WatchHub::SendFailure(Watcher& watcher, const Status& status) {
  if (watcher.failure == status.reason()) return;
  watcher.failure = status.reason();
  std::string event;
  AppendFailure(event, status);
  Send(watcher, event);
}

void WatchHub::End(Watcher& watcher, const Status& status) {
  SendFailure(watcher, status);
  watcher.exchange->EndStream();
}

void WatchHub::Tend() {
  tended_ns_ = context_.backend().clock->MonotonicNs();
  Sweep();
  for (const WatcherPtr& watcher : watchers_) {
    if (tended_ns_ - watcher->sent_ns >= kKeepAliveNs && watcher->exchange->unsent_bytes() == 0)
      Send(*watcher, kKeepAlive);
  }
}

void WatchHub::Sweep() {
  const size_t gone = std::erase_if(watchers_, [&](const WatcherPtr& watcher) {
    if (watcher->exchange->peer_waits()) return false;
    index_.Remove(watcher.get());
    pairs_ -= watcher->told.size();
    watcher->told.clear();
    return true;
  });
  context_.backend().metrics->domain().watchers.Decrement(static_cast<double>(gone));
  std::erase_if(behind_, [](const WatcherPtr& watcher) { return !watcher->exchange->peer_waits(); });
  std::erase_if(to_ask_, [](const WatcherPtr& watcher) { return !watcher->exchange->peer_waits(); });
  RestIfEmpty();
}

// The log can't be read: no record may be left out.
void WatchHub::EndAll(const Status& status) {
  context_.CountError(status);
  telemetry::LogError("api", "the watchers' streams are ended: the log's records can't be read",
                      {{"code", status.reason()}, {"cause", status.message()}});
  for (const WatcherPtr& watcher : watchers_) {
    SendFailure(*watcher, Status(Code::kInternal, "internal", "The server failed; its log has the cause."));
    watcher->exchange->EndStream();
  }
  Sweep();
}

}  // namespace stemedb::api
