// SPDX-License-Identifier: Apache-2.0
// The two text formats. Beside the claims here, tests/unit/telemetry/exposition_check.py lets promtool and
// the reference OpenMetrics parser read what a fresh and a used server would show.
#include "telemetry/exposition.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "telemetry/metrics.h"

namespace stemedb::telemetry {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

TEST(NegotiateFormat, GivesOpenMetricsOnlyToThoseWhoAsk) {
  EXPECT_EQ(NegotiateFormat(""), ExpositionFormat::kPrometheus);
  EXPECT_EQ(NegotiateFormat("*/*"), ExpositionFormat::kPrometheus);
  EXPECT_EQ(NegotiateFormat("text/plain"), ExpositionFormat::kPrometheus);
  EXPECT_EQ(NegotiateFormat("application/openmetrics-text"), ExpositionFormat::kOpenMetrics);
  // What Prometheus 2.42 sends.
  EXPECT_EQ(
      NegotiateFormat("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;"
                      "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"),
      ExpositionFormat::kOpenMetrics);
  EXPECT_EQ(NegotiateFormat("application/openmetrics-text; q=0.3, text/plain; q=0.9"),
            ExpositionFormat::kPrometheus);
  EXPECT_EQ(NegotiateFormat("application/openmetrics-text;q=0"), ExpositionFormat::kPrometheus);
  EXPECT_EQ(NegotiateFormat("application/openmetrics-text;q=bad"), ExpositionFormat::kPrometheus);
  EXPECT_EQ(NegotiateFormat(",;,;;=,"), ExpositionFormat::kPrometheus);
}

MetricFamily Family(const char* name, MetricType type) {
  return {name, "Help \"x\"\\\n.", type, {ClientMetric{}}};
}

TEST(OpenMetrics, ACountersFamilyHasNoTotalButItsSampleHas) {
  MetricFamily family = Family("a_total", MetricType::Counter);
  family.metric[0].counter.value = 3;
  family.metric[0].label = {{"l", "a\"b\\c\nd"}};
  EXPECT_EQ(Expose({family}, ExpositionFormat::kOpenMetrics),
            "# HELP a Help \\\"x\\\"\\\\\\n.\n# TYPE a counter\na_total{l=\"a\\\"b\\\\c\\nd\"} 3.0\n# EOF\n");
}

TEST(OpenMetrics, AHistogramEndsWithInfinity) {
  MetricFamily family = Family("h_seconds", MetricType::Histogram);
  family.metric[0].histogram = {.sample_count = 5, .sample_sum = 0.75, .bucket = {{2, 0.1}, {4, 1}}};
  const std::string text = Expose({family}, ExpositionFormat::kOpenMetrics);
  EXPECT_NE(
      text.find(
          "# TYPE h_seconds histogram\nh_seconds_bucket{le=\"0.1\"} 2.0\nh_seconds_bucket{le=\"1.0\"} 4.0\n"
          "h_seconds_bucket{le=\"+Inf\"} 5.0\nh_seconds_count 5.0\nh_seconds_sum 0.75\n# EOF\n"),
      std::string::npos)
      << text;
}

TEST(OpenMetrics, UntypedIsCalledUnknown) {
  MetricFamily family = Family("u", MetricType::Untyped);
  family.metric[0].untyped.value = -INFINITY;
  const std::string text = Expose({family}, ExpositionFormat::kOpenMetrics);
  EXPECT_NE(text.find("# TYPE u unknown\nu -Inf\n"), std::string::npos) << text;
}

TEST(OpenMetrics, NothingAtAllIsStillADocument) {
  EXPECT_EQ(Expose({}, ExpositionFormat::kOpenMetrics), "# EOF\n");
}

// Writes the documents that exposition_check.py judges, when it asks for them by the variable.
TEST(Exposition, WritesSamplesForTheCheckersOutside) {
  const char* const directory = std::getenv("STEMEDB_EXPOSITION_DIR");
  if (directory == nullptr) GTEST_SKIP() << "runs as part of the ctest telemetry_exposition";
  Metrics metrics;
  const auto write = [&](const std::string& state) {
    std::ofstream(directory + ("/" + state + ".prom"))
        << Expose(metrics.Collect(), ExpositionFormat::kPrometheus);
    std::ofstream(directory + ("/" + state + ".om"))
        << Expose(metrics.Collect(), ExpositionFormat::kOpenMetrics);
  };
  write("fresh");
  metrics.CountIngested(12);
  metrics.wal().segments_count.Set(3);
  metrics.wal().batch_size.Observe(64);
  metrics.wal().fsync_latency_seconds.Observe(94e-6);
  metrics.Series("POST", "/v1/assertions/{id}", 201).requests.Increment();
  metrics.Series("POST", "/v1/assertions/{id}", 201).duration_seconds.Observe(0.0021);
  metrics.Error("quote\"back\\slash\nline", "test").Increment();
  write("used");
}

}  // namespace
}  // namespace stemedb::telemetry
