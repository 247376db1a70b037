// SPDX-License-Identifier: Apache-2.0
// The events of GET /v1/watch as text (server-sent events, WHATWG HTML §9.2), and which of a lens's answers
// are news. An event's data are JSON on one line: JSON text holds no line ends of its own.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/bytes.h"
#include "base/status.h"
#include "store/reader.h"

namespace stemedb::api {

inline constexpr std::string_view kKeepAlive = ": keep-alive\n\n";

// From where on it is watched.
void AppendHello(std::string& out, uint64_t sequence);
// What lies between the client's last event and `sequence` is more than is replayed.
void AppendReset(std::string& out, uint64_t sequence);
// `status` of a claim; empty when it isn't known: the event has none then.
void AppendRecordEvent(std::string& out, const store::Record& record, std::string_view status);
void AppendFailure(std::string& out, const Status& status);

// What was told last of each pair (path, 00, predicate): the SHA-256 of its state, since states hold values
// of up to 64 KiB each and are kept for as long as somebody watches.
using Told = std::unordered_map<std::string, Hash256>;

// The resolutions of one answer of the engine's, held against those that were sent before.
class ResolutionChanges {
 public:
  // The parser is the calling thread's own and in use as long as this lives; `answer` outlives it.
  ResolutionChanges(simdjson::dom::parser& parser, const std::string& answer);

  size_t pairs() const { return resolutions_.size(); }
  // Calls send for each event that is due, and brings `told` up to date with what it was called with; stops
  // after a call that returns false. True when nothing is left to be told.
  bool Tell(Told& told, uint64_t sequence, const std::function<bool(std::string_view event)>& send) const;

 private:
  struct Resolution {
    std::string_view text;  // as the engine has written it
    std::string key;        // path, 00, predicate
    Hash256 state{};        // of winner, value, confidence, status
  };
  std::string EventOf(uint64_t sequence, std::string_view key, std::string_view resolution) const;

  std::string lens_, as_of_;  // JSON
  std::vector<Resolution> resolutions_;
};

}  // namespace stemedb::api
