// SPDX-License-Identifier: Apache-2.0
// Entry: one line of the audit.
#pragma once

#include <cstdint>
#include <string>

namespace stemedb::audit {

struct Entry {
  int64_t time_ms = 0;
  std::string peer;     // address of who asked; "server" when the server acted by itself
  std::string actor;    // who they say they are; empty: they don't
  std::string action;   // "scripts.rollback"
  std::string subject;  // "recency"
  std::string result;   // "ok", or a reason slug
  std::string detail;   // for people; valid UTF-8. Journal keeps its first 512 bytes
};

}  // namespace stemedb::audit
