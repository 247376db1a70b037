// SPDX-License-Identifier: Apache-2.0
// Gzip: compresses answers, one at a time. It keeps zlib's tables (some 260 KiB) from one to the next, so
// each loop has one of its own.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace stemedb::http {

class Gzip {
 public:
  Gzip();
  ~Gzip();

  // Replaces `out` with `text` as a gzip stream (RFC 1952). False when zlib fails or the result would be no
  // smaller: `out` is then meaningless.
  [[nodiscard]] bool Compress(std::string_view text, std::string& out);

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;  // made at the first use
};

}  // namespace stemedb::http
