// SPDX-License-Identifier: Apache-2.0
// prometheus-cpp writes the Prometheus format itself. OpenMetrics differs in four places, which is all this
// file is about: a counter's family name has no _total (its sample has), untyped is called unknown, a
// bucket's bound and every other number is a float with a point, and the text ends with # EOF.
#include "telemetry/exposition.h"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace stemedb::telemetry {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

std::string_view Trim(std::string_view text) {
  const size_t from = text.find_first_not_of(" \t");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t") - from + 1);
}

// Cuts the part before the next separator off `rest`.
std::string_view NextPart(std::string_view& rest, char separator) {
  const size_t end = rest.find(separator);
  const std::string_view part = Trim(rest.substr(0, end));
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  return part;
}

// The q of one element's parameters (RFC 9110 §12.4.2); 1 when there is none, 0 when it can't be read.
double Quality(std::string_view parameters) {
  while (!parameters.empty()) {
    std::string_view parameter = NextPart(parameters, ';');
    if (!parameter.starts_with("q=") && !parameter.starts_with("Q=")) continue;
    parameter.remove_prefix(2);
    double q = 0;
    const auto read = std::from_chars(parameter.data(), parameter.data() + parameter.size(), q);
    return read.ec == std::errc() && q >= 0 && q <= 1 ? q : 0;
  }
  return 1;
}

void AppendNumber(std::string& out, double value) {
  if (std::isnan(value)) {
    out.append("NaN");
  } else if (std::isinf(value)) {
    out.append(value > 0 ? "+Inf" : "-Inf");
  } else {
    char text[40];
    const size_t size = static_cast<size_t>(std::to_chars(text, text + sizeof text, value).ptr - text);
    out.append(text, size);
    if (std::string_view(text, size).find_first_of(".e") == std::string_view::npos) out.append(".0");
  }
}

void AppendEscaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c == '\n') {
      out.append("\\n");
    } else {
      if (c == '\\' || c == '"') out.push_back('\\');
      out.push_back(c);
    }
  }
}

std::string_view TypeName(MetricType type) {
  switch (type) {
    case MetricType::Counter:
      return "counter";
    case MetricType::Gauge:
      return "gauge";
    case MetricType::Histogram:
      return "histogram";
    case MetricType::Summary:
      return "summary";
    case MetricType::Untyped:
      break;
  }
  return "unknown";
}

struct ExtraLabel {
  std::string_view name;
  double value = 0;
};

void AppendSample(std::string& out, std::string_view name, const ClientMetric& metric,
                  const ExtraLabel& extra, double value) {
  out.append(name);
  char before = '{';
  for (const ClientMetric::Label& label : metric.label) {
    out.push_back(before);
    out.append(label.name).append("=\"");
    AppendEscaped(out, label.value);
    out.push_back('"');
    before = ',';
  }
  if (!extra.name.empty()) {
    out.push_back(before);
    out.append(extra.name).append("=\"");
    AppendNumber(out, extra.value);
    out.push_back('"');
    before = ',';
  }
  out.append(before == ',' ? "} " : " ");
  AppendNumber(out, value);
  out.push_back('\n');
}

void AppendHistogram(std::string& out, const std::string& name, const ClientMetric& metric) {
  const std::string bucket_name = name + "_bucket";
  bool infinite = false;
  for (const ClientMetric::Bucket& bucket : metric.histogram.bucket) {
    infinite = infinite || std::isinf(bucket.upper_bound);
    AppendSample(out, bucket_name, metric, {"le", bucket.upper_bound},
                 static_cast<double>(bucket.cumulative_count));
  }
  const auto count = static_cast<double>(metric.histogram.sample_count);
  if (!infinite) AppendSample(out, bucket_name, metric, {"le", INFINITY}, count);
  AppendSample(out, name + "_count", metric, {}, count);
  AppendSample(out, name + "_sum", metric, {}, metric.histogram.sample_sum);
}

void AppendSummary(std::string& out, const std::string& name, const ClientMetric& metric) {
  for (const ClientMetric::Quantile& quantile : metric.summary.quantile) {
    AppendSample(out, name, metric, {"quantile", quantile.quantile}, quantile.value);
  }
  AppendSample(out, name + "_count", metric, {}, static_cast<double>(metric.summary.sample_count));
  AppendSample(out, name + "_sum", metric, {}, metric.summary.sample_sum);
}

void AppendMetric(std::string& out, const MetricFamily& family, const std::string& name,
                  const ClientMetric& metric) {
  switch (family.type) {
    case MetricType::Counter:
      AppendSample(out, name + "_total", metric, {}, metric.counter.value);
      break;
    case MetricType::Gauge:
      AppendSample(out, name, metric, {}, metric.gauge.value);
      break;
    case MetricType::Histogram:
      AppendHistogram(out, name, metric);
      break;
    case MetricType::Summary:
      AppendSummary(out, name, metric);
      break;
    case MetricType::Untyped:
      AppendSample(out, name, metric, {}, metric.untyped.value);
      break;
  }
}

void AppendFamily(std::string& out, const MetricFamily& family) {
  std::string name = family.name;
  if (family.type == MetricType::Counter && name.ends_with("_total")) name.resize(name.size() - 6);
  out.append("# HELP ").append(name).push_back(' ');
  AppendEscaped(out, family.help);
  out.append("\n# TYPE ").append(name).push_back(' ');
  out.append(TypeName(family.type)).push_back('\n');
  for (const ClientMetric& metric : family.metric) AppendMetric(out, family, name, metric);
}

}  // namespace

ExpositionFormat NegotiateFormat(std::string_view accept) {
  double open_metrics = 0, plain = 0;
  while (!accept.empty()) {
    std::string_view element = NextPart(accept, ',');
    const std::string_view type = NextPart(element, ';');
    double* const quality = type == "application/openmetrics-text" ? &open_metrics
                            : type == "text/plain"                 ? &plain
                                                                   : nullptr;
    if (quality != nullptr) *quality = std::max(*quality, Quality(element));
  }
  return open_metrics > 0 && open_metrics >= plain ? ExpositionFormat::kOpenMetrics
                                                   : ExpositionFormat::kPrometheus;
}

std::string_view ContentType(ExpositionFormat format) {
  if (format == ExpositionFormat::kOpenMetrics) {
    return "application/openmetrics-text; version=1.0.0; charset=utf-8";
  }
  return "text/plain; version=0.0.4; charset=utf-8";
}

std::string Expose(const std::vector<MetricFamily>& families, ExpositionFormat format) {
  if (format == ExpositionFormat::kPrometheus) return prometheus::TextSerializer().Serialize(families);
  std::string out;
  for (const MetricFamily& family : families) AppendFamily(out, family);
  out.append("# EOF\n");
  return out;
}

}  // namespace stemedb::telemetry
