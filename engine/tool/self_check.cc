// SPDX-License-Identifier: Apache-2.0
#include "tool/self_check.h"

#include "script/policy.h"
#include "script/self_check.h"

namespace stemedb::tool {

Status SelfCheck(const script::ScriptInfo& info) {
  auto set = script::ScriptSet::Of({info}, 0);
  if (!set) return set.error();
  if (info.kind == "policy") {
    script::PolicyRunner runner(*set, {});
    return script::SelfCheckPolicy(runner, 0);
  }
  script::LensRunner runner(*set, {});
  return script::SelfCheck(runner, 0);
}

}  // namespace stemedb::tool
