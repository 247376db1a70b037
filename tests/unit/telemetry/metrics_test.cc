// SPDX-License-Identifier: Apache-2.0
// The metrics as a scraper sees them: what is claimed is looked up in the text that goes out.
#include "telemetry/metrics.h"

#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "telemetry/exposition.h"
#include "telemetry/metric_names.h"
#include "telemetry/stopwatch.h"

namespace stemedb::telemetry {
namespace {

std::string Scrape(Metrics& metrics, ExpositionFormat format = ExpositionFormat::kPrometheus) {
  return Expose(metrics.Collect(), format);
}

// The value of the sample whose text starts exactly so; -1 when there is none.
double ValueOf(const std::string& text, const std::string& sample) {
  const size_t at = ("\n" + text).find("\n" + sample + " ");
  return at == std::string::npos ? -1 : std::stod(text.substr(at + sample.size() + 1));
}

std::set<std::string> NamesInHeader() {
  std::ifstream header(STEMEDB_SOURCE_DIR "/engine/telemetry/metric_names.h");
  std::set<std::string> names;
  const std::regex quoted("\"([a-z_]+)\"");
  std::smatch found;
  for (std::string line; std::getline(header, line);) {
    if (std::regex_search(line, found, quoted)) names.insert(found[1]);
  }
  return names;
}

TEST(Metrics, EveryNamedFamilyIsThereFromTheFirstScrapeAndNoOther) {
  Metrics metrics;
  std::set<std::string> scraped;
  for (const prometheus::MetricFamily& family : metrics.Collect()) {
    EXPECT_FALSE(family.metric.empty()) << family.name;
    EXPECT_FALSE(family.help.empty()) << family.name;
    EXPECT_TRUE(scraped.insert(family.name).second) << family.name << " is there twice";
  }
  const std::set<std::string> named = NamesInHeader();
  EXPECT_GT(named.size(), 35u);
  EXPECT_EQ(scraped, named);
}

TEST(Metrics, CountersAreZeroBeforeTheFirstEvent) {
  Metrics metrics;
  const std::string text = Scrape(metrics);
  EXPECT_EQ(ValueOf(text, "stemedb_wal_writes_total"), 0);
  EXPECT_EQ(ValueOf(text, "stemedb_wal_write_errors_total{error=\"wal_failed\"}"), 0);
  EXPECT_EQ(ValueOf(text, "stemedb_wal_fsync_latency_seconds_count"), 0);
  EXPECT_EQ(ValueOf(text, "stemedb_restarts_total"), 0);
}

TEST(Metrics, WhatIsCountedIsScraped) {
  Metrics metrics;
  metrics.wal().writes_total.Increment(3);
  metrics.wal().segments_count.Set(2);
  metrics.wal().fsync_latency_seconds.Observe(94e-6);
  metrics.WalWriteError("disk_full").Increment();
  metrics.Error("invalid_request", "validation").Increment();
  metrics.Storage("get", "assertions").operations.Increment();
  metrics.Query("skeptic").queries.Increment();
  metrics.Lens("layered").Observe(0.001);
  const std::string text = Scrape(metrics);
  EXPECT_EQ(ValueOf(text, "stemedb_wal_writes_total"), 3);
  EXPECT_EQ(ValueOf(text, "stemedb_wal_segments_count"), 2);
  EXPECT_EQ(ValueOf(text, "stemedb_wal_fsync_latency_seconds_bucket{le=\"0.0001\"}"), 1);
  EXPECT_EQ(ValueOf(text, "stemedb_wal_fsync_latency_seconds_bucket{le=\"5e-05\"}"), 0);
  EXPECT_EQ(ValueOf(text, "stemedb_wal_write_errors_total{error=\"disk_full\"}"), 1);
  EXPECT_EQ(ValueOf(text, "stemedb_queries_total{endpoint=\"skeptic\"}"), 1);
  EXPECT_EQ(ValueOf(text, "stemedb_lens_duration_seconds_count{lens=\"layered\"}"), 1);
}

TEST(Metrics, ASeriesIsTheSameObjectEachTime) {
  Metrics metrics;
  const HttpSeries first = metrics.Series("POST", "/v1/assert", 201);
  for (int i = 0; i < 1000; ++i) metrics.Series("GET", "/route/" + std::to_string(i), 200);
  const HttpSeries again = metrics.Series("POST", "/v1/assert", 201);
  EXPECT_EQ(&first.requests, &again.requests);
  EXPECT_EQ(&first.duration_seconds, &again.duration_seconds);
  EXPECT_NE(&first.requests, &metrics.Series("POST", "/v1/assert", 200).requests);
}

TEST(Metrics, AnInventedMethodMakesNoSeriesOfItsOwn) {
  Metrics metrics;
  EXPECT_EQ(&metrics.Series("BREW", "unmatched", 405).requests,
            &metrics.Series("evil\"\n", "unmatched", 405).requests);
}

TEST(Metrics, IngestingMovesTheTotalsAndTheRate) {
  Metrics metrics;
  metrics.domain().assertions_total.Increment(1000);  // those from before the start
  metrics.CountIngested(5);
  metrics.CountIngested(2);
  const std::string text = Scrape(metrics);
  EXPECT_EQ(ValueOf(text, "stemedb_assertions_total"), 1007);
  EXPECT_EQ(ValueOf(text, "stemedb_assertions_ingested_total"), 7);
  EXPECT_EQ(ValueOf(text, "stemedb_ingest_rate_per_minute"), 7);
}

TEST(Metrics, MayBeScrapedWhileOthersCount) {
  Metrics metrics;
  std::vector<std::thread> counters;
  for (int t = 0; t < 3; ++t) {
    counters.emplace_back([&metrics, t] {
      for (int i = 0; i < 2000; ++i) {
        metrics.Series("GET", "/route/" + std::to_string((i + t) % 20), 200).requests.Increment();
        metrics.wal().fsync_latency_seconds.Observe(1e-4);
        metrics.CountIngested(1);
      }
    });
  }
  for (int i = 0; i < 20; ++i) Scrape(metrics);
  for (std::thread& counter : counters) counter.join();
  EXPECT_EQ(ValueOf(Scrape(metrics), "stemedb_wal_fsync_latency_seconds_count"), 6000);
}

TEST(ProcessMetrics, ComeFromTheKernel) {
  Metrics metrics;
  const std::string text = Scrape(metrics);
  const double resident = ValueOf(text, "process_resident_memory_bytes");
  EXPECT_GT(resident, 1e6);
  EXPECT_EQ(ValueOf(text, "stemedb_process_resident_memory_bytes"), resident);
  EXPECT_GE(ValueOf(text, "process_virtual_memory_bytes"), resident);
  EXPECT_GE(ValueOf(text, "process_open_fds"), 3);
  EXPECT_GE(ValueOf(text, "process_max_fds"), ValueOf(text, "process_open_fds"));
  EXPECT_GE(ValueOf(text, "process_threads"), 1);
  EXPECT_GE(ValueOf(text, "process_cpu_seconds_total"), 0);
  const double age_s = static_cast<double>(time(nullptr)) - ValueOf(text, "process_start_time_seconds");
  EXPECT_GT(age_s, -5);
  EXPECT_LT(age_s, 3600);
}

TEST(ScopedTimer, ObservesOnceWhenTheScopeEnds) {
  Metrics metrics;
  { const ScopedTimer timer(metrics.IndexLookup("predicate")); }
  EXPECT_EQ(ValueOf(Scrape(metrics), "stemedb_index_lookup_duration_seconds_count{index=\"predicate\"}"), 1);
}

}  // namespace
}  // namespace stemedb::telemetry
