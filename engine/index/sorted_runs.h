// SPDX-License-Identifier: Apache-2.0
// SortedRuns: an external merge sort. Pairs of key and value go in in any order and come back in the order of
// their keys, so that a B-tree can be built page after page, each written once, instead of by as many visits
// to old pages as there are keys.
//
// Pairs are gathered in small runs, each sorted while it is still in the processor's cache. When the runs in
// memory reach `memory_bytes_max`, they are merged into one run in a scratch file. That file loses its name
// as soon as it is open: whatever becomes of the process, nothing is left behind.
//
// One thread. Errors are those of env::File ("disk_full", "io_error"); afterwards only destroy it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "env/env.h"

namespace stemedb::index {

class SortedRuns {
 public:
  struct Options {
    env::Env* env = nullptr;               // outlives it
    std::string dir;                       // for scratch files; must be there
    size_t memory_bytes_max = 256u << 20;  // of pairs; beyond, they go to a file
    size_t run_bytes_max = 4u << 20;       // of the pairs of one run in memory
    size_t batch_bytes_max = 32u << 20;    // of the pairs that Drain gives at once, but always one
  };
  struct Pair {
    std::string_view key, value;
  };
  // The pairs are valid during the call.
  using Take = std::function<Status(std::span<const Pair>)>;

  explicit SortedRuns(Options options);
  ~SortedRuns();
  SortedRuns(const SortedRuns&) = delete;
  SortedRuns& operator=(const SortedRuns&) = delete;

  // Copies both. A key may come more than once.
  Status Add(std::string_view key, std::string_view value);
  // Gives every pair, in batches: keys ascending bytewise, pairs of one key in the order of Add. Once.
  Status Drain(const Take& take);

 private:
  class Run;
  class MemoryRun;
  class FileRun;

  Status Spill();

  const Options options_;
  std::vector<std::unique_ptr<MemoryRun>> in_memory_;  // the last one is being filled
  std::vector<std::unique_ptr<FileRun>> in_files_;
  size_t memory_bytes_ = 0;
};

}  // namespace stemedb::index
