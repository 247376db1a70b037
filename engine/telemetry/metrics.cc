// SPDX-License-Identifier: Apache-2.0
// Registration in one place. A family with labels shows up only once it has a series, so each gets the series
// that are certain to exist; that is why the constructor names a few label values.
//
// Two types are not what their suffix suggests: the stored assertions only ever grow (a retraction is a
// record more), so assertions_total is a counter; and wal_segments_count goes out untyped, because its name
// is a contract, while promtool forbids _count on a gauge.
#include "telemetry/metrics.h"

#include <prometheus/registry.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string>

#include "telemetry/metric_names.h"
#include "telemetry/process_metrics.h"

namespace stemedb::telemetry {
namespace {

using prometheus::Family;
using prometheus::Registry;
using Buckets = Histogram::BucketBoundaries;

// Seconds. An fsync takes 50 µs on a good disk and seconds on a dying one.
const Buckets kFastSeconds = {1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3,
                              1e-2, 2.5e-2, 5e-2, 0.1,  0.25,   0.5,  1,    2.5,    5};
// A request: from a cached answer to the time limit. 0.1 and 0.5 are alert thresholds.
const Buckets kRequestSeconds = {1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2,
                                 5e-2, 0.1,    0.25, 0.5,  1,      2.5,  5,    10};
const Buckets kRecoverySeconds = {0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 900};
const Buckets kBatchRecords = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384};

constexpr std::array<std::string_view, 9> kMethods = {"GET",    "HEAD",    "POST",    "PUT",  "PATCH",
                                                      "DELETE", "OPTIONS", "CONNECT", "TRACE"};

Family<Counter>& CounterFamily(Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}
Family<Gauge>& GaugeFamily(Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}
Family<Histogram>& HistogramFamily(Registry& registry, const char* name, const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}
Counter& OneCounter(Registry& registry, const char* name, const char* help) {
  return CounterFamily(registry, name, help).Add({});
}
Gauge& OneGauge(Registry& registry, const char* name, const char* help) {
  return GaugeFamily(registry, name, help).Add({});
}
Histogram& OneHistogram(Registry& registry, const char* name, const char* help, const Buckets& buckets) {
  return HistogramFamily(registry, name, help).Add({}, buckets);
}

WalMetrics MakeWal(Registry& r) {
  return {
      .fsync_latency_seconds = OneHistogram(r, names::kWalFsyncLatencySeconds,
                                            "Duration of one fdatasync of the WAL.", kFastSeconds),
      .writes_total = OneCounter(r, names::kWalWritesTotal, "Records written to the WAL."),
      .bytes_written_total = OneCounter(r, names::kWalBytesWrittenTotal, "Bytes written to the WAL."),
      .disk_usage_bytes = OneGauge(r, names::kWalDiskUsageBytes, "Bytes that the WAL's segments take."),
      .segments_count = OneGauge(r, names::kWalSegmentsCount, "Segments of the WAL."),
      .batch_size = OneHistogram(r, names::kWalBatchSize, "Records in one group commit.", kBatchRecords),
      .flush_latency_seconds =
          OneHistogram(r, names::kWalFlushLatencySeconds,
                       "Duration of one group commit: append and fdatasync.", kFastSeconds),
      .recovery_attempts_total =
          OneCounter(r, names::kWalRecoveryAttemptsTotal, "Recoveries of the WAL begun."),
      .recovery_duration_seconds = OneHistogram(r, names::kWalRecoveryDurationSeconds,
                                                "Duration of a recovery of the WAL.", kRecoverySeconds),
      .rotations_total =
          OneCounter(r, names::kWalRotationsTotal, "Segments of the WAL begun after the first."),
  };
}

StorageMetrics MakeStorage(Registry& r) {
  return {
      .map_used_bytes = OneGauge(r, names::kStorageMapUsedBytes, "Bytes in use of the databases' maps."),
      .map_size_bytes =
          OneGauge(r, names::kStorageMapSizeBytes, "Bytes that the databases' maps may grow to."),
      .checkpoint_lag_records = OneGauge(r, names::kCheckpointLagRecords,
                                         "Records in the WAL that the store has not taken over yet."),
  };
}

DomainMetrics MakeDomain(Registry& r) {
  return {
      .assertions_total =
          OneCounter(r, names::kAssertionsTotal, "Assertions stored, those from before the start included."),
      .query_timeout_total = OneCounter(r, names::kQueryTimeoutTotal, "Queries stopped at their time limit."),
      .query_slow_lane_total =
          OneCounter(r, names::kQuerySlowLaneTotal,
                     "Queries that took too long on their loop and were handed to the slow lane."),
      .watchers = OneGauge(r, names::kWatchers, "Clients that watch: open streams of /v1/watch."),
      .script_generation = OneGauge(r, names::kScriptGeneration, "Generation of the live script set."),
      .script_reload_duration_seconds =
          OneHistogram(r, names::kScriptReloadDurationSeconds,
                       "Duration of a reload, from reading the files to the new generation or the refusal.",
                       kRequestSeconds),
      .restarts_total = OneCounter(r, names::kRestartsTotal,
                                   "Starts of the server on this data directory after the first."),
  };
}

AnswerCacheMetrics MakeAnswerCache(Registry& r) {
  return {
      .hits_total = OneCounter(r, names::kAnswerCacheHitsTotal,
                               "Questions answered with a kept answer that was right at that moment."),
      .stale_hits_total = OneCounter(r, names::kAnswerCacheStaleHitsTotal,
                                     "Questions answered with a kept answer as old as they allowed."),
      .misses_total = OneCounter(r, names::kAnswerCacheMissesTotal,
                                 "Answers that were made and would have been worth keeping."),
      .evictions_total =
          OneCounter(r, names::kAnswerCacheEvictionsTotal, "Kept answers that were given up for room."),
      .bytes = OneGauge(r, names::kAnswerCacheBytes, "Bytes of memory that kept answers take."),
  };
}

AuditMetrics MakeAudit(Registry& r) {
  return {
      .queries_total = OneCounter(r, names::kAuditQueriesTotal, "Queries written to the audit trail."),
      .disk_usage_bytes =
          OneGauge(r, names::kAuditDiskUsageBytes, "Bytes that the audit trail of queries takes."),
  };
}

int64_t NowSeconds() {
  using std::chrono::duration_cast, std::chrono::seconds, std::chrono::steady_clock;
  return duration_cast<seconds>(steady_clock::now().time_since_epoch()).count();
}

// A gauge's family under another name's rules: same figures, no type.
void MakeUntyped(prometheus::MetricFamily& family) {
  family.type = prometheus::MetricType::Untyped;
  for (prometheus::ClientMetric& metric : family.metric) metric.untyped.value = metric.gauge.value;
}

}  // namespace

// Initialised from top to bottom: the registry first, as it owns all the rest.
struct Metrics::Families {
  Registry registry;
  WalMetrics wal = MakeWal(registry);
  StorageMetrics storage = MakeStorage(registry);
  DomainMetrics domain = MakeDomain(registry);
  AnswerCacheMetrics answer_cache = MakeAnswerCache(registry);
  AuditMetrics audit = MakeAudit(registry);
  Family<Counter>& audit_dropped =
      CounterFamily(registry, names::kAuditQueriesDroppedTotal,
                    "Queries that are missing from the audit trail, by the reason of the gap.");
  Counter& ingested_total =
      OneCounter(registry, names::kAssertionsIngestedTotal, "Assertions made durable since the start.");
  Gauge& ingest_rate =
      OneGauge(registry, names::kIngestRatePerMinute, "Assertions made durable in the last 60 seconds.");
  Family<Counter>& wal_write_errors =
      CounterFamily(registry, names::kWalWriteErrorsTotal, "Failed writes to the WAL.");
  Family<Histogram>& storage_duration = HistogramFamily(registry, names::kStorageOperationDurationSeconds,
                                                        "Duration of an operation of the store.");
  Family<Counter>& storage_operations =
      CounterFamily(registry, names::kStorageOperationsTotal, "Operations of the store.");
  Family<Counter>& storage_errors =
      CounterFamily(registry, names::kStorageOperationErrorsTotal, "Operations of the store that failed.");
  Family<Histogram>& index_lookup =
      HistogramFamily(registry, names::kIndexLookupDurationSeconds, "Duration of one lookup in an index.");
  Family<Counter>& http_requests =
      CounterFamily(registry, names::kHttpRequestsTotal, "HTTP requests answered.");
  Family<Histogram>& http_duration =
      HistogramFamily(registry, names::kHttpRequestDurationSeconds,
                      "Duration of an HTTP request, from its first byte to the answer's last.");
  Family<Counter>& errors =
      CounterFamily(registry, names::kErrorsTotal, "Errors by kind and by the layer where they arose.");
  Family<Counter>& rejected =
      CounterFamily(registry, names::kRequestsRejectedTotal, "Requests that a limit refused, by its reason.");
  Family<Counter>& queries = CounterFamily(registry, names::kQueriesTotal, "Queries answered.");
  Family<Histogram>& query_latency =
      HistogramFamily(registry, names::kQueryLatencySeconds, "Duration of a query, without HTTP.");
  Family<Histogram>& lens_duration =
      HistogramFamily(registry, names::kLensDurationSeconds, "Duration of one call of a lens.");
  Family<Counter>& script_errors =
      CounterFamily(registry, names::kScriptErrorsTotal, "Calls of a script that failed.");
  Family<Counter>& script_kills = CounterFamily(registry, names::kScriptBudgetKillsTotal,
                                                "Calls of a script that were stopped at its budget.");
  Family<Counter>& script_reloads = CounterFamily(registry, names::kScriptReloadTotal,
                                                  "What became of scripts whose files changed, by result.");
  Family<Gauge>& build_info = GaugeFamily(registry, names::kBuildInfo, "Always 1; the labels say what runs.");
};

Metrics::Metrics() : families_(std::make_unique<Families>()) {
  families_->build_info.Add({{"version", STEMEDB_VERSION}, {"compiler", __VERSION__}}).Set(1);
  for (const char* error : {"io_error", "disk_full", "wal_failed"}) WalWriteError(error);
  Storage("get", "assertions");
  Storage("scan", "indexes");
  Storage("commit", "assertions");
  Storage("commit", "indexes");
  for (const char* index : {"claims", "concepts"}) IndexLookup(index);
  Series("GET", "/metrics", 200);
  Error("invalid_request", "validation");
  Error("internal", "server");
  Rejected("quota_exceeded");
  Query("query");
  Lens("consensus");
  Script("consensus");
  ScriptReload("ok");
  for (const char* reason : {"buffer_full", "write_failed", "file_lost"}) AuditDropped(reason);
}

Metrics::~Metrics() = default;

const WalMetrics& Metrics::wal() const { return families_->wal; }
const StorageMetrics& Metrics::storage() const { return families_->storage; }
const DomainMetrics& Metrics::domain() const { return families_->domain; }
const AnswerCacheMetrics& Metrics::answer_cache() const { return families_->answer_cache; }
const AuditMetrics& Metrics::audit() const { return families_->audit; }

Counter& Metrics::AuditDropped(std::string_view reason) {
  return families_->audit_dropped.Add({{"reason", std::string(reason)}});
}

Counter& Metrics::WalWriteError(std::string_view error) {
  return families_->wal_write_errors.Add({{"error", std::string(error)}});
}

StorageSeries Metrics::Storage(std::string_view operation, std::string_view backend) {
  const prometheus::Labels labels = {{"operation", std::string(operation)},
                                     {"backend", std::string(backend)}};
  return {families_->storage_operations.Add(labels), families_->storage_duration.Add(labels, kFastSeconds),
          families_->storage_errors.Add({{"operation", std::string(operation)}})};
}

Histogram& Metrics::IndexLookup(std::string_view index) {
  return families_->index_lookup.Add({{"index", std::string(index)}}, kFastSeconds);
}

HttpSeries Metrics::Series(std::string_view method, std::string_view route, int status) {
  const bool known = std::find(kMethods.begin(), kMethods.end(), method) != kMethods.end();
  const prometheus::Labels labels = {{"method", known ? std::string(method) : "other"},
                                     {"path", std::string(route)},
                                     {"status", std::to_string(status)}};
  return {families_->http_requests.Add(labels), families_->http_duration.Add(labels, kRequestSeconds)};
}

Counter& Metrics::Error(std::string_view type, std::string_view layer) {
  return families_->errors.Add({{"type", std::string(type)}, {"layer", std::string(layer)}});
}

Counter& Metrics::Rejected(std::string_view reason) {
  return families_->rejected.Add({{"reason", std::string(reason)}});
}

QuerySeries Metrics::Query(std::string_view endpoint) {
  const prometheus::Labels labels = {{"endpoint", std::string(endpoint)}};
  return {families_->queries.Add(labels), families_->query_latency.Add(labels, kRequestSeconds)};
}

Histogram& Metrics::Lens(std::string_view lens) {
  return families_->lens_duration.Add({{"lens", std::string(lens)}}, kFastSeconds);
}

ScriptSeries Metrics::Script(std::string_view script) {
  const prometheus::Labels labels = {{"script", std::string(script)}};
  return {families_->script_errors.Add(labels), families_->script_kills.Add(labels)};
}

Counter& Metrics::ScriptReload(std::string_view result) {
  return families_->script_reloads.Add({{"result", std::string(result)}});
}

void Metrics::CountIngested(uint64_t assertions) {
  families_->ingested_total.Increment(static_cast<double>(assertions));
  families_->domain.assertions_total.Increment(static_cast<double>(assertions));
  ingested_.Add(assertions, NowSeconds());
}

std::vector<prometheus::MetricFamily> Metrics::Collect() {
  families_->ingest_rate.Set(static_cast<double>(ingested_.PerMinute(NowSeconds())));
  std::vector<prometheus::MetricFamily> all = families_->registry.Collect();
  AppendProcessFamilies(all);
  for (prometheus::MetricFamily& family : all) {
    if (family.name == names::kWalSegmentsCount) MakeUntyped(family);
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return all;
}

}  // namespace stemedb::telemetry
