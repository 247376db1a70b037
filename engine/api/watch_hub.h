// SPDX-License-Identifier: Apache-2.0
// WatchHub: the watchers of one loop (GET /v1/watch), and what they are sent: server-sent events.
//
// The log is the only queue. The hub goes along it once for all watchers that keep up, finding those whom a
// record concerns by an index. Who can't take an event (its peer reads slowly, or its lens is being asked)
// falls behind at that record and later goes along the log by itself until it has caught up: so a slow reader
// costs no memory, and misses nothing. Who resumes begins behind. Every turn does a bounded piece of all
// this.
//
// An event's id is a sequence: everything up to it that concerns the watcher has been sent. A resolution is
// asked for as of the sequence that the watcher has come to, and nothing else is sent until it is there. A
// new generation of scripts has all resolutions asked for again. Between two askings for one watcher there is
// a rest, the longer the dearer they are, and a question that is too large to be answered ends its stream:
// who watches has paid once.
//
// One for each loop, used on its thread alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/watch_bell.h"
#include "api/watch_events.h"
#include "api/watch_index.h"
#include "base/status.h"
#include "http/exchange.h"
#include "query/question.h"
#include "query/standing.h"
#include "query/watching.h"
#include "store/reader.h"

namespace stemedb::api {

class LoopContext;

class WatchHub {
 public:
  static constexpr size_t kWatchersMax = 4096;
  // Of one sending address; programs on this machine are not limited.
  static constexpr size_t kWatchersOfAddressMax = 256;
  static constexpr uint64_t kReplayMax = 1'000'000;  // records between where somebody resumes and the newest
  static constexpr size_t kPairsMax = 1'000;  // (concept, predicate) pairs that a watcher's lens judges
  static constexpr size_t kPairsTotalMax = 200'000;  // of all watchers

  // `context` outlives it.
  WatchHub(LoopContext& context, std::shared_ptr<WatchBell> bell);
  ~WatchHub();
  WatchHub(const WatchHub&) = delete;
  WatchHub& operator=(const WatchHub&) = delete;

  // Starts the exchange's stream; a failure says why it must be refused: kInvalidArgument "invalid_request"
  // when `after` is in the future, "invalid_params", kNotFound "unknown_lens", kResourceExhausted
  // "overloaded" when there is no room, or none for this address. `after` is the last event's id that a
  // resuming client has seen.
  Status Start(http::ExchangePtr exchange, query::Question question, std::optional<uint64_t> after);
  // A watcher's question waited for its turn in vain.
  void Refused(const http::ExchangePtr& exchange, const Status& status);
  void OnTurnEnd();

 private:
  struct Watcher : Watched, std::enable_shared_from_this<Watcher> {
    http::ExchangePtr exchange;
    std::string sender;        // that it counts for; empty: a program on this machine
    query::Question question;  // without a lens: of records alone
    uint64_t after = 0;        // records up to it are done; behind, those above it aren't
    bool behind = false;
    bool asking = false;      // its lens is
    bool is_queued = false;   // in to_ask_
    int64_t ask_from_ns = 0;  // not before
    int64_t sent_ns = 0;
    Told told;
    std::string failure;  // its code, if the last answer was one
  };
  using WatcherPtr = std::shared_ptr<Watcher>;

  Status CheckRoom(std::string_view sender);
  void Open(http::Loop& loop);
  void RestIfEmpty();
  void PostWork();
  bool HasReadyWork() const;
  void Work();
  Status Walk();
  Status WalkTogether();
  Status WalkBehind();
  Status Look(uint64_t sequence, store::Record& record);
  // False when it can't take the event.
  bool Deliver(Watcher& watcher, const store::Record& record);
  const std::string& EventOf(const store::Record& record);
  std::string_view StatusOf(const store::Record& record);

  void Touch(Watcher& watcher);
  void TouchAllForNewScripts();
  void AskTouched();
  void Ask(const WatcherPtr& watcher);
  void HandOver(const WatcherPtr& watcher, const std::shared_ptr<const query::Question>& question);
  void Answered(const WatcherPtr& watcher, uint64_t sequence, const Status& status,
                const std::string& answer);
  void SendChanges(Watcher& watcher, uint64_t sequence, const std::string& answer);
  void SendFailure(Watcher& watcher, const Status& status);
  // With this failure its stream ends.
  void End(Watcher& watcher, const Status& status);
  // Its asking took so long.
  void Rest(Watcher& watcher, double seconds) const;

  static bool HasRoom(const Watcher& watcher);
  static bool CanTake(const Watcher& watcher) { return !watcher.asking && HasRoom(watcher); }
  bool CanAsk(const Watcher& watcher) const;
  uint64_t LiveGeneration() const;
  void Send(Watcher& watcher, std::string_view event);
  void Tend();
  void Sweep();
  void EndAll(const Status& status);

  LoopContext& context_;
  const std::shared_ptr<WatchBell> bell_;
  WatchBell::Line line_;
  http::Loop* loop_ = nullptr;               // while there are watchers
  std::unique_ptr<store::Reader> reader_;    // likewise
  std::optional<query::Standing> standing_;  // likewise
  std::vector<WatcherPtr> watchers_;
  WatchIndex index_;
  std::deque<WatcherPtr> behind_;
  std::vector<WatcherPtr> to_ask_;
  size_t pairs_ = 0;         // in all told
  uint64_t at_ = 0;          // those who keep up are done with records up to it
  uint64_t newest_ = 0;      // at the last look
  uint64_t generation_ = 0;  // of the scripts, when all were last to be asked
  bool is_posted_ = false;
  int64_t tended_ns_ = 0;

  // Of the record that is being looked at.
  query::Concern concern_;
  std::vector<Watched*> found_;
  std::string event_;
  uint64_t event_sequence_ = 0;
};

}  // namespace stemedb::api
