// SPDX-License-Identifier: Apache-2.0
// ScriptTime: what one question may spend in its lens calls together. Each call has a budget of its own, but
// a subtree has thousands of them.
//
// Time by the clock on the wall is at hand for each call; it is what the other requests of the loop wait for.
// But on a machine that is busy with others an honest question would fail by it, so once it is used up the
// thread's processor time since the question's first call must be, too.
#pragma once

#include "base/status.h"

namespace stemedb::query {

class ScriptTime {
 public:
  explicit ScriptTime(double seconds_max) : seconds_max_(seconds_max) {}
  void Add(double wall_seconds) { wall_seconds_ += wall_seconds; }
  // kDeadlineExceeded "query_timeout" when there is none left.
  Status Check();

 private:
  double seconds_max_;
  double cpu_began_seconds_ =
      -1;  // at the second call: most questions have but one, and looking costs a system call
  double wall_seconds_ = 0;
};

}  // namespace stemedb::query
