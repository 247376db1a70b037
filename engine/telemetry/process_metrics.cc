// SPDX-License-Identifier: Apache-2.0
// The fields of /proc/self/stat are those of proc(5), counted from 1; the program's name (field 2) is in
// brackets and may hold blanks and brackets itself, so counting starts behind the last closing one, at
// field 3.
#include "telemetry/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "telemetry/metric_names.h"

namespace stemedb::telemetry {
namespace {

struct ProcessFigures {
  double cpu_seconds = 0;
  double threads = 0;
  double start_seconds = 0;  // since the Unix epoch
  double virtual_bytes = 0;
  double resident_bytes = 0;
};

std::string ReadLine(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// When the machine started, seconds since the Unix epoch. Read once: the kernel recomputes it from the wall
// clock, and a start time must not wander.
double BootSeconds() {
  std::ifstream file("/proc/stat");
  std::string key;
  for (double value = 0; file >> key;) {
    if (key == "btime" && file >> value) return value;
    std::getline(file, key);
  }
  return 0;
}

ProcessFigures ReadFigures() {
  static const double boot_seconds = BootSeconds();
  ProcessFigures figures;
  const std::string stat = ReadLine("/proc/self/stat");
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return figures;
  std::istringstream fields(stat.substr(name_end + 1));
  fields.imbue(std::locale::classic());
  std::string state;
  fields >> state;
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  double value = 0;
  for (int number = 4; number <= 24 && fields >> value; ++number) {
    if (number == 14 || number == 15) figures.cpu_seconds += value / ticks;
    if (number == 20) figures.threads = value;
    if (number == 22) figures.start_seconds = boot_seconds + value / ticks;
    if (number == 23) figures.virtual_bytes = value;
    if (number == 24) figures.resident_bytes = value * static_cast<double>(sysconf(_SC_PAGESIZE));
  }
  return figures;
}

double OpenFiles() {
  std::error_code failure;
  double count = 0;
  for (std::filesystem::directory_iterator it("/proc/self/fd", failure), end; !failure && it != end;
       it.increment(failure)) {
    ++count;
  }
  return count > 0 ? count - 1 : 0;  // without the one that reads the directory
}

double MaxFiles() {
  rlimit limit{};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? static_cast<double>(limit.rlim_cur) : 0;
}

prometheus::MetricFamily Single(const char* name, const char* help, prometheus::MetricType type,
                                double value) {
  prometheus::ClientMetric metric;
  metric.counter.value = value;
  metric.gauge.value = value;
  return {name, help, type, {metric}};
}

}  // namespace

void AppendProcessFamilies(std::vector<prometheus::MetricFamily>& families) {
  using prometheus::MetricType;
  const ProcessFigures figures = ReadFigures();
  const auto gauge = [&](const char* name, const char* help, double value) {
    families.push_back(Single(name, help, MetricType::Gauge, value));
  };
  families.push_back(Single(names::kProcessCpuSecondsTotal, "User and system CPU time spent, in seconds.",
                            MetricType::Counter, figures.cpu_seconds));
  gauge(names::kProcessOpenFds, "Open file descriptors.", OpenFiles());
  gauge(names::kProcessMaxFds, "Limit of open file descriptors.", MaxFiles());
  gauge(names::kProcessVirtualMemoryBytes, "Virtual memory, the sparse database map included.",
        figures.virtual_bytes);
  gauge(names::kProcessResidentMemoryBytes, "Resident memory.", figures.resident_bytes);
  gauge(names::kStemedbResidentMemoryBytes, "Resident memory, under the name that the alerts use.",
        figures.resident_bytes);
  gauge(names::kProcessStartTimeSeconds, "Start of the process, seconds since the Unix epoch.",
        figures.start_seconds);
  gauge(names::kProcessThreads, "Threads of the process.", figures.threads);
}

}  // namespace stemedb::telemetry
