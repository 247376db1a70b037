// SPDX-License-Identifier: Apache-2.0
// The metrics of one server: every family is registered here, so that every family is there from the first
// scrape, zero before the first event.
//
// The server room makes one Metrics and passes it down by reference; it must outlive everyone who keeps a
// handle. Handles are references that stay valid for its whole life. Where a family has labels, look the
// series up once (a lock, a hash, some 300 ns) and keep it: no hot path may search by label. Threads:
// everything may be called from any thread. Increment takes some 10 ns, Observe some 50 ns.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/metric_family.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/rate_window.h"

namespace stemedb::telemetry {

using prometheus::Counter;
using prometheus::Gauge;
using prometheus::Histogram;

struct WalMetrics {
  Histogram& fsync_latency_seconds;
  Counter& writes_total;         // records
  Counter& bytes_written_total;  // record headers included
  Gauge& disk_usage_bytes;
  Gauge& segments_count;
  Histogram& batch_size;             // records in one group commit
  Histogram& flush_latency_seconds;  // append and fsync of one group commit
  Counter& recovery_attempts_total;
  Histogram& recovery_duration_seconds;
  Counter& rotations_total;
};

struct StorageMetrics {
  Gauge& map_used_bytes;
  Gauge& map_size_bytes;
  Gauge& checkpoint_lag_records;
};

struct DomainMetrics {
  Counter& assertions_total;  // stored ones, counted across restarts: add the stored number once at start
  Counter& query_timeout_total;
  Counter& query_slow_lane_total;
  Gauge& watchers;  // open streams of /v1/watch
  Gauge& script_generation;
  Histogram& script_reload_duration_seconds;  // of a transaction, whatever it came to
  Counter& restarts_total;  // likewise: add the number from the data directory once at start
};

struct AnswerCacheMetrics {
  Counter& hits_total;
  Counter& stale_hits_total;  // not in hits_total
  Counter& misses_total;      // of answers that would be worth keeping
  Counter& evictions_total;
  Gauge& bytes;
};

struct AuditMetrics {
  Counter& queries_total;  // written to the trail of queries
  Gauge& disk_usage_bytes;
};

struct StorageSeries {
  Counter& operations;
  Histogram& duration_seconds;
  Counter& errors;
};

struct HttpSeries {
  Counter& requests;
  Histogram& duration_seconds;
};

struct QuerySeries {
  Counter& queries;
  Histogram& latency_seconds;
};

struct ScriptSeries {
  Counter& errors;        // calls that failed, whatever the reason
  Counter& budget_kills;  // those of them that were stopped
};

class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  const WalMetrics& wal() const;
  const StorageMetrics& storage() const;
  const DomainMetrics& domain() const;
  const AnswerCacheMetrics& answer_cache() const;
  const AuditMetrics& audit() const;

  // Label values come from our own code, never from a client: each new one is a series for ever.
  Counter& WalWriteError(std::string_view error);  // io_error, disk_full, wal_failed
  // operation: get, scan, commit, …; backend: assertions or indexes (the LMDB environment).
  StorageSeries Storage(std::string_view operation, std::string_view backend);
  Histogram& IndexLookup(std::string_view index);
  // `route` is the route's template, "/v1/assertions/{id}", or "unmatched"; an unknown method becomes
  // "other".
  HttpSeries Series(std::string_view method, std::string_view route, int status);
  // type: the problem's code slug; layer: where it arose (validation, auth, storage, script, …).
  Counter& Error(std::string_view type, std::string_view layer);
  // reason: the code of the 429.
  Counter& Rejected(std::string_view reason);
  QuerySeries Query(std::string_view endpoint);
  Histogram& Lens(std::string_view lens);
  ScriptSeries Script(std::string_view script);
  // reason: of a gap in the trail of queries (audit/query_record.h).
  Counter& AuditDropped(std::string_view reason);
  Counter& ScriptReload(std::string_view result);  // the names are those of deploy/outcome.h

  // Counts assertions that were just made durable: the ingested and stored totals and the rate per minute.
  void CountIngested(uint64_t assertions);

  // Every family, sorted by name, with the figures of this moment. Some 100 µs; not for a loop's hot path.
  std::vector<prometheus::MetricFamily> Collect();

 private:
  struct Families;
  std::unique_ptr<Families> families_;
  RateWindow ingested_;
};

}  // namespace stemedb::telemetry
