// SPDX-License-Identifier: Apache-2.0
// Sender: who a request comes from, as far as its head says, for whoever counts requests. The address is the
// peer's; but when this machine passes a request on (a reverse proxy on loopback), it is the last hop that
// the proxy names in Forwarded or X-Forwarded-For; a proxy that shows itself by other fields alone names
// nobody. What a peer that is not loopback says of others is not believed, and neither are the earlier hops,
// which anybody may have written. And Client: whom it waits for where those who ask take turns.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/message.h"

namespace stemedb::api {

struct Sender {
  // As text, for policies; a view into the request, or static.
  std::string_view address;
  bool is_loopback = false;  // a program on this machine, and no proxy
  bool is_signed = false;    // carries X-Agent-Signature
  std::string_view agent;    // X-Agent-Id when that is a key's 64 lower-case digits: named, not proven
  uint64_t body_bytes = 0;   // Content-Length
};

// Whether the field (its name in lower case) is one that proxies add: Forwarded, Via, X-Real-IP or any
// X-Forwarded-*. A request with such a field isn't from a program on this machine. A proxy that adds none
// can't be told from one.
bool IsProxyField(std::string_view name);

// One pass over the fields; nothing is copied.
Sender SenderOf(const http::Request& request);

// What stands for an address: the 4 bytes of an IPv4 address (mapped ones too), the first 8 of an IPv6
// address, since a network of 64 bits belongs to one customer; else the text itself.
std::string AddressKey(std::string_view address);

// Who asks, where those who ask take turns. Questions prove nothing, so it is the address that would pay for
// them, and then one of its connections. All programs on this machine have one address: there each connection
// stands for itself (docs/decisions/0019).
struct Client {
  std::string address;  // AddressKey, or a text for one connection
  uint64_t connection = 0;
};
Client ClientOf(const http::Request& request);

}  // namespace stemedb::api
