// SPDX-License-Identifier: Apache-2.0
// Deployment: how scripts become live, and how they are taken back. A reload is a transaction: look, read,
// compile, describe, spec, self-check, shadow, and then one publication of one immutable generation; whatever
// fails on the way leaves what is live as it was, for that script alone or, if so set, for all.
//
// Threads: everything that isn't marked belongs to one thread, the scripts thread (deployer.h). Nothing here
// waits for a loop, and no loop waits for it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit/journal.h"
#include "base/status.h"
#include "deploy/book.h"
#include "deploy/disk.h"
#include "deploy/outcome.h"
#include "deploy/recent_requests.h"
#include "deploy/rehearsal.h"
#include "deploy/shadow.h"
#include "deploy/state_files.h"
#include "env/env.h"
#include "query/question.h"
#include "query/recent_questions.h"
#include "script/live_scripts.h"

namespace stemedb::deploy {

// Whether scripts that changed together go in one by one, or all or none.
enum class Together : uint8_t { kEachByItself, kAllOrNone };
// Whether a version that would change answers, or may, since a question couldn't be compared or there was
// none, waits for an operator's yes; and so the removal of a live script, which else the next file would be
// compared with no more. A script that has no live version has none to change.
enum class OnChanges : uint8_t { kGoIn, kHold };

struct DeploymentOptions {
  Directories directories;
  Together together = Together::kEachByItself;
  OnChanges on_changes = OnChanges::kGoIn;
  int64_t probation_ms = 60'000;         // of a new version
  uint64_t probation_failures = 5;       // as many at the least,
  double probation_failure_share = 0.1;  // and more than this share of its calls: it is taken back
  // Of one version, and of all that are looked at together: what one doesn't need, the others have.
  double shadow_seconds_max = ShadowBounds::kSecondsMax;
  double transaction_shadow_seconds_max = ShadowBounds::kTransactionSecondsMax;
  ShadowRoom room;                    // outlives the deployment; a null store: no lens is shadowed or tried
  audit::Journal* journal = nullptr;  // outlives it too; null: none is kept
  env::Env* env = nullptr;            // likewise; null: nothing is kept for the next start
  std::string state_directory;        // where it is kept (state_files.h)
};

// What a request came to.
struct Report {
  std::string name;
  Outcome outcome = Outcome::kUnchanged;
  Status why;               // of failures, and of held ones
  uint64_t generation = 0;  // the live one afterwards
  std::string version;      // of the text that was looked at; empty when it has none
  std::optional<Hash256> sha256;
  ShadowReport shadow;
};

enum class Accept : uint8_t { kNo, kYes };

// A lens as an answer names it.
struct PastLens {
  std::string name;
  Hash256 sha256{};
  uint64_t generation = 0;
};

class Deployment {
 public:
  // Loads `directories`: a script that is wrong, or whose spec fails, fails the whole. A file that was rolled
  // back from, or that waits for a yes, as the last process left it, is passed over for the version that was
  // live; so is any other text than the live one's where changes are held, and there what has lost its file
  // stays live. The generation is the one that was live when everything is as it was, else the next; 1 at
  // first.
  //
  // Stricter than script::ScriptSet::Load, which runs neither specs nor self-checks: that one is for who
  // wants to ask lenses on data at rest (the console, tests, benchmarks), and a lens whose spec fails may be
  // just what they want to look at. Here clients would get its answers.
  static Result<std::unique_ptr<Deployment>> Open(DeploymentOptions options);

  // --- Any thread ---
  const script::LiveScripts& live() const { return live_; }
  // For one loop, which hands it to its engine, or to its rate limit; lives as long as the deployment.
  query::RecentQuestions* NewRecent();
  RecentRequests* NewRecentRequests();
  // The JSON of GET /v1/admin/scripts.
  void AppendList(std::string& out) const;
  // The JSON of GET /v1/admin/scripts/{name}. kNotFound "unknown_script", "unknown_version". A diff takes
  // some milliseconds: not for a loop.
  struct Wanted {
    bool source = false;
    std::optional<Hash256> diff_from;
  };
  Status AppendScript(std::string_view name, const Wanted& wanted, std::string& out) const;
  void Stop() { stopping_.store(true, std::memory_order_relaxed); }  // what runs ends soon

  // Before there is a scripts thread. `run` is called on it, between two scripts of a transaction, for what
  // must not wait for all of them. It may call RollBack, and nothing else that changes something.
  void BetweenScripts(std::function<void()> run) { between_scripts_ = std::move(run); }

  // --- The scripts thread ---
  // One look at the directories: acts on what has changed and is the same as at the last look; takes versions
  // back that fail too often. Writes what the audit's tally has due.
  void Step();
  // What has changed since the last time is on disk for the next start when it returns ok. What goes wrong is
  // logged; Step tries again. Everything below that changes something does it by itself.
  Status Keep();
  // Takes the script's file as it is now, whatever was rolled back; when it is gone, the script goes.
  // `accepted` is the text that a yes is for; without it the yes is for whatever waits. A yes is for this
  // script alone: where all go in or none, it is kept until the others that wait have theirs (Outcome::kHeld,
  // and the report's `why` names them), or until the file changes or the process ends. kNotFound
  // "unknown_script"; kConflict "another_text" when something else than `accepted` waits, or is in the file;
  // kUnavailable "shutting_down" when Stop came before it was through: nothing has changed then.
  Result<Report> Reload(const std::string& name, Accept accept, const Actor& actor,
                        const std::optional<Hash256>& accepted = std::nullopt);
  // Puts an older version back: `to`, or the one before the live one. kNotFound "unknown_script",
  // "unknown_version"; kConflict "no_previous_version", "already_live"; kInvalidArgument "script_invalid" for
  // one from before the start that this server can't run any more. The report's `why` says it when the next
  // start won't know of it. In the midst of a transaction it counts as done after it: what the script's file
  // says by then is what was rolled back from.
  Result<Report> RollBack(const std::string& name, const std::optional<Hash256>& to, const Actor& actor);
  // What would change if `source`, or the script's file, took the live version's place. kNotFound
  // "unknown_script"; kInvalidArgument "script_invalid", also for a text of another kind.
  Result<ShadowReport> Shadow(const std::string& name, const std::optional<std::string>& source,
                              const Actor& actor);
  // The answer of a lens that isn't deployed, on live data. `label` is what messages call its file.
  Status Try(std::string_view source, const std::string& label, query::Question question, std::string& out,
             const Actor& actor);
  // The answer of these versions to the question, or to a comparison of `compared`; of a question that names
  // its moment the same to the byte as when they were live, though they may not be now. Changes nothing.
  // kNotFound "unknown_version" when one is neither live nor kept; else fails as Engine::Answer.
  Status Replay(const query::Question& question, std::span<const std::string> compared,
                std::span<const PastLens> lenses, std::string& out) const;

 private:
  struct Candidate;
  struct Trigger {
    Cause cause = Cause::kFile;
    Actor actor;
    // A yes is for the script of this name alone, and where a text is named, for that text.
    Accept accept = Accept::kNo;
    std::string name = {};  // empty: files have changed, nobody has named one
    std::optional<Hash256> accepted = {};
  };
  struct Replacement {
    std::string name;
    std::optional<script::ScriptInfo> info;  // none: it goes
  };

  explicit Deployment(DeploymentOptions options);
  int64_t NowMs() const { return options_.room.clock->NowMs(); }

  // start.cc
  Status Load();
  Status LoadFile(const std::string& name, const DiskScript& disk, const SavedScript& saved,
                  std::vector<script::ScriptInfo>& scripts);
  void LoadWithoutFile(const std::string& name, const SavedScript& saved,
                       std::vector<script::ScriptInfo>& scripts);
  bool Waits(const SavedScript& saved, const script::ScriptInfo& info,
             std::vector<script::ScriptInfo>& scripts);
  bool Stays(const std::string& name, const SavedScript& saved, std::string_view why,
             std::vector<script::ScriptInfo>& scripts);
  void Begin(const SavedState& saved, std::shared_ptr<const script::ScriptSet> set,
             const std::set<std::string>& unchanged);
  // To the metrics and the audit, what waits for a yes since this start.
  void TellWhatIsHeld(const SavedState& saved) const;
  // Puts what hasn't come through a probation on one, if there is something to go back to.
  void WatchFromStart(ScriptRecord& record, const script::ScriptInfo& now) const;

  // transaction.cc
  std::vector<Report> Transact(const std::vector<std::string>& names, const DiskLook& look,
                               const Trigger& trigger);
  void Judge(Candidate& candidate, const Trigger& trigger);
  void JudgeVanished(Candidate& candidate, const Trigger& trigger) const;
  void JudgeText(Candidate& candidate, const DiskText& text, const Trigger& trigger);
  void JudgeShadow(Candidate& candidate, const Trigger& trigger);
  // Whether an operator has said yes to just this text, or to this removal: now, or before, while others had
  // none yet.
  bool HasYes(const Candidate& candidate, const Trigger& trigger) const;
  void KeepLastLens(std::vector<Candidate>& candidates) const;
  void HoldBackAll(std::vector<Candidate>& candidates) const;
  // What was rolled back since the transaction began.
  void MindRollbacks(std::vector<Candidate>& candidates, const Trigger& trigger);
  void Settle(Candidate& candidate, const Trigger& trigger);
  Report Tell(const Candidate& candidate, const Trigger& trigger) const;

  // The live set is another one afterwards.
  Status Publish(const std::vector<Replacement>& replacements, const Trigger& trigger);
  // Puts what goes live on probation, unless it has come through one or there is nothing to go back to.
  void Watch(ScriptRecord& record, const script::ScriptInfo* old, const script::ScriptInfo* now,
             Cause cause) const;
  Report PutBack(const std::string& name, const SharedInfo& older, const Trigger& trigger);
  // The book and the live set become what others see; and, if there is any news in it, what Keep keeps.
  enum class News : uint8_t { kSome, kNone };
  void Show(News news = News::kSome);
  std::shared_ptr<const Shown> shown() const;
  void CheckProbations();
  // `seconds_left` is for asking the version before, and has what it took off. When others have used it up
  // the probation goes on, and the next look decides: those before it are done with by then.
  void TakeBack(const std::string& name, const Probation& probation, double& seconds_left);
  // Whether the version that would come back fails as well: kConflict "before_fails_too" if so;
  // kUnavailable "not_asked_yet" when there was no time left to find out.
  Status AskBefore(const script::ScriptInfo& before, double& seconds_left) const;
  Status CheckAccepted(const std::string& name, const DiskScript& disk, const Hash256& accepted) const;
  // Whether they are others than before; says those that are new.
  bool TakeWarnings(const std::vector<Warning>& found);
  std::function<bool()> Stopping() const {
    return [this] { return stopping_.load(std::memory_order_relaxed); };
  }
  Result<script::ScriptInfo> VersionOf(const PastLens& lens) const;
  const ScriptRecord& RecordOf(const std::string& name) const;  // an empty one when it isn't known
  std::vector<query::RecordedQuestion> RecentOf(const std::string& name) const;
  std::vector<RecordedRequest> RecentRequestsOfAll() const;
  ShadowReport RunShadowOf(const script::ScriptInfo& candidate, double seconds_max) const;
  Result<DiskLook> Look() const;
  void CheckJournal();
  void AuditLines(const std::vector<audit::Tally::Line>& lines) const;
  // What can be had as often as one likes, since it changes nothing, is tallied: as `counted`, or when there
  // is no such script as guesses.
  void Audit(const Trigger& trigger, std::string_view action, const std::string& subject,
             std::string_view result, std::string_view detail,
             std::optional<audit::Tally::Kind> counted = std::nullopt) const;

  const DeploymentOptions options_;
  script::LiveScripts live_;
  std::atomic<bool> stopping_{false};
  std::function<void()> between_scripts_;

  // The scripts thread.
  Book book_;
  std::set<std::string> rolled_back_;  // since the transaction began
  DiskLook last_look_;
  std::string look_failure_;     // of the last look; so that it is logged once
  std::string journal_failure_;  // likewise
  std::unique_ptr<StateFiles> state_files_;
  bool is_kept_ = true;  // what the book says is on disk
  std::string keep_failure_;
  int64_t keep_again_ns_ = 0;

  mutable std::mutex shown_mutex_;  // guards the pointer
  std::shared_ptr<const Shown> shown_;

  mutable std::mutex recent_mutex_;  // guards the lists
  std::vector<std::unique_ptr<query::RecentQuestions>> recent_;
  std::vector<std::unique_ptr<RecentRequests>> recent_requests_;
};

}  // namespace stemedb::deploy
