// SPDX-License-Identifier: Apache-2.0
// Every metric family's name, once. Documents, dashboards and alert rules are checked against this list.
// The names are a contract with operators: they may be added to, not changed.
#pragma once

namespace stemedb::telemetry::names {

// Write-ahead log.
inline constexpr char kWalFsyncLatencySeconds[] = "stemedb_wal_fsync_latency_seconds";
inline constexpr char kWalWritesTotal[] = "stemedb_wal_writes_total";
inline constexpr char kWalBytesWrittenTotal[] = "stemedb_wal_bytes_written_total";
inline constexpr char kWalWriteErrorsTotal[] = "stemedb_wal_write_errors_total";
inline constexpr char kWalDiskUsageBytes[] = "stemedb_wal_disk_usage_bytes";
inline constexpr char kWalSegmentsCount[] = "stemedb_wal_segments_count";
inline constexpr char kWalBatchSize[] = "stemedb_wal_batch_size";
inline constexpr char kWalFlushLatencySeconds[] = "stemedb_wal_flush_latency_seconds";
inline constexpr char kWalRecoveryAttemptsTotal[] = "stemedb_wal_recovery_attempts_total";
inline constexpr char kWalRecoveryDurationSeconds[] = "stemedb_wal_recovery_duration_seconds";
inline constexpr char kWalRotationsTotal[] = "stemedb_wal_rotations_total";

// Storage.
inline constexpr char kStorageOperationDurationSeconds[] = "stemedb_storage_operation_duration_seconds";
inline constexpr char kStorageOperationsTotal[] = "stemedb_storage_operations_total";
inline constexpr char kStorageOperationErrorsTotal[] = "stemedb_storage_operation_errors_total";
inline constexpr char kIndexLookupDurationSeconds[] = "stemedb_index_lookup_duration_seconds";
inline constexpr char kStorageMapUsedBytes[] = "stemedb_storage_map_used_bytes";
inline constexpr char kStorageMapSizeBytes[] = "stemedb_storage_map_size_bytes";
inline constexpr char kCheckpointLagRecords[] = "stemedb_checkpoint_lag_records";

// HTTP and errors of every layer.
inline constexpr char kHttpRequestsTotal[] = "stemedb_http_requests_total";
inline constexpr char kHttpRequestDurationSeconds[] = "stemedb_http_request_duration_seconds";
inline constexpr char kErrorsTotal[] = "stemedb_errors_total";

// Domain.
inline constexpr char kAssertionsTotal[] = "stemedb_assertions_total";
inline constexpr char kAssertionsIngestedTotal[] = "stemedb_assertions_ingested_total";
inline constexpr char kIngestRatePerMinute[] = "stemedb_ingest_rate_per_minute";
inline constexpr char kQueriesTotal[] = "stemedb_queries_total";
inline constexpr char kQueryLatencySeconds[] = "stemedb_query_latency_seconds";
inline constexpr char kQuerySlowLaneTotal[] = "stemedb_query_slow_lane_total";
inline constexpr char kQueryTimeoutTotal[] = "stemedb_query_timeout_total";
inline constexpr char kWatchers[] = "stemedb_watchers";
inline constexpr char kLensDurationSeconds[] = "stemedb_lens_duration_seconds";
inline constexpr char kRequestsRejectedTotal[] = "stemedb_requests_rejected_total";
inline constexpr char kScriptGeneration[] = "stemedb_script_generation";
inline constexpr char kScriptReloadTotal[] = "stemedb_script_reload_total";
inline constexpr char kScriptReloadDurationSeconds[] = "stemedb_script_reload_duration_seconds";
inline constexpr char kScriptErrorsTotal[] = "stemedb_script_errors_total";
inline constexpr char kScriptBudgetKillsTotal[] = "stemedb_script_budget_kills_total";

// Answers that are kept.
inline constexpr char kAnswerCacheHitsTotal[] = "stemedb_answer_cache_hits_total";
inline constexpr char kAnswerCacheStaleHitsTotal[] = "stemedb_answer_cache_stale_hits_total";
inline constexpr char kAnswerCacheMissesTotal[] = "stemedb_answer_cache_misses_total";
inline constexpr char kAnswerCacheEvictionsTotal[] = "stemedb_answer_cache_evictions_total";
inline constexpr char kAnswerCacheBytes[] = "stemedb_answer_cache_bytes";

// The trail of queries.
inline constexpr char kAuditQueriesTotal[] = "stemedb_audit_queries_total";
inline constexpr char kAuditQueriesDroppedTotal[] = "stemedb_audit_queries_dropped_total";
inline constexpr char kAuditDiskUsageBytes[] = "stemedb_audit_disk_usage_bytes";

// Process. The process_* names without our prefix are those that every Prometheus client library gives.
inline constexpr char kRestartsTotal[] = "stemedb_restarts_total";
inline constexpr char kBuildInfo[] = "stemedb_build_info";
inline constexpr char kStemedbResidentMemoryBytes[] = "stemedb_process_resident_memory_bytes";
inline constexpr char kProcessCpuSecondsTotal[] = "process_cpu_seconds_total";
inline constexpr char kProcessOpenFds[] = "process_open_fds";
inline constexpr char kProcessMaxFds[] = "process_max_fds";
inline constexpr char kProcessResidentMemoryBytes[] = "process_resident_memory_bytes";
inline constexpr char kProcessVirtualMemoryBytes[] = "process_virtual_memory_bytes";
inline constexpr char kProcessStartTimeSeconds[] = "process_start_time_seconds";
inline constexpr char kProcessThreads[] = "process_threads";

}  // namespace stemedb::telemetry::names
