// SPDX-License-Identifier: Apache-2.0
// The rehearsal: all that a script must pass before anybody's question reaches it, in the sandbox and with
// the budgets of production. Needs no database; the same at start-up and at a reload.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/status.h"
#include "deploy/outcome.h"
#include "script/lens.h"

namespace stemedb::deploy {

struct Rehearsal {
  Outcome outcome = Outcome::kOk;  // or one of the failures
  Status why;                      // ok, or file, line, what
  script::ScriptInfo info;         // once it could be described
};

// Compiles, reads the description, runs the spec if there is one and, for a lens, the self-check. `kind` is
// what the directory is for. When `stop` says so it ends within a call of the script, and what it came to
// means nothing.
Rehearsal Rehearse(const std::string& kind, const script::ScriptFile& file,
                   const std::optional<script::ScriptFile>& spec, const std::function<bool()>& stop);

// The spec alone, against a script that has been checked.
Status RehearseSpec(const script::ScriptInfo& script, const script::ScriptFile& spec,
                    const std::function<bool()>& stop);

}  // namespace stemedb::deploy
