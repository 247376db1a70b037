// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4) by OpenSSL, which uses the processor's SHA instructions. A Sha256 object belongs to
// one thread.
#pragma once

#include <span>
#include <string_view>

#include "base/bytes.h"

namespace stemedb::crypto {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  Sha256& Update(std::string_view bytes);
  Sha256& Update(std::span<const uint8_t> bytes) { return Update(AsView(bytes)); }
  // The digest of all updates; the object is ready for the next message.
  Hash256 Finish();

  // The digest of one message, with a reused context of the calling thread.
  static Hash256 Of(std::string_view bytes);

 private:
  void* context_;
};

}  // namespace stemedb::crypto
