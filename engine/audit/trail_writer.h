// SPDX-License-Identifier: Apache-2.0
// TrailWriter: the one who writes the trail's segments, keeps them within their bytes and their age, and
// tells of what is missing. Segments are finished when they are full or old enough, and removed whole, the
// oldest first, so that keeping within a bound costs the removal of a file.
//
// A disk that refuses costs entries and nothing else: they are counted, a gap tells of them once writing goes
// again, and that is tried at most once a second. One thread, which may wait for the disk; Segments() and
// oldest_id() may be called from any.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "audit/query_record.h"
#include "audit/trail_segment.h"
#include "base/status.h"
#include "env/env.h"
#include "telemetry/metrics.h"

namespace stemedb::audit {

struct TrailBounds {
  uint64_t bytes_max = uint64_t{256} << 20;                // of all segments together
  int64_t age_ms_max = int64_t{30} * 24 * 60 * 60 * 1000;  // of an entry, which may get a sixteenth older
  // Of one segment. The trail is read a segment at a time.
  uint64_t segment_bytes() const;
};

class TrailWriter {
 public:
  // Makes the directory when it isn't there and takes stock. Cuts off a torn end of the last segment; unless
  // the one before was closed with nothing left to tell (trail_mark.h), the first entry will be a gap. Fails
  // as the directory does; what is wrong with a segment is logged, and it is passed over. `env` and `metrics`
  // outlive it.
  static Result<std::unique_ptr<TrailWriter>> Open(env::Env& env, telemetry::Metrics& metrics,
                                                   std::string directory, const TrailBounds& bounds);
  TrailWriter(const TrailWriter&) = delete;
  TrailWriter& operator=(const TrailWriter&) = delete;

  struct Written {
    uint64_t first_id = 0;
    size_t bytes = 0;  // of the frames; what is behind them is lost
  };
  // Writes whole frames, of queries, in their order, and before them what gaps there are to tell of.
  Written Write(std::string_view frames);
  // Queries that were lost before they came here. Told with the next Write, which may be of nothing.
  void AddLost(GapReason reason, uint64_t queries, int64_t from_ms, int64_t to_ms);
  bool has_gap() const;
  // What was written survives a power loss. Without anything new it does nothing.
  void Sync();
  // Removes what is too old or too much, finishes a segment that is old enough, and finds out what somebody
  // else has taken away.
  void Tend();
  // The last call. Tells what gaps there are to tell, syncs and seals, and when all of that went well leaves
  // word that the trail ended cleanly. Without that, the next one to open it tells of a gap.
  void Close();

  std::vector<SegmentInfo> Segments() const;  // oldest first
  // Ids below are not kept any more.
  uint64_t oldest_id() const { return oldest_id_.load(std::memory_order_relaxed); }
  env::Env& env() const { return env_; }

 private:
  TrailWriter(env::Env& env, telemetry::Metrics& metrics, std::string directory, const TrailBounds& bounds);

  Status TakeStock();
  void JudgeStop(const SegmentInfo* last, bool has_files);
  Status MarkUnderWay();
  void FinishTornEnd(SegmentInfo& last);
  Status SealTornEnd(SegmentInfo& last);
  Status Begin();
  Status SyncFile();
  Status Seal();
  Status TellGaps();
  // Takes from the front what it has written.
  Status Append(std::string_view& frames);
  Status AppendRun(std::string_view& frames);
  Status RemoveOldest();
  void MindFiles();
  void Lose(std::string_view frames);
  void Fails(const Status& why);
  void Works();
  Gap& GapOf(GapReason reason) { return gaps_[static_cast<size_t>(reason) - 1]; }
  template <typename Change>
  void ChangeSegments(Change change);
  uint64_t BytesOfAll() const;

  env::Env& env_;
  const env::Clock& clock_;
  const std::string directory_;
  const TrailBounds bounds_;
  telemetry::Counter& written_;
  std::array<telemetry::Counter*, 4> dropped_;  // by reason; null: nobody knows how many
  telemetry::Gauge& disk_usage_;

  std::unique_ptr<env::File> file_;  // the last segment's, while it is written
  uint32_t next_number_ = 1;
  uint64_t next_id_ = 1;
  uint64_t unsynced_ = 0;    // entries since the last sync
  std::array<Gap, 4> gaps_;  // by reason; without a time: none
  bool is_failing_ = false;  // said in the log
  int64_t try_again_ns_ = 0;

  mutable std::mutex mutex_;           // guards segments_, which the one thread alone changes
  std::vector<SegmentInfo> segments_;  // oldest first; the last may be under way
  std::atomic<uint64_t> oldest_id_{1};
};

}  // namespace stemedb::audit
