// SPDX-License-Identifier: Apache-2.0
// QueryTrail: who asked what, of which version of which lens, and what the answer rested on, for every query,
// within bounds of memory, disk and age (docs/audit.md).
//
// Loops leave entries in buffers of their own (TrailBuffer) and wait for nobody. One thread, "audit", takes
// them from all buffers a few times a second, puts them in the order of their times, gives them ids, writes
// them (TrailWriter) and syncs once a second; so a killed process loses what the last moments brought, and a
// power cut a second more. What is lost otherwise is counted and told of as a gap.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "audit/claim_queries.h"
#include "audit/query_record.h"
#include "audit/trail_buffer.h"
#include "audit/trail_reader.h"
#include "audit/trail_writer.h"
#include "base/status.h"
#include "env/env.h"
#include "telemetry/metrics.h"

namespace stemedb::audit {

class QueryTrail {
 public:
  struct Options {
    env::Env* env = nullptr;  // outlives it, as the metrics do
    telemetry::Metrics* metrics = nullptr;
    std::string directory;
    TrailBounds bounds;
    size_t buffer_bytes_max = 4u << 20;  // of each loop: what is written while the disk takes its time
    int64_t take_ms = 200;               // how long an entry lies in its buffer
    int64_t sync_ms = 1000;
    int64_t tend_ms = 60'000;
  };
  // As TrailWriter::Open. Remembers what the newest entries say about claims, and starts the thread.
  static Result<std::unique_ptr<QueryTrail>> Open(Options options);
  ~QueryTrail() { Stop(); }
  QueryTrail(const QueryTrail&) = delete;
  QueryTrail& operator=(const QueryTrail&) = delete;

  // For one loop, for as long as the trail lives.
  TrailBuffer& NewBuffer();
  // That loop: one entry, as a frame. Never waits for the disk.
  void Add(TrailBuffer& buffer, std::string_view frame, int64_t time_ms);
  // Writes what is in the buffers, and that the trail ended cleanly. What comes later is dropped. Repeats do
  // nothing.
  void Stop();

  // Any thread, loops too: the newest queries whose answers rested on the claim and that are still kept, as
  // far as is remembered (ClaimQueries); newest first.
  std::vector<ClaimQuery> AskedAbout(uint64_t sequence) const;

  // Any thread but the loops, as they wait for the disk. Both know of every entry that was added before,
  // unless writing it takes longer than a quarter of a second; while the disk is that slow they don't wait
  // for it at all. As the functions of trail_reader.h.
  void AppendPage(std::string& out, const TrailPage& page);
  Result<StoredEntry> Read(uint64_t id);

 private:
  explicit QueryTrail(Options options, std::unique_ptr<TrailWriter> writer);

  void Remember();
  void Run();
  void TakeAll();
  TrailBuffer::Lost TakeOne(size_t buffer);
  void Feed(uint64_t first_id, std::string_view frames);
  void Wake();
  // Until all that was added before is written, for a quarter of a second at the most.
  void CatchUp();

  const Options options_;
  const std::unique_ptr<TrailWriter> writer_;
  ClaimQueries claim_queries_;

  std::mutex mutex_;  // guards the next six
  std::condition_variable wake_, taken_;
  bool is_woken_ = false;
  bool stopping_ = false;
  uint64_t takes_begun_ = 0, takes_done_ = 0;
  // Since when the thread is at the disk; nothing while it waits for entries.
  std::optional<std::chrono::steady_clock::time_point> busy_since_;
  std::vector<std::unique_ptr<TrailBuffer>> buffers_;

  // The thread's own, reused.
  std::vector<std::string> gathered_;  // by buffer
  struct Placed {
    int64_t time_ms, order_ns;
    std::string_view frame;
  };
  std::vector<Placed> placed_;
  std::string ordered_;

  std::thread thread_;
};

}  // namespace stemedb::audit
