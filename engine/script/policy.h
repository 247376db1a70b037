// SPDX-License-Identifier: Apache-2.0
// Policies, from the outside: what a rate limit is asked and what it says, and PolicyRunner, one thread's Lua
// states for the policies of one ScriptSet. The script is arithmetic; clocks, buckets and threads are its
// caller's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "script/lens.h"

namespace stemedb::script {

// A request, as far as it is known when its head has been read. The views live during the call.
struct PolicyRequest {
  std::string_view route;   // the template: "/v1/assertions/{id}"
  std::string_view method;  // "POST"
  uint64_t body_bytes = 0;  // as announced; 0 for a body without a length that isn't read yet
  uint64_t items =
      1;  // claims that it sends, or lenses that it runs; 1 and 0 at the least, as long as it isn't read
  bool loopback = false;   // from this machine, and not through a proxy
  bool is_signed = false;  // says that it is
  std::string_view agent;  // 64 hex digits, as the request names it, proven or not; empty: none
  std::string_view peer;   // an address without its port
};

// How a request is limited: it takes `cost` points from a bucket that holds `limit` and fills in `window_s`.
// Every number is finite and above 0; `cost` may be 0.
struct RateVerdict {
  std::string bucket;  // 1 to 32 of a-z, 0-9 and _
  double cost = 0;
  double limit = 0;
  double window_s = 0;
  double peer_limit = 0;  // the same bucket of an address, for all the agents that send from it
};

class PolicyRunner;

// Puts awkward requests to the policy: without and with an agent, without a body and with a giant one,
// nothing and very much in it. What it says is its own affair; that it says something, without an error, is
// not. kInternal "policy_failed" with the kind of request, file and line.
Status SelfCheckPolicy(PolicyRunner& runner, int script);

// One thread's states, one for each policy, made by Prepare or when first used. Not thread-safe; use it on
// one thread.
class PolicyRunner {
 public:
  struct Options {
    size_t memory_bytes_max = 8u << 20;  // for each state
    int64_t time_ms_max = 5;             // for each call, with the loading that it needs
    int64_t load_time_ms_max = 100;      // for Prepare
  };
  PolicyRunner(std::shared_ptr<const ScriptSet> scripts, Options options);
  ~PolicyRunner();
  PolicyRunner(const PolicyRunner&) = delete;
  PolicyRunner& operator=(const PolicyRunner&) = delete;

  // Takes up another set, when it is another one. Policies that are the same in both keep their states.
  void Use(std::shared_ptr<const ScriptSet> scripts);
  const ScriptSet& scripts() const { return *scripts_; }
  // Position of the hook's policy in scripts().scripts(), or -1.
  int FindHook(std::string_view hook) const;
  // Makes the script's state, when it has none, in a time of its own, so that no call has to do it in the
  // call's. Fails as Limit, which then tries again.
  Status Prepare(int script);

  // What the rate limit says; nothing means that the request is not limited. `params` come from CheckParams;
  // null: the script's defaults. "policy_failed" with file and line, kDeadlineExceeded when the script ran
  // out of time, else kInternal, when it throws, runs out of memory, or returns what is no verdict (or, when
  // the reading is thorough, has fields that nobody reads); its state is then discarded and made anew by
  // Prepare or the next call.
  Result<std::optional<RateVerdict>> Limit(int script, const PolicyRequest& request, int64_t now_ms,
                                           const Params* params = nullptr,
                                           Reading reading = Reading::kDefault);

 private:
  struct Impl;
  Status Open(int script, int64_t load_time_ms_max);

  std::shared_ptr<const ScriptSet> scripts_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stemedb::script
