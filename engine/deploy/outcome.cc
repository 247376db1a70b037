// SPDX-License-Identifier: Apache-2.0
#include "deploy/outcome.h"

#include <charconv>

namespace stemedb::deploy {

Status UnknownScript(std::string_view name) {
  return Status(Code::kNotFound, "unknown_script",
                "there is no script '" + std::string(name) + "', neither live nor in the directories");
}

std::string AcceptingCall(std::string_view name, const std::optional<Hash256>& sha256) {
  std::string call("POST /v1/admin/scripts/");
  call.append(name).append("/reload {\"accept\": true");
  if (sha256) call.append(", \"sha256\": \"").append(ToHex(*sha256)).append("\"");
  return call + "}";
}

Trouble TroubleOf(Outcome outcome, std::string_view message, int64_t time_ms) {
  constexpr std::string_view kEnding = ".lua";
  Trouble trouble{outcome, {}, 0, std::string(message), time_ms, {}, {}};
  const size_t ending = message.find(kEnding);
  if (ending == std::string_view::npos) return trouble;
  size_t begin = ending;
  while (begin > 0 && std::string_view(" /'(").find(message[begin - 1]) == std::string_view::npos) --begin;
  const size_t end = ending + kEnding.size();
  trouble.file = message.substr(begin, end - begin);
  if (end < message.size() && message[end] == ':') {
    std::from_chars(message.data() + end + 1, message.data() + message.size(), trouble.line);
  }
  return trouble;
}

}  // namespace stemedb::deploy
