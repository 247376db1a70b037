// SPDX-License-Identifier: Apache-2.0
// A segment that a write or a sync failed on is trusted up to its last whole entry and written no more: what
// is behind that on disk is not known. The next one has the ids that follow, so that nothing but the lost
// entries themselves is missing.
#include "audit/trail_writer.h"

#include <algorithm>
#include <set>
#include <utility>

#include "audit/trail_mark.h"
#include "telemetry/log.h"

namespace stemedb::audit {
namespace {

constexpr uint64_t kSegmentBytesMin = 64 << 10, kSegmentBytesMax = 16 << 20;
constexpr uint64_t kSegmentsWanted = 64;
// Each start begins a segment: a server that starts again and again must not fill the directory with names.
constexpr size_t kSegmentsMax = 4096;
constexpr int64_t kSegmentsInAge = 16;
constexpr int64_t kTryAgainNs = 1'000'000'000;

// The last moment that a segment speaks of.
int64_t LastMsOf(const SegmentInfo& info) { return info.entries > 0 ? info.time_max_ms : info.begun_ms; }

// Entries behind a write that failed and couldn't be undone may stand there whole. They were told of as lost,
// and the next segment has their ids.
void CutToNext(std::vector<SegmentInfo>& segments) {
  uint64_t end = UINT64_MAX;
  for (auto info = segments.rbegin(); info != segments.rend(); ++info) {
    if (!info->is_readable) continue;
    info->entries = std::min(info->entries, end - std::min(end, info->first_id));
    end = info->first_id;
  }
}

}  // namespace

uint64_t TrailBounds::segment_bytes() const {
  return std::clamp(bytes_max / kSegmentsWanted, kSegmentBytesMin, kSegmentBytesMax);
}

TrailWriter::TrailWriter(env::Env& env, telemetry::Metrics& metrics, std::string directory,
                         const TrailBounds& bounds)
    : env_(env),
      clock_(*env.clock()),
      directory_(std::move(directory)),
      bounds_(bounds),
      written_(metrics.audit().queries_total),
      dropped_{&metrics.AuditDropped(NameOf(GapReason::kBufferFull)),
               &metrics.AuditDropped(NameOf(GapReason::kWriteFailed)), nullptr,
               &metrics.AuditDropped(NameOf(GapReason::kFileLost))},
      disk_usage_(metrics.audit().disk_usage_bytes) {}

Result<std::unique_ptr<TrailWriter>> TrailWriter::Open(env::Env& env, telemetry::Metrics& metrics,
                                                       std::string directory, const TrailBounds& bounds) {
  std::unique_ptr<TrailWriter> writer(new TrailWriter(env, metrics, std::move(directory), bounds));
  STEMEDB_RETURN_IF_ERROR(writer->TakeStock());
  return writer;
}

Status TrailWriter::TakeStock() {
  STEMEDB_RETURN_IF_ERROR(env_.MakeDirs(directory_));
  auto names = env_.List(directory_);
  if (!names) return names.error();
  std::vector<uint32_t> numbers;
  for (const std::string& name : *names)
    if (const auto number = SegmentNumberOf(name)) numbers.push_back(*number);
  std::sort(numbers.begin(), numbers.end());
  std::vector<SegmentInfo> segments;
  for (const uint32_t number : numbers) {
    const std::string path = SegmentPath(directory_, number);
    auto looked = LookAtSegment(env_, path, number);
    SegmentInfo info = looked ? std::move(*looked) : SegmentInfo{.number = number, .path = path};
    info.is_readable = info.is_readable && looked;
    if (!info.is_readable && looked && info.bytes < kTrailHeaderBytes && number == numbers.back()) {
      static_cast<void>(env_.Remove(path));  // it was being made when the process ended
      continue;
    }
    if (!info.is_readable) {
      info.time_max_ms = clock_.NowMs();  // it goes by its age from now on
      telemetry::LogWarn(
          "audit", "a segment of the trail of queries can't be read and is passed over",
          {{"path", path},
           {"cause", looked ? std::string_view("its header makes no sense") : looked.error().message()}});
    }
    segments.push_back(std::move(info));
  }
  if (!numbers.empty()) next_number_ = numbers.back() + 1;
  CutToNext(segments);
  for (const SegmentInfo& info : segments)
    if (info.is_readable) next_id_ = std::max(next_id_, info.end_id());
  const auto last = std::find_if(segments.rbegin(), segments.rend(),
                                 [](const SegmentInfo& info) { return info.is_readable; });
  const bool has_last = last != segments.rend();
  JudgeStop(has_last ? &*last : nullptr, !numbers.empty());
  // A seal hides that the process before was killed, so not before that is sure to be seen again.
  if (MarkUnderWay().ok() && has_last && !last->is_sealed) FinishTornEnd(*last);
  ChangeSegments([&](std::vector<SegmentInfo>& all) { all = std::move(segments); });
  return Status::Ok();
}

// How the one before ended: what may be missing since then, and which ids it had.
void TrailWriter::JudgeStop(const SegmentInfo* last, bool has_files) {
  const auto mark = ReadTrailMark(env_, directory_);
  if (!mark && mark.error().code() != Code::kNotFound) {
    telemetry::LogWarn("audit", "how the trail of queries ended can't be read",
                       {{"directory", directory_}, {"cause", mark.error().message()}});
  }
  const int64_t now_ms = clock_.NowMs();
  const int64_t last_ms = last != nullptr ? LastMsOf(*last) : 0;
  const uint64_t end_id = next_id_;
  if (mark) {
    next_id_ = std::max(next_id_, mark->next_id);
    next_number_ = std::max(next_number_, mark->next_number);
  }
  const bool is_clean = mark && mark->is_clean && (last == nullptr || last->is_sealed);
  if (!is_clean && (mark || has_files)) {
    const int64_t since_ms = std::max(last_ms, mark ? mark->time_ms : 0);
    AddLost(GapReason::kUncleanStop, 0, std::min(since_ms, now_ms), now_ms);
  }
  if (!mark || !mark->is_clean || !mark->has_newest || end_id >= mark->next_id) return;
  // Of how many is known when what is before them is there.
  AddLost(GapReason::kFileLost, last != nullptr ? mark->next_id - end_id : 0,
          std::min(last_ms, mark->time_ms), mark->time_ms);
}

// From now on whoever opens it next is to be told, unless it is closed. Fails when the word of a clean stop
// may still be there.
Status TrailWriter::MarkUnderWay() {
  TrailMark mark{.next_number = next_number_, .next_id = next_id_, .time_ms = clock_.NowMs()};
  for (const Gap& gap : gaps_)
    if (gap.to_ms != 0) mark.time_ms = std::min(mark.time_ms, gap.from_ms);
  const Status written = WriteTrailMark(env_, directory_, mark);
  if (written.ok()) return written;
  const Status removed = RemoveTrailMark(env_, directory_);
  if (removed.ok()) return removed;
  telemetry::LogError("audit",
                      "if this process is killed, the trail of queries may not tell of it: its mark can't be "
                      "replaced",
                      {{"directory", directory_}, {"cause", written.message()}});
  return written;
}

void TrailWriter::FinishTornEnd(SegmentInfo& last) {
  const Status sealed = SealTornEnd(last);
  if (sealed.ok()) return;
  telemetry::LogWarn("audit", "the last segment of the trail of queries can't be finished",
                     {{"path", last.path}, {"cause", sealed.message()}});
}

Status TrailWriter::SealTornEnd(SegmentInfo& last) {
  auto file = env_.OpenAppend(last.path);
  if (!file) return file.error();
  if ((*file)->size() > last.bytes) {
    const uint64_t torn = (*file)->size() - last.bytes;
    STEMEDB_RETURN_IF_ERROR((*file)->Truncate(last.bytes));
    GapOf(GapReason::kUncleanStop).bytes = torn;
    telemetry::LogWarn("audit", "a torn end of the trail of queries was cut off",
                       {{"path", last.path}, {"bytes", torn}});
  }
  std::string frame;
  AppendFrame(frame, audit::Seal{last.entries, last.time_min_ms, last.time_max_ms});
  STEMEDB_RETURN_IF_ERROR((*file)->Append(frame));
  STEMEDB_RETURN_IF_ERROR((*file)->Sync());
  last.bytes += frame.size();
  last.is_sealed = true;
  return Status::Ok();
}

template <typename Change>
void TrailWriter::ChangeSegments(Change change) {
  {
    const std::lock_guard lock(mutex_);
    change(segments_);
  }
  const auto first = std::find_if(segments_.begin(), segments_.end(),
                                  [](const SegmentInfo& info) { return info.is_readable; });
  oldest_id_.store(first == segments_.end() ? next_id_ : first->first_id, std::memory_order_relaxed);
  disk_usage_.Set(static_cast<double>(BytesOfAll()));
}

uint64_t TrailWriter::BytesOfAll() const {
  uint64_t bytes = 0;
  for (const SegmentInfo& info : segments_) bytes += info.bytes;
  return bytes;
}

std::vector<SegmentInfo> TrailWriter::Segments() const {
  const std::lock_guard lock(mutex_);
  return segments_;
}

Status TrailWriter::RemoveOldest() {
  const Status removed = env_.Remove(segments_.front().path);
  if (!removed.ok() && removed.code() != Code::kNotFound) return removed;
  ChangeSegments([](std::vector<SegmentInfo>& all) { all.erase(all.begin()); });
  return Status::Ok();
}

Status TrailWriter::Begin() {
  const uint64_t room = bounds_.segment_bytes();
  while (!segments_.empty() &&
         (BytesOfAll() + kTrailMarkBytes + room > bounds_.bytes_max || segments_.size() >= kSegmentsMax)) {
    STEMEDB_RETURN_IF_ERROR(RemoveOldest());
  }
  SegmentInfo info{.number = next_number_,
                   .path = SegmentPath(directory_, next_number_),
                   .first_id = next_id_,
                   .bytes = kTrailHeaderBytes,
                   .begun_ms = clock_.NowMs()};
  std::string header;
  AppendTrailHeader(header, info);
  auto file = env_.OpenAppend(info.path);
  if (!file && file.error().code() == Code::kNotFound) {  // the directory has been taken away
    STEMEDB_RETURN_IF_ERROR(env_.MakeDirs(directory_));
    file = env_.OpenAppend(info.path);
  }
  if (!file) return file.error();
  Status made = (*file)->size() > 0 ? (*file)->Truncate(0) : Status::Ok();
  if (made.ok()) made = (*file)->Append(header);
  // Before any entry: with a header that a power cut may take, all entries behind it would be gone unseen.
  if (made.ok()) made = (*file)->Sync();
  if (made.ok()) made = env_.SyncDir(directory_);
  if (!made.ok()) {
    file->reset();
    static_cast<void>(env_.Remove(info.path));
    return made;
  }
  file_ = std::move(*file);
  ++next_number_;
  ChangeSegments([&](std::vector<SegmentInfo>& all) { all.push_back(std::move(info)); });
  return Status::Ok();
}

// Of what a failed sync was to save nobody knows what is on disk.
Status TrailWriter::SyncFile() {
  const Status synced = file_->Sync();
  if (!synced.ok()) {
    AddLost(GapReason::kWriteFailed, unsynced_, segments_.back().time_min_ms, segments_.back().time_max_ms);
    file_.reset();
  }
  unsynced_ = 0;
  return synced;
}

Status TrailWriter::Seal() {
  if (file_ == nullptr) return Status::Ok();
  SegmentInfo info = segments_.back();
  std::string frame;
  AppendFrame(frame, audit::Seal{info.entries, info.time_min_ms, info.time_max_ms});
  const Status appended = file_->Append(frame);
  const Status synced = SyncFile();
  file_.reset();
  STEMEDB_RETURN_IF_ERROR(appended);
  STEMEDB_RETURN_IF_ERROR(synced);
  info.is_sealed = true;
  info.bytes += frame.size();
  ChangeSegments([&](std::vector<SegmentInfo>& all) { all.back() = std::move(info); });
  return Status::Ok();
}

// As much as there is room for in the segment, but at least one entry in an empty one.
Status TrailWriter::AppendRun(std::string_view& frames) {
  SegmentInfo after = segments_.back();
  size_t run = 0;
  while (run < frames.size()) {
    const std::string_view frame = FirstFrame(frames.substr(run));
    if (after.entries > 0 && after.bytes + frame.size() + kSealFrameBytes > bounds_.segment_bytes()) break;
    after.bytes += frame.size();
    ++after.entries;
    after.AddTimes(frame);
    run += frame.size();
  }
  const Status appended = file_->Append(frames.substr(0, run));
  if (!appended.ok()) {
    if (!file_->Truncate(segments_.back().bytes).ok()) {
      static_cast<void>(SyncFile());  // what is before that; which tells if it fails
      file_.reset();
    }
    return appended;
  }
  unsynced_ += after.entries - segments_.back().entries;
  next_id_ = after.end_id();
  frames.remove_prefix(run);
  const std::lock_guard lock(mutex_);
  segments_.back() = std::move(after);
  return Status::Ok();
}

Status TrailWriter::Append(std::string_view& frames) {
  while (!frames.empty()) {
    if (file_ == nullptr) STEMEDB_RETURN_IF_ERROR(Begin());
    STEMEDB_RETURN_IF_ERROR(AppendRun(frames));
    if (!frames.empty()) STEMEDB_RETURN_IF_ERROR(Seal());
  }
  disk_usage_.Set(static_cast<double>(BytesOfAll()));
  return Status::Ok();
}

TrailWriter::Written TrailWriter::Write(std::string_view frames) {
  if (is_failing_ && clock_.MonotonicNs() < try_again_ns_) {
    Lose(frames);
    return {};
  }
  Status appended = TellGaps();
  const uint64_t first_id = next_id_;
  std::string_view left = frames;
  if (appended.ok()) {
    appended = Append(left);
    written_.Increment(static_cast<double>(next_id_ - first_id));
  }
  if (appended.ok()) {
    Works();
  } else {
    Lose(left);
    Fails(appended);
  }
  return {first_id, frames.size() - left.size()};
}

// Each is forgotten when it stands there, and not when all do: none is to be told twice.
Status TrailWriter::TellGaps() {
  std::string frame;
  for (Gap& gap : gaps_) {
    if (gap.to_ms == 0) continue;
    gap.time_ms = clock_.NowMs();
    frame.clear();
    AppendFrame(frame, gap);
    std::string_view left = frame;
    STEMEDB_RETURN_IF_ERROR(Append(left));
    gap = {};
  }
  return Status::Ok();
}

void TrailWriter::Lose(std::string_view frames) {
  while (!frames.empty()) {
    const std::string_view frame = FirstFrame(frames);
    AddLost(GapReason::kWriteFailed, 1, TimeOf(frame), TimeOf(frame));
    frames.remove_prefix(frame.size());
  }
}

void TrailWriter::AddLost(GapReason reason, uint64_t queries, int64_t from_ms, int64_t to_ms) {
  Gap& gap = GapOf(reason);
  gap.from_ms = gap.to_ms == 0 ? from_ms : std::min(gap.from_ms, from_ms);
  gap.to_ms = std::max({gap.to_ms, to_ms, int64_t{1}});
  gap.reason = reason;
  gap.queries += queries;
  telemetry::Counter* const dropped = dropped_[static_cast<size_t>(reason) - 1];
  if (dropped != nullptr) dropped->Increment(static_cast<double>(queries));
}

bool TrailWriter::has_gap() const {
  return std::any_of(gaps_.begin(), gaps_.end(), [](const Gap& gap) { return gap.to_ms != 0; });
}

void TrailWriter::Fails(const Status& why) {
  try_again_ns_ = clock_.MonotonicNs() + kTryAgainNs;
  if (std::exchange(is_failing_, true)) return;
  telemetry::LogError("audit",
                      "queries can't be written to the audit trail: they are answered all the same, and the "
                      "trail will tell how many are missing",
                      {{"directory", directory_}, {"code", why.reason()}, {"cause", why.message()}});
}

void TrailWriter::Works() {
  if (!std::exchange(is_failing_, false)) return;
  telemetry::LogInfo("audit", "queries are written to the audit trail again", {{"directory", directory_}});
}

void TrailWriter::Sync() {
  if (file_ == nullptr || unsynced_ == 0) return;
  const Status synced = SyncFile();
  if (!synced.ok()) Fails(synced);
}

// Whoever takes the trail's files away, or cuts them, shall not do it unseen.
void TrailWriter::MindFiles() {
  const auto names = env_.List(directory_);
  if (!names && names.error().code() != Code::kNotFound) return;
  std::set<uint32_t> there;
  for (const std::string& name : names ? *names : std::vector<std::string>())
    if (const auto number = SegmentNumberOf(name)) there.insert(*number);
  if (file_ != nullptr && !file_->IsInPlace()) {
    file_.reset();
    unsynced_ = 0;
  }
  uint64_t lost = 0;
  for (const SegmentInfo& info : segments_) {
    if (there.contains(info.number)) continue;
    ++lost;
    if (info.entries > 0) AddLost(GapReason::kFileLost, info.entries, info.time_min_ms, info.time_max_ms);
  }
  if (lost == 0) return;
  ChangeSegments([&](std::vector<SegmentInfo>& all) {
    std::erase_if(all, [&](const SegmentInfo& info) { return !there.contains(info.number); });
  });
  telemetry::LogWarn("audit", "segments of the trail of queries were taken away under the running server",
                     {{"directory", directory_}, {"segments", lost}});
}

void TrailWriter::Tend() {
  MindFiles();
  const int64_t now_ms = clock_.NowMs();
  const auto is_too_old = [&](const SegmentInfo& info) {
    return std::max(info.time_max_ms, info.begun_ms) < now_ms - bounds_.age_ms_max;
  };
  Status tended;
  if (file_ != nullptr && segments_.back().begun_ms <= now_ms - bounds_.age_ms_max / kSegmentsInAge)
    tended = Seal();
  const size_t written = file_ != nullptr ? 1 : 0;  // of the segments, the last
  while (tended.ok() && segments_.size() > written &&
         (is_too_old(segments_.front()) || BytesOfAll() + kTrailMarkBytes > bounds_.bytes_max))
    tended = RemoveOldest();
  if (tended.ok()) return;
  telemetry::LogWarn("audit", "the trail of queries can't be kept within its bounds",
                     {{"directory", directory_}, {"code", tended.reason()}, {"cause", tended.message()}});
}

void TrailWriter::Close() {
  try_again_ns_ = clock_.MonotonicNs();  // there is no later
  if (has_gap()) static_cast<void>(Write({}));
  const Status sealed = Seal();
  if (!sealed.ok()) Fails(sealed);
  if (!sealed.ok() || has_gap()) return;
  const bool has_newest = std::any_of(segments_.begin(), segments_.end(), [&](const SegmentInfo& info) {
    return info.is_readable && info.entries > 0 && info.end_id() == next_id_;
  });
  const Status marked = WriteTrailMark(env_, directory_,
                                       {.is_clean = true,
                                        .has_newest = has_newest,
                                        .next_number = next_number_,
                                        .next_id = next_id_,
                                        .time_ms = clock_.NowMs()});
  if (marked.ok()) return;
  telemetry::LogWarn("audit",
                     "the next start will take this for an unclean stop: the trail's mark can't be written",
                     {{"directory", directory_}, {"cause", marked.message()}});
}

}  // namespace stemedb::audit
