// SPDX-License-Identifier: Apache-2.0
// Metric families as text: Prometheus' own format 0.0.4, or OpenMetrics 1.0.0 when the client asks for it.
#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <string_view>
#include <vector>

namespace stemedb::telemetry {

enum class ExpositionFormat : unsigned char { kPrometheus, kOpenMetrics };

// The format for an Accept header's value: OpenMetrics when it is listed with a quality above 0 that
// text/plain does not beat, else Prometheus' (also for an empty or malformed header).
ExpositionFormat NegotiateFormat(std::string_view accept);

// The Content-Type that goes with the format.
std::string_view ContentType(ExpositionFormat format);

std::string Expose(const std::vector<prometheus::MetricFamily>& families, ExpositionFormat format);

}  // namespace stemedb::telemetry
