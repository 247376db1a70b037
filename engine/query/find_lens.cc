// SPDX-License-Identifier: Apache-2.0
#include "query/find_lens.h"

#include <string>

namespace stemedb::query {

Result<int> FindLens(const script::ScriptSet& scripts, std::string_view name) {
  const int lens = scripts.Find(name);
  if (lens >= 0 && scripts.scripts()[static_cast<size_t>(lens)].kind == "lens") return lens;
  std::string known;
  for (const script::ScriptInfo& script : scripts.scripts()) {
    if (script.kind == "lens") known.append(known.empty() ? "" : ", ").append(script.name);
  }
  return Status(Code::kNotFound, "unknown_lens",
                "there is no lens '" + std::string(name) + "'; there are " + known);
}

}  // namespace stemedb::query
