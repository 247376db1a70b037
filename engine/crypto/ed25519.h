// SPDX-License-Identifier: Apache-2.0
// Ed25519 signatures (RFC 8032) by libsodium. Keys and signatures are the RFC's raw bytes: a public key of
// 32, a signature of 64, a private key given as its 32-byte seed. All functions may be called from any
// thread.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "base/status.h"

namespace stemedb::crypto {

using PublicKey = std::array<uint8_t, 32>;
using SignatureBytes = std::array<uint8_t, 64>;

// A message handed over in parts is signed as their concatenation.
using MessageParts = std::initializer_list<std::string_view>;

// An agent's key. Holds the secret in memory and wipes it at the end of its life.
class KeyPair {
 public:
  // kInvalidArgument "invalid_seed" unless `seed` has 32 bytes; kInternal when libsodium can't start.
  static Result<KeyPair> FromSeed(std::span<const uint8_t> seed);
  // A new key from the operating system's random source.
  static Result<KeyPair> Generate();

  KeyPair(const KeyPair&) = default;
  KeyPair& operator=(const KeyPair&) = default;
  ~KeyPair();

  const PublicKey& public_key() const { return public_key_; }
  SignatureBytes Sign(MessageParts message) const;

 private:
  KeyPair() = default;

  PublicKey public_key_{};
  std::array<uint8_t, 64> secret_{};  // libsodium's form: seed and public key
};

// Whether `signature` is that key's over the message. False too for keys of small order or in a non-canonical
// encoding, and for signatures whose S is not reduced: nobody can hold such a key alone, or two signatures
// would fit. Wrong sizes are false.
[[nodiscard]] bool Verify(std::span<const uint8_t> public_key, MessageParts message,
                          std::span<const uint8_t> signature);

}  // namespace stemedb::crypto
