// SPDX-License-Identifier: Apache-2.0
// PolicyFrame: the memory that C++ and the trusted policy.lua share, one for each script state. C++ fills in
// the request, policy.lua reads it in place and writes the checked verdict back. policy.lua declares the same
// layout; the static_asserts below keep the two in step.
#pragma once

#include <cstddef>
#include <cstdint>

namespace stemedb::script {

inline constexpr size_t kBucketNameBytesMax = 32;

struct PolicyFrame {
  const char* route;  // none of the texts ends in a zero
  const char* method;
  const char* agent;  // null: none is named
  const char* peer;
  uint32_t route_size;
  uint32_t method_size;
  uint32_t agent_size;
  uint32_t peer_size;
  double now_ms;
  double body_bytes;
  double items;
  uint32_t loopback;   // 0 or 1
  uint32_t is_signed;  // the same
  // The verdict.
  uint32_t limited;  // 0: the policy sets no limit
  uint32_t bucket_size;
  double cost;
  double limit;
  double window_s;
  double peer_limit;
  char bucket[kBucketNameBytesMax];
};

static_assert(offsetof(PolicyFrame, now_ms) == 48 && offsetof(PolicyFrame, limited) == 80 &&
                  sizeof(PolicyFrame) == 152,
              "keep policy.lua's cdef in step");

}  // namespace stemedb::script
