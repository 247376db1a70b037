// SPDX-License-Identifier: Apache-2.0
// What the console reads of the server's own words: its problems (RFC 9457) and its health.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace stemedb::console {

// "unknown_lens: there is no lens 'x'; there are …", with each wrong field behind it. `reason` is the code.
Status ProblemStatus(std::string_view body, long http_status);

// "version 0.1.0, 8000 assertions, up to sequence 8000"; empty when the text is no health.
std::string HealthLine(std::string_view health);

}  // namespace stemedb::console
