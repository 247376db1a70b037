// SPDX-License-Identifier: Apache-2.0
// The claims that the load generator sends: a world of concepts in a tree, asked about by many agents who do
// not agree. Claim number i is a function of the seed and i alone, so that any thread may make any claim and
// the whole is the same set however many connections carry it.
//
// What is skewed follows the law of Zipf and Mandelbrot, P(rank k) ~ 1/(k + q): few concepts are much talked
// about, few agents say much. Beside this world there are *probes*, concepts with exactly kCandidates claims
// each, which are spread evenly over the load: the same question, whatever else is stored.
#pragma once

#include <openssl/evp.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace stemedb::bench {

struct LoadOptions {
  uint64_t claims = 10'000;
  uint64_t concepts = 0;  // 0: one for every ten claims
  uint64_t agents = 10'000;
  uint32_t signed_percent = 10;
  uint64_t probe_paths = 250;   // probe/1 … : the same number whatever the size
  uint64_t spread_percent = 0;  // of all claims are about spread/1 …: as many concepts as that takes
  uint64_t seed = 1;
};

// Any number of threads may use one world at once.
class World {
 public:
  static constexpr uint64_t kCandidates = 20;  // claims on each probe

  // Makes the agents' keys. `options.claims` is raised to what the probes need.
  explicit World(const LoadOptions& options);

  const LoadOptions& options() const { return options_; }
  uint64_t spread_paths() const { return spread_paths_; }

  // Appends claim `number` and a line feed. It is canonical JSON (docs/identity.md), with a signature behind
  // it when it is signed. True when it is.
  bool AppendClaim(uint64_t number, std::string& out) const;

 private:
  struct FreeKey {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  };
  struct Agent {
    std::unique_ptr<EVP_PKEY, FreeKey> key;
    std::string id;  // the public key in hex
  };
  Agent MakeAgent(uint64_t number) const;
  std::string Sign(const Agent& agent, std::string_view canonical) const;

  LoadOptions options_;
  uint64_t spread_paths_ = 0;
  uint64_t scramble_ = 1;  // has no factor in common with the number of concepts
  std::vector<Agent> agents_;
};

}  // namespace stemedb::bench
