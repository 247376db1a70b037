// SPDX-License-Identifier: Apache-2.0
// ParseHead: from the bytes of a head that HeadScanner let pass to a Request and its Framing. llhttp cuts the
// text; what the fields mean together is judged here, strictly as RFC 9112 §3.2, §6 and §9 have it:
//   exactly one valid Host in HTTP/1.1, at most one in HTTP/1.0;
//   Content-Length at most once, digits alone, never beside Transfer-Encoding;
//   Transfer-Encoding in HTTP/1.1 only, "chunked" last and once, no other coding;
//   Content-Encoding identity, Expect 100-continue.
#pragma once

#include <cstdint>

#include "http/head_scanner.h"
#include "http/message.h"
#include "http/padded_buffer.h"

namespace stemedb::http {

struct Framing {
  uint64_t content_length = 0;
  bool chunked = false;
  bool keep_alive = true;
  bool http_1_0 = false;
  bool expects_continue = false;
  bool accepts_gzip = false;
};

// Fills request's views of `head` (not peer, route, params or a made-up request id). Thread: any. On a
// refusal request and framing may be half filled, but every view in them is valid.
Refusal ParseHead(const PaddedBuffer& head, Request& request, Framing& framing);

}  // namespace stemedb::http
