// SPDX-License-Identifier: Apache-2.0
// Members stand in the order of their start, so that destruction is the stop's order as well: the servers go
// before the store, whose readers they hold, and the store before the metrics that it counts in.
#include "server/process.h"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <string>

#include "api/service.h"
#include "api/slow_lane.h"
#include "audit/journal.h"
#include "audit/query_trail.h"
#include "base/path.h"
#include "deploy/deployer.h"
#include "env/env.h"
#include "http/server.h"
#include "server/metadata.h"
#include "server/signals.h"
#include "server/startup_log.h"
#include "telemetry/metrics.h"

namespace stemedb::server {
namespace {

constexpr uint64_t kDrainMs = 3'000;  // of requests in flight, so that a stop takes under 5 s
constexpr uint64_t kOperationsDrainMs = 300;
// For kept answers: 3 MiB. Places share slots: of 100,000 new concepts in a second, one or the other looks
// like a place of a kept answer.
constexpr size_t kTouchSlots = size_t{1} << 18;

// A shell's limit on descriptors is mostly 1024, for the sake of programs that call select(), and each
// connection takes one. What the operator allows at most is the hard limit; a want of descriptors is said
// where it strikes.
void RaiseDescriptorLimit() {
  constexpr rlim_t kEnough = 1 << 20;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kEnough) return;
  limit.rlim_cur = std::min(limit.rlim_max, kEnough);
  setrlimit(RLIMIT_NOFILE, &limit);
}

// Once a large block has been freed, glibc by itself takes all up to 32 MiB from its arenas, which keep what
// is given back. A flood would leave its buffers behind, and the start what it sorted.
void ReturnLargeBlocks() { mallopt(M_MMAP_THRESHOLD, 1 << 20); }

class Process {
 public:
  explicit Process(const Invocation& invocation)
      : config_(invocation.config), port_file_(invocation.port_file) {}

  int Run();

 private:
  int Start();
  Status CheckDirectories();
  Status OpenStore();
  Status OpenTrail();
  Status LoadScripts();
  void OpenSlowLane();
  Status Bind();
  Status WritePortFile();
  Status SaveMetadata();
  int Stop();

  http::Options ClientOptions() const;
  http::Options OperationsOptions() const;

  const Config& config_;
  const std::string& port_file_;
  env::Env* const env_ = env::Env::Posix();
  StartupLog log_;
  StopSignal stop_signal_;
  telemetry::Metrics metrics_;
  api::Backend backend_;
  uint64_t starts_ = 0;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<query::AnswerCache> answers_;
  std::unique_ptr<audit::Journal> journal_;
  std::unique_ptr<audit::QueryTrail> trail_;  // none: it is off
  std::unique_ptr<deploy::Deployer> deployer_;
  std::unique_ptr<api::SlowLane> slow_lane_;
  std::unique_ptr<http::Server> clients_;
  std::unique_ptr<http::Server> operations_;
};

// One inside the other would go where the other is moved or removed to.
Status CheckApart(const std::string& wal_dir, const std::string& db_dir) {
  std::error_code error;
  const std::string wal = std::filesystem::weakly_canonical(wal_dir, error).string() + "/";
  const std::string db = std::filesystem::weakly_canonical(db_dir, error).string() + "/";
  if (error || (!wal.starts_with(db) && !db.starts_with(wal))) return Status::Ok();
  return Status(Code::kInvalidArgument, "directories_overlap",
                "STEMEDB_WAL_DIR (" + wal_dir + ") and STEMEDB_DB_DIR (" + db_dir +
                    ") must be two directories, neither inside the other");
}

Status Process::CheckDirectories() {
  STEMEDB_RETURN_IF_ERROR(CheckApart(config_.wal_dir, config_.db_dir));
  for (const std::string& dir : {config_.wal_dir, config_.db_dir}) {
    STEMEDB_RETURN_IF_ERROR(env_->MakeDirs(dir));
    if (access(dir.c_str(), R_OK | W_OK | X_OK) != 0) return env::StatusFromErrno(errno, "open", dir, "rwx");
  }
  return Status::Ok();
}

Status Process::OpenStore() {
  store::Options options;
  options.env = env_;
  options.clock = env_->clock();
  options.metrics = &metrics_;
  options.wal_dir = config_.wal_dir;
  options.db_dir = config_.db_dir;
  options.segment_bytes_max = config_.wal_segment_bytes;
  options.salvage_wal = config_.salvage_wal;
  if (config_.answer_cache_bytes > 0) options.touch_slots = kTouchSlots;
  auto opened = store::Store::Open(options);
  if (!opened) return opened.error();
  store_ = std::move(*opened);
  const store::Stats stats = store_->stats();
  log_.Done(Step::kWal, "log is open",
            {{"dir", config_.wal_dir}, {"segments", stats.wal_segments}, {"bytes", stats.wal_bytes}});
  log_.Done(Step::kStore, "records and indexes are open",
            {{"dir", config_.db_dir}, {"assertions", stats.assertions}});
  log_.Done(Step::kIndexWorker, "running", {{"checkpoint", stats.checkpoint}, {"sequence", stats.sequence}});
  return Status::Ok();
}

Status Process::OpenTrail() {
  if (!config_.audit_queries) return Status::Ok();
  constexpr int64_t kDayMs = int64_t{24} * 60 * 60 * 1000;
  audit::QueryTrail::Options options;
  options.env = env_;
  options.metrics = &metrics_;
  options.directory = QueryTrailPath(config_.wal_dir);
  options.bounds.bytes_max = config_.audit_queries_bytes;
  options.bounds.age_ms_max = static_cast<int64_t>(config_.audit_queries_days) * kDayMs;
  auto trail = audit::QueryTrail::Open(std::move(options));
  if (!trail) return trail.error().Annotate("STEMEDB_AUDIT_QUERIES");
  trail_ = std::move(*trail);
  backend_.trail = trail_.get();
  return Status::Ok();
}

Status Process::LoadScripts() {
  auto journal = audit::Journal::Open(*env_, AuditPath(config_.wal_dir));
  if (!journal) return journal.error();
  journal_ = std::move(*journal);
  deploy::DeploymentOptions options;
  options.directories = {config_.lenses_dir, config_.policies_dir};
  if (config_.scripts_atomic) options.together = deploy::Together::kAllOrNone;
  if (config_.scripts_hold_changes) options.on_changes = deploy::OnChanges::kHold;
  options.room = {store_.get(), env_->clock(), &metrics_};
  options.journal = journal_.get();
  options.env = env_;
  options.state_directory = ParentOf(AuditPath(config_.wal_dir)) + "/scripts";
  auto deployment = deploy::Deployment::Open(std::move(options));
  if (!deployment) return deployment.error().Annotate("STEMEDB_LENSES_DIR, STEMEDB_POLICIES_DIR");
  deployer_ = std::make_unique<deploy::Deployer>(std::move(*deployment), config_.scripts_poll_ms);
  backend_.deployer = deployer_.get();
  backend_.journal = journal_.get();
  backend_.store = store_.get();
  if (config_.answer_cache_bytes > 0) {
    query::AnswerCache::Options answers;
    answers.bytes_max = config_.answer_cache_bytes;
    answers_ = std::make_unique<query::AnswerCache>(answers, metrics_);
    backend_.answers = answers_.get();
  }
  backend_.clock = env_->clock();
  backend_.metrics = &metrics_;
  backend_.unsigned_claims =
      config_.require_signatures ? api::UnsignedClaims::kRefused : api::UnsignedClaims::kFromLoopback;
  backend_.allowed_origins = config_.allowed_origins;
  return Status::Ok();
}

void Process::OpenSlowLane() {
  deploy::Deployment& deployment = deployer_->deployment();
  query::EngineOptions options;
  options.clock = env_->clock();
  options.metrics = &metrics_;
  options.live = &deployment.live();
  options.answers = answers_.get();
  const auto new_engine = [&] {
    options.recent = deployment.NewRecent();
    return std::make_unique<query::Engine>(store_->NewReader(), deployment.live().Current(), options);
  };
  api::SlowLane::Options lane;
  lane.threads = std::max<size_t>(1, config_.loops / 2);
  slow_lane_ = std::make_unique<api::SlowLane>(*env_->clock(), lane, new_engine);
  backend_.slow_lane = slow_lane_.get();
}

http::Options Process::ClientOptions() const {
  http::Options options;
  options.address = config_.bind.host;
  options.port = config_.bind.port;
  options.loops = config_.loops;
  options.limits.body_bytes_total_max = config_.body_memory_bytes;
  options.timeouts.drain_ms = kDrainMs;
  options.allowed_origins = config_.allowed_origins;
  return options;
}

http::Options Process::OperationsOptions() const {
  http::Options options;
  options.address = config_.dashboard.host;
  options.port = config_.dashboard.port;
  options.thread_name = "operations";
  options.timeouts.drain_ms = kOperationsDrainMs;
  options.allowed_origins = config_.allowed_origins;
  return options;
}

Status Process::Bind() {
  if (config_.has_dashboard) {
    auto operations = http::Server::Start(OperationsOptions(), api::OperationsServices(backend_));
    if (!operations) return operations.error().Annotate("STEMEDB_DASHBOARD_ADDR");
    operations_ = std::move(*operations);
  }
  auto clients = http::Server::Start(ClientOptions(), api::ClientServices(backend_));
  if (!clients) return clients.error().Annotate("STEMEDB_BIND_ADDR");
  clients_ = std::move(*clients);
  return WritePortFile();
}

// Lines of "api HOST:PORT" and "operations HOST:PORT"; complete as soon as it is there.
Status Process::WritePortFile() {
  if (port_file_.empty()) return Status::Ok();
  std::string text = "api " + FormatAddress({config_.bind.host, clients_->port()}) + "\n";
  if (operations_)
    text += "operations " + FormatAddress({config_.dashboard.host, operations_->port()}) + "\n";
  const std::string temporary = port_file_ + ".new";
  auto file = env_->OpenAppend(temporary);
  if (!file) return file.error();
  STEMEDB_RETURN_IF_ERROR((*file)->Truncate(0));
  STEMEDB_RETURN_IF_ERROR((*file)->Append(text));
  return env_->Rename(temporary, port_file_);
}

Status Process::SaveMetadata() {
  const store::Stats stats = store_->stats();
  return WriteMetadata(*env_, MetadataPath(config_.wal_dir),
                       {.assertion_count = stats.assertions,
                        .sequence = stats.sequence,
                        .wal_segment_count = stats.wal_segments,
                        .starts = starts_});
}

int Process::Start() {
  backend_.started_ns = env_->clock()->MonotonicNs();
  log_.Done(Step::kLogging, "log is set up");
  log_.Done(Step::kMetrics, "every family is registered");
  log_.Done(Step::kConfiguration, "settings are read",
            {{"loops", config_.loops}, {"version", STEMEDB_VERSION}});
  if (Status status = CheckDirectories(); !status.ok()) return log_.Failed(Step::kDirectories, status);
  log_.Done(Step::kDirectories, "usable", {{"wal", config_.wal_dir}, {"db", config_.db_dir}});
  if (Status status = OpenStore(); !status.ok()) return log_.Failed(StepOfStoreFailure(status), status);
  const auto starts = ReadStarts(*env_, MetadataPath(config_.wal_dir));
  if (!starts) return log_.Failed(Step::kDirectories, starts.error());
  starts_ = *starts + 1;
  metrics_.domain().restarts_total.Increment(static_cast<double>(starts_ - 1));
  if (Status status = SaveMetadata(); !status.ok()) return log_.Failed(Step::kDirectories, status);
  if (Status status = OpenTrail(); !status.ok()) return log_.Failed(Step::kDirectories, status);
  if (Status status = LoadScripts(); !status.ok()) return log_.Failed(Step::kScripts, status);
  log_.Done(Step::kScripts, "scripts are loaded, and hold their specs",
            {{"lenses", config_.lenses_dir},
             {"policies", config_.policies_dir},
             {"scripts", deployer_->deployment().live().Current()->scripts().size()}});
  OpenSlowLane();
  backend_.phase = api::Phase::kServing;
  RaiseDescriptorLimit();
  // From the first connection on, a stop finishes what is in flight.
  stop_signal_.Arm();
  if (Status status = Bind(); !status.ok()) return log_.Failed(Step::kBind, status);
  deployer_->Start();
  const std::string api_address = FormatAddress({config_.bind.host, clients_->port()});
  const std::string operations_address =
      operations_ ? FormatAddress({config_.dashboard.host, operations_->port()}) : "off";
  log_.Done(Step::kBind, "bound", {{"api", api_address}, {"operations", operations_address}});
  log_.Done(Step::kAccepting, "accepting connections");
  log_.Complete();
  return 0;
}

int Process::Stop() {
  const telemetry::Stopwatch stopwatch;
  backend_.phase = api::Phase::kDraining;
  deployer_->Stop();  // first: what waits for it is answered while its connections are there
  clients_->Stop();
  slow_lane_->Stop();
  store_->Close();
  const Status saved = SaveMetadata();
  if (!saved.ok())
    telemetry::LogError("server", "metadata.json was not written", {{"cause", saved.message()}});
  if (trail_) trail_->Stop();
  if (operations_) operations_->Stop();
  // Calls were refused, and counted, until the last connection ended.
  const Status audited = journal_->WriteRest();
  if (!audited.ok()) {
    telemetry::LogError("server", "refused calls are missing from the audit file",
                        {{"cause", audited.message()}});
  }
  telemetry::LogInfo("server", "Stopped", {{"ms", static_cast<int64_t>(stopwatch.Seconds() * 1e3)}});
  return saved.ok() ? 0 : 1;
}

int Process::Run() {
  if (const int code = Start(); code != 0) {
    if (deployer_) deployer_->Stop();
    if (slow_lane_) slow_lane_->Stop();
    return code;
  }
  const int signal = stop_signal_.Wait();
  telemetry::LogInfo("server", "Stopping: finishing what is in flight", {{"signal", signal}});
  return Stop();
}

}  // namespace

int Serve(const Invocation& invocation) {
  ReturnLargeBlocks();
  ExplainBusErrors();
  telemetry::ConfigureLog({.level = invocation.config.log_level, .format = invocation.config.log_format});
  return Process(invocation).Run();
}

}  // namespace stemedb::server
