// SPDX-License-Identifier: Apache-2.0
#include "crypto/sha256.h"

#include <openssl/evp.h>

#include "base/check.h"

namespace stemedb::crypto {
namespace {

// Fetched once: looking the algorithm up for each digest costs more than a short digest does.
const EVP_MD* Algorithm() {
  static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return algorithm;
}

EVP_MD_CTX* Context(void* context) { return static_cast<EVP_MD_CTX*>(context); }

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  STEMEDB_CHECK(context_ != nullptr && EVP_DigestInit_ex(Context(context_), Algorithm(), nullptr) == 1);
}

Sha256::~Sha256() { EVP_MD_CTX_free(Context(context_)); }

Sha256& Sha256::Update(std::string_view bytes) {
  STEMEDB_CHECK(EVP_DigestUpdate(Context(context_), bytes.data(), bytes.size()) == 1);
  return *this;
}

Hash256 Sha256::Finish() {
  Hash256 digest;
  STEMEDB_CHECK(EVP_DigestFinal_ex(Context(context_), digest.data(), nullptr) == 1);
  STEMEDB_CHECK(EVP_DigestInit_ex(Context(context_), nullptr, nullptr) == 1);
  return digest;
}

Hash256 Sha256::Of(std::string_view bytes) {
  static thread_local Sha256 hasher;
  return hasher.Update(bytes).Finish();
}

}  // namespace stemedb::crypto
