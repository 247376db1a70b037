// SPDX-License-Identifier: Apache-2.0
// What the kernel knows about this process, read from /proc/self at the moment of a scrape.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

namespace stemedb::telemetry {

// Appends the process_* families (and stemedb_process_resident_memory_bytes). A figure that /proc doesn't
// give is 0: a scrape never fails. Any thread; some 30 µs.
void AppendProcessFamilies(std::vector<prometheus::MetricFamily>& families);

}  // namespace stemedb::telemetry
