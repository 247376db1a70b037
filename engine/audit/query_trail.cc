// SPDX-License-Identifier: Apache-2.0
#include "audit/query_trail.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/scratch.h"

namespace stemedb::audit {
namespace {

// Who reads the trail waits on a thread that others' long questions wait for as well.
constexpr std::chrono::milliseconds kCatchUpMax{250};
// What of the trail is read at the start, so that traces can say who asked before it.
constexpr uint64_t kRememberBytes = 8u << 20;
// Memory that only a flood needs is let go when it is over.
constexpr size_t kKeptBytesMax = 1 << 20;

}  // namespace

Result<std::unique_ptr<QueryTrail>> QueryTrail::Open(Options options) {
  auto writer = TrailWriter::Open(*options.env, *options.metrics, options.directory, options.bounds);
  if (!writer) return writer.error();
  std::unique_ptr<QueryTrail> trail(new QueryTrail(std::move(options), std::move(*writer)));
  trail->thread_ = std::thread([trail = trail.get()] { trail->Run(); });
  return trail;
}

QueryTrail::QueryTrail(Options options, std::unique_ptr<TrailWriter> writer)
    : options_(std::move(options)), writer_(std::move(writer)) {}

TrailBuffer& QueryTrail::NewBuffer() {
  const std::lock_guard lock(mutex_);
  return *buffers_.emplace_back(std::make_unique<TrailBuffer>(options_.buffer_bytes_max));
}

void QueryTrail::Add(TrailBuffer& buffer, std::string_view frame, int64_t time_ms) {
  const int64_t order_ns = options_.env->clock()->MonotonicNs();
  if (buffer.Add(frame, time_ms, order_ns) == TrailBuffer::Kept::kHalfFull) Wake();
}

void QueryTrail::Wake() {
  {
    const std::lock_guard lock(mutex_);
    is_woken_ = true;
  }
  wake_.notify_one();
}

void QueryTrail::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

// The newest segments that fit, in the order in which they were written.
void QueryTrail::Remember() {
  const std::vector<SegmentInfo> segments = writer_->Segments();
  auto from = segments.end();
  for (uint64_t bytes = 0; from != segments.begin(); --from) {
    bytes += (from - 1)->bytes;
    if (bytes > kRememberBytes) break;
  }
  for (; from != segments.end(); ++from) {
    if (!from->is_readable) continue;
    const auto bytes = ReadSegment(*options_.env, from->path, from->bytes);
    if (!bytes || bytes->size() <= kTrailHeaderBytes) continue;
    uint64_t id = from->first_id;
    for (const std::string_view frame : FramesOf(*bytes).frames)
      if (id < from->end_id()) Feed(id++, frame);
  }
}

void QueryTrail::Run() {
  using std::chrono::milliseconds;
  pthread_setname_np(pthread_self(), "audit");
  env::Clock& clock = *options_.env->clock();
  Remember();
  constexpr int64_t kMsNs = 1'000'000;
  int64_t synced_ns = clock.MonotonicNs();
  int64_t tended_ns = synced_ns - options_.tend_ms * kMsNs;
  for (bool is_last = false; !is_last;) {
    uint64_t take = 0;
    {
      std::unique_lock lock(mutex_);
      busy_since_.reset();
      wake_.wait_for(lock, milliseconds(options_.take_ms), [this] { return is_woken_ || stopping_; });
      is_woken_ = false;
      is_last = stopping_;
      take = ++takes_begun_;
      busy_since_ = std::chrono::steady_clock::now();
    }
    TakeAll();
    {
      const std::lock_guard lock(mutex_);
      takes_done_ = take;
    }
    taken_.notify_all();
    const int64_t now_ns = clock.MonotonicNs();
    if (now_ns - synced_ns >= options_.sync_ms * kMsNs) {
      writer_->Sync();
      synced_ns = now_ns;
    }
    if (now_ns - tended_ns >= options_.tend_ms * kMsNs) {
      writer_->Tend();
      tended_ns = now_ns;
    }
  }
  writer_->Close();
}

// Each loop's entries are in order already; what several loops brought is put in the order of their times,
// and within a millisecond in that of the monotonic clock.
void QueryTrail::TakeAll() {
  size_t buffers = 0;
  {
    const std::lock_guard lock(mutex_);
    buffers = buffers_.size();
  }
  gathered_.resize(std::max(gathered_.size(), buffers));
  size_t with_frames = 0;
  placed_.clear();
  for (size_t i = 0; i < buffers; ++i) {
    const TrailBuffer::Lost lost = TakeOne(i);
    if (lost.queries > 0) writer_->AddLost(GapReason::kBufferFull, lost.queries, lost.from_ms, lost.to_ms);
    std::string_view left = gathered_[i];
    with_frames += left.empty() ? 0 : 1;
    while (!left.empty()) {
      const auto order_ns = LoadLittle<int64_t>(left.data());
      const std::string_view frame = FirstFrame(left.substr(TrailBuffer::kOrderBytes));
      placed_.push_back({TimeOf(frame), order_ns, frame});
      left.remove_prefix(TrailBuffer::kOrderBytes + frame.size());
    }
  }
  if (with_frames > 1) {
    std::stable_sort(placed_.begin(), placed_.end(), [](const Placed& a, const Placed& b) {
      return std::pair(a.time_ms, a.order_ns) < std::pair(b.time_ms, b.order_ns);
    });
  }
  for (const Placed& one : placed_) ordered_ += one.frame;
  if (!ordered_.empty() || writer_->has_gap()) {
    const TrailWriter::Written written = writer_->Write(ordered_);
    Feed(written.first_id, std::string_view(ordered_).substr(0, written.bytes));
  }
  ReleaseIfLarge(placed_);
  ordered_.clear();
  ReleaseIfLarge(ordered_, kKeptBytesMax);
  for (std::string& bytes : gathered_) {
    bytes.clear();
    ReleaseIfLarge(bytes, kKeptBytesMax);
  }
}

TrailBuffer::Lost QueryTrail::TakeOne(size_t buffer) {
  TrailBuffer* taken = nullptr;
  {
    const std::lock_guard lock(mutex_);
    taken = buffers_[buffer].get();
  }
  return taken->Take(gathered_[buffer]);
}

void QueryTrail::Feed(uint64_t first_id, std::string_view frames) {
  TrailEntry entry;
  for (uint64_t id = first_id; !frames.empty(); ++id) {
    const std::string_view frame = FirstFrame(frames);
    if (ParsePayload(PayloadOf(frame), entry).ok()) {
      if (const auto* query = std::get_if<QueryRecord>(&entry)) claim_queries_.Add(id, *query);
    }
    frames.remove_prefix(frame.size());
  }
}

std::vector<ClaimQuery> QueryTrail::AskedAbout(uint64_t sequence) const {
  std::vector<ClaimQuery> queries = claim_queries_.Of(sequence);
  const uint64_t oldest_id = writer_->oldest_id();
  std::erase_if(queries, [&](const ClaimQuery& query) { return query.id < oldest_id; });
  return queries;
}

// A take that begins from now on takes all that was added before.
void QueryTrail::CatchUp() {
  std::unique_lock lock(mutex_);
  const bool is_late = busy_since_ && std::chrono::steady_clock::now() - *busy_since_ > kCatchUpMax;
  if (stopping_ || is_late) return;
  const uint64_t wanted = takes_begun_ + 1;
  is_woken_ = true;
  wake_.notify_one();
  taken_.wait_for(lock, kCatchUpMax, [&] { return takes_done_ >= wanted || stopping_; });
}

void QueryTrail::AppendPage(std::string& out, const TrailPage& page) {
  CatchUp();
  AppendTrailPage(out, *options_.env, writer_->Segments(), page);
}

Result<StoredEntry> QueryTrail::Read(uint64_t id) {
  CatchUp();
  return ReadTrailEntry(*options_.env, writer_->Segments(), id);
}

}  // namespace stemedb::audit
