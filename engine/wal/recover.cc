// SPDX-License-Identifier: Apache-2.0
// Recovery goes through the segments in order and keeps one promise: what it hands out was written, whole and
// in this order, and what it cuts was never acknowledged. Where it can't tell, it refuses.
//
// At most three places of a log are not whole after a crash: the last write in the last segment (cut), the
// header of a segment that was just being made (written again), and nothing else: a segment is synced before
// the next one is made.
#include "wal/recover.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "base/time.h"
#include "wal/segment_files.h"
#include "wal/segment_scanner.h"

namespace stemedb::wal {
namespace {

// 20260211T101530Z, for file names.
std::string TimestampForName(int64_t now_ms) {
  std::string text;
  for (char c : FormatTime(now_ms).substr(0, 19)) {
    if (c != '-' && c != ':') text.push_back(c);
  }
  return text + "Z";
}

struct Segment {
  SegmentFile file;
  std::optional<SegmentHeader> header;
  Status header_fault;  // when there is no header
};

// What stops the reading: in which segment, at which byte, and why.
struct Damage {
  size_t segment = 0;
  uint64_t offset = 0;
  Status status;
};

class Recovery {
 public:
  Recovery(const RecoverOptions& options, const ReplayCallback& replay)
      : options_(options), replay_(replay) {}

  Result<Recovered> Run() {
    STEMEDB_RETURN_IF_ERROR(options_.env->MakeDirs(options_.dir));
    STEMEDB_RETURN_IF_ERROR(ReadHeaders());
    STEMEDB_RETURN_IF_ERROR(ReadSegments());
    STEMEDB_RETURN_IF_ERROR(Finish());
    return result_;
  }

 private:
  Status ReadHeaders() {
    auto files = ListSegments(options_.env, options_.dir);
    if (!files) return files.error();
    for (SegmentFile& file : *files) {
      Segment segment;
      auto header = ReadSegmentHeader(options_.env, file);
      if (header)
        segment.header = *header;
      else if (header.error().code() == Code::kCorruption)
        segment.header_fault = header.error();
      else
        return header.error();
      segment.file = std::move(file);
      segments_.push_back(std::move(segment));
    }
    return FindUnbornSegment();
  }

  Status FindUnbornSegment() {
    if (segments_.empty() || segments_.back().header) return Status::Ok();
    STEMEDB_RETURN_IF_ERROR(buffer_.Load(options_.env, segments_.back().file));
    if (!IsUnborn(buffer_.bytes())) return Status::Ok();
    const bool log_began_before = segments_.size() == 1 && segments_.back().file.number > 1;
    if (log_began_before && options_.first_needed_sequence == 1) return Status::Ok();
    unborn_ = std::move(segments_.back().file);
    segments_.pop_back();
    return Status::Ok();
  }

  // The first segment that has to be read: those before it end below what is needed.
  size_t FirstToRead() const {
    for (size_t i = segments_.size(); i-- > 1;) {
      if (segments_[i].header && segments_[i].header->start.next_sequence <= options_.first_needed_sequence)
        return i;
    }
    return 0;
  }

  Status ReadSegments() {
    const size_t first = FirstToRead();
    for (size_t i = 0; i < first; ++i) STEMEDB_RETURN_IF_ERROR(CheckUnneeded(i));
    result_.end.next_sequence = options_.first_needed_sequence;
    for (size_t i = first; i < segments_.size(); ++i) {
      std::optional<Damage> damage = Enter(i, i == first);
      if (!damage) {
        STEMEDB_RETURN_IF_ERROR(buffer_.Load(options_.env, segments_[i].file));
        STEMEDB_RETURN_IF_ERROR(ReadSegment(i, damage));
      }
      if (damage) return options_.damage == OnDamage::kSalvage ? Salvage(*damage) : damage->status;
    }
    return Status::Ok();
  }

  // A segment that isn't read must at least be one: else somebody has laid hands on the directory.
  Status CheckUnneeded(size_t i) {
    if (segments_[i].header) return Status::Ok();
    if (options_.damage == OnDamage::kRefuse) return Refusal(i, 0, segments_[i].header_fault, "").status;
    STEMEDB_RETURN_IF_ERROR(SetAside(segments_[i].file));
    segments_[i].file.bytes = 0;
    ++gone_below_;
    return Status::Ok();
  }

  // Moves to the segment's start, or says why it can't follow what was read.
  std::optional<Damage> Enter(size_t i, bool is_first) {
    const Segment& segment = segments_[i];
    if (!segment.header) return Refusal(i, 0, segment.header_fault, "");
    const Position& start = segment.header->start;
    const uint64_t due = is_first ? options_.first_needed_sequence : result_.end.next_sequence;
    const bool follows = is_first ? start.next_sequence <= due : start == result_.end;
    if (!follows && start.next_sequence > due) {
      if (start.next_sequence > options_.first_needed_sequence) return Gap(i, due);
      Log(segment.file.path + ": sequences " + std::to_string(due) + " to " +
          std::to_string(start.next_sequence - 1) + " are not in the log, but the checkpoint covers them");
    } else if (!follows) {
      return Refusal(i, 0,
                     Status(Code::kCorruption, "wal_chain",
                            "Checksum mismatch in WAL: the segment does not follow "
                            "the one before it at byte 16"),
                     "");
    }
    result_.end = start;
    return {};
  }

  Damage Gap(size_t i, uint64_t due) const {
    const std::string found = std::to_string(segments_[i].header->start.next_sequence);
    return Refusal(i, 0,
                   Status(Code::kCorruption, "wal_gap",
                          "it begins at sequence " + found + " (byte 16), but " + std::to_string(due) +
                              " is due and not covered by the checkpoint: a segment is missing"),
                   "");
  }

  // Reads one segment; sets `damage` when it is not whole and no crash explains it.
  Status ReadSegment(size_t i, std::optional<Damage>& damage) {
    SegmentScanner scanner(buffer_.bytes(), result_.end);
    uint64_t whole_end = scanner.offset();  // behind the last whole group
    Record record;
    group_.clear();
    while (scanner.Next(record)) {
      ++result_.records_read;
      if (record.sequence >= options_.first_needed_sequence) group_.push_back(record);
      if ((record.flags & kFlagMore) != 0) continue;
      STEMEDB_RETURN_IF_ERROR(HandOut());
      whole_end = scanner.offset();
      result_.end = scanner.position();
    }
    const bool is_last = i + 1 == segments_.size() && !unborn_;
    if (scanner.fault() == Fault::kNone && whole_end == scanner.offset())
      return is_last ? DropPreparedRoom(segments_[i].file, whole_end) : Status::Ok();
    if (is_last && IsTorn(scanner)) return Cut(segments_[i].file, whole_end);
    damage = DamageAt(i, scanner, whole_end);
    return Status::Ok();
  }

  Status HandOut() {
    for (const Record& record : group_) {
      STEMEDB_RETURN_IF_ERROR(replay_ ? replay_(record) : Status::Ok());
      ++result_.records_replayed;
    }
    group_.clear();
    return Status::Ok();
  }

  bool IsTorn(const SegmentScanner& scanner) const {
    switch (scanner.fault()) {
      case Fault::kNone:  // ends inside an atomic group
        return true;
      case Fault::kIncomplete:
      case Fault::kChecksum:
        return LookBehind(buffer_.bytes(), scanner.offset(), scanner.position().next_sequence) !=
               Behind::kLaterWrite;
      case Fault::kUnknownBits:
      case Fault::kSequence:
      case Fault::kChain:
        return false;
    }
    return false;
  }

  Damage DamageAt(size_t i, const SegmentScanner& scanner, uint64_t whole_end) const {
    const std::string due = ", sequence " + std::to_string(scanner.position().next_sequence) + " is due";
    Damage damage =
        Refusal(i, scanner.offset(),
                Status(Code::kCorruption, "wal_checksum",
                       "Checksum mismatch in WAL at byte " + std::to_string(scanner.offset())),
                scanner.fault() == Fault::kNone ? "atomic group without its end" + due
                                                : std::string(DescribeFault(scanner.fault())) + due);
    damage.offset = whole_end;
    return damage;
  }

  // The one sentence that the operator gets: phrase to grep for, file, byte, cause.
  Damage Refusal(size_t i, uint64_t offset, const Status& cause, const std::string& detail) const {
    const std::string& path = segments_[i].file.path;
    std::string why(cause.message());
    if (why.starts_with(path)) why.erase(0, path.size() + 2);
    std::string text = "Failed to recover WAL segment " + path + ": " + why;
    if (!detail.empty()) text += " (" + detail + ")";
    text += ". This is no torn write of a crash";
    return {i, offset, Status(Code::kCorruption, cause.reason(), std::move(text))};
  }

  Status Cut(const SegmentFile& file, uint64_t offset) {
    const uint64_t bytes = file.bytes - std::min(file.bytes, offset);
    Log("cut " + std::to_string(bytes) + " bytes of a torn write off " + file.path + " at byte " +
        std::to_string(offset) + "; nobody was told of it, unless the file was damaged after it was synced");
    STEMEDB_RETURN_IF_ERROR(TruncateTo(file, offset));
    result_.bytes_cut += bytes;
    segments_.back().file.bytes = offset;
    return Status::Ok();
  }

  // What a crash left of it would have to be known to be zeros; a new segment has its own.
  Status DropPreparedRoom(SegmentFile& file, uint64_t end) {
    if (file.bytes == end) return Status::Ok();
    STEMEDB_RETURN_IF_ERROR(TruncateTo(file, end));
    file.bytes = end;
    return Status::Ok();
  }

  Status TruncateTo(const SegmentFile& file, uint64_t offset) {
    auto opened = options_.env->OpenAppend(file.path);
    if (!opened) return opened.error();
    STEMEDB_RETURN_IF_ERROR((*opened)->Truncate(offset));
    return (*opened)->Sync();
  }

  // Ends the log before the damage. Later segments first: a crash half-way leaves a log that salvages the
  // same way.
  Status Salvage(const Damage& damage) {
    Log("salvage: " + std::string(damage.status.message()));
    if (unborn_) {
      STEMEDB_RETURN_IF_ERROR(SetAside(*unborn_));
      unborn_.reset();
    }
    while (segments_.size() > damage.segment + 1) {
      STEMEDB_RETURN_IF_ERROR(SetAside(segments_.back().file));
      segments_.pop_back();
    }
    SegmentFile& file = segments_.back().file;
    if (damage.offset < kSegmentHeaderBytes) {
      STEMEDB_RETURN_IF_ERROR(SetAside(file));
      segments_.pop_back();
      return Status::Ok();
    }
    STEMEDB_RETURN_IF_ERROR(CopyAside(file));
    result_.bytes_cut += file.bytes - damage.offset;
    STEMEDB_RETURN_IF_ERROR(TruncateTo(file, damage.offset));
    file.bytes = damage.offset;
    return Status::Ok();
  }

  std::string AsideName(const SegmentFile& file) const {
    return file.path + ".damaged-" + TimestampForName(options_.env->clock()->NowMs());
  }

  Status SetAside(const SegmentFile& file) {
    const std::string to = AsideName(file);
    Log("salvage: renamed " + file.path + " to " + to);
    STEMEDB_RETURN_IF_ERROR(options_.env->Rename(file.path, to));
    result_.bytes_cut += file.bytes;
    ++result_.files_set_aside;
    return Status::Ok();
  }

  // The segment is in buffer_: it was just read.
  Status CopyAside(const SegmentFile& file) {
    const std::string to = AsideName(file);
    Log("salvage: copied " + file.path + " to " + to);
    auto copy = options_.env->OpenAppend(to);
    if (!copy) return copy.error();
    STEMEDB_RETURN_IF_ERROR((*copy)->Truncate(0));
    STEMEDB_RETURN_IF_ERROR((*copy)->Append(AsView(buffer_.bytes())));
    STEMEDB_RETURN_IF_ERROR((*copy)->Sync());
    ++result_.files_set_aside;
    return options_.env->SyncDir(options_.dir);
  }

  Status Finish() {
    STEMEDB_RETURN_IF_ERROR(SettleLastSegment());
    STEMEDB_RETURN_IF_ERROR(options_.env->SyncDir(options_.dir));
    result_.segments = segments_.size() - gone_below_ + (unborn_ ? 1 : 0);
    for (const Segment& segment : segments_) result_.disk_bytes += segment.file.bytes;
    result_.segment_end = result_.end;
    result_.ends_before_needed = result_.end.next_sequence < options_.first_needed_sequence;
    if (result_.ends_before_needed) {
      Log("the log ends at sequence " + std::to_string(result_.end.next_sequence - 1) +
          ", before the checkpoint at " + std::to_string(options_.first_needed_sequence - 1));
    }
    return Status::Ok();
  }

  // What was read may still be in the page cache alone, when the process died and the machine did not.
  Status SettleLastSegment() {
    if (unborn_) {
      result_.last_segment = unborn_->number;
      Log(unborn_->path + " was being made when the log stopped; its header will be written again");
      return TruncateTo(*unborn_, 0);
    }
    if (segments_.empty()) return Status::Ok();
    const SegmentFile& file = segments_.back().file;
    result_.last_segment = file.number;
    result_.last_segment_bytes = file.bytes;
    auto opened = options_.env->OpenAppend(file.path);
    if (!opened) return opened.error();
    return (*opened)->Sync();
  }

  void Log(const std::string& line) const {
    if (options_.log) options_.log(line);
  }

  const RecoverOptions& options_;
  const ReplayCallback& replay_;
  std::vector<Segment> segments_;
  std::optional<SegmentFile> unborn_;
  SegmentBuffer buffer_;
  std::vector<Record> group_;  // of the atomic group that is being read; points into buffer_
  uint64_t gone_below_ = 0;    // segments below what is needed that were set aside
  Recovered result_;
};

}  // namespace

Result<Recovered> Recover(const RecoverOptions& options, const ReplayCallback& replay) {
  return Recovery(options, replay).Run();
}

}  // namespace stemedb::wal
