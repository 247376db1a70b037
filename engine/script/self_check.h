// SPDX-License-Identifier: Apache-2.0
// The self-check: claims that are awkward, hostile or just rare, put to a lens before it may answer anybody.
// What a lens says to them is its own affair; that it says something, without an error, and says it again
// when it is asked again, is not.
#pragma once

#include <functional>

#include "base/status.h"
#include "script/lens.h"

namespace stemedb::script {

// Asks the lens with its default parameters, everything twice, the second time with notes. kInternal
// "lens_failed" with the kind of claims, file and line. `stop`, if there is one, is asked between two calls:
// kUnavailable "cut_off" when it says so.
Status SelfCheck(LensRunner& runner, int script, const std::function<bool()>& stop = nullptr);

}  // namespace stemedb::script
