// SPDX-License-Identifier: Apache-2.0
#include "query/script_time.h"

#include <ctime>
#include <string>

namespace stemedb::query {
namespace {

double ThreadCpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

}  // namespace

Status ScriptTime::Check() {
  if (wall_seconds_ > 0 && cpu_began_seconds_ < 0) cpu_began_seconds_ = ThreadCpuSeconds();
  if (wall_seconds_ < seconds_max_ || ThreadCpuSeconds() - cpu_began_seconds_ < seconds_max_)
    return Status::Ok();
  return Status(Code::kDeadlineExceeded, "query_timeout",
                "the question's lens calls took longer than " +
                    std::to_string(static_cast<int>(seconds_max_ * 1000)) +
                    " ms together; ask for a narrower concept path or name a predicate");
}

}  // namespace stemedb::query
