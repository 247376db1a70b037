// SPDX-License-Identifier: Apache-2.0
// libsodium wants a message in one piece (Ed25519 reads it twice), so that parts are joined in a buffer which
// each thread keeps. Big messages don't stay in it.
#include "crypto/ed25519.h"

#include <sodium.h>

#include <string>

namespace stemedb::crypto {
namespace {

constexpr size_t kBufferKeptMax = 256 * 1024;

// sodium_init picks the fastest code for this processor; it must have run once before any other call.
bool Ready() {
  static const bool ready = sodium_init() >= 0;
  return ready;
}

template <typename Use>
auto WithJoined(MessageParts message, Use use) {
  static thread_local std::string buffer;
  buffer.clear();
  for (std::string_view part : message) buffer.append(part);
  auto answer = use(reinterpret_cast<const unsigned char*>(buffer.data()), buffer.size());
  if (buffer.capacity() > kBufferKeptMax) buffer = std::string();
  return answer;
}

}  // namespace

Result<KeyPair> KeyPair::FromSeed(std::span<const uint8_t> seed) {
  if (!Ready()) return Status(Code::kInternal, "crypto_unavailable", "libsodium could not be initialised");
  if (seed.size() != crypto_sign_SEEDBYTES) {
    return Status(Code::kInvalidArgument, "invalid_seed",
                  "an Ed25519 seed has 32 bytes, not " + std::to_string(seed.size()));
  }
  KeyPair pair;
  crypto_sign_seed_keypair(pair.public_key_.data(), pair.secret_.data(), seed.data());
  return pair;
}

Result<KeyPair> KeyPair::Generate() {
  if (!Ready()) return Status(Code::kInternal, "crypto_unavailable", "libsodium could not be initialised");
  KeyPair pair;
  crypto_sign_keypair(pair.public_key_.data(), pair.secret_.data());
  return pair;
}

KeyPair::~KeyPair() { sodium_memzero(secret_.data(), secret_.size()); }

SignatureBytes KeyPair::Sign(MessageParts message) const {
  return WithJoined(message, [this](const unsigned char* bytes, size_t size) {
    SignatureBytes signature;
    crypto_sign_detached(signature.data(), nullptr, bytes, size, secret_.data());
    return signature;
  });
}

bool Verify(std::span<const uint8_t> public_key, MessageParts message, std::span<const uint8_t> signature) {
  if (!Ready() || public_key.size() != crypto_sign_PUBLICKEYBYTES || signature.size() != crypto_sign_BYTES)
    return false;
  return WithJoined(message, [&](const unsigned char* bytes, size_t size) {
    return crypto_sign_verify_detached(signature.data(), bytes, size, public_key.data()) == 0;
  });
}

}  // namespace stemedb::crypto
