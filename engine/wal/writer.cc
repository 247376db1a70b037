// SPDX-License-Identifier: Apache-2.0
#include "wal/writer.h"

#include <algorithm>

#include "wal/segment_files.h"

namespace stemedb::wal {
namespace {

// A buffer that one large batch has blown up is given back.
constexpr size_t kBufferKeptBytes = 8u << 20;
// Of a segment, or bytes: when so much was written to it, the next one is worth preparing.
constexpr uint64_t kBusyParts = 4, kBusyBytesMax = 1u << 20;

Status CheckRecord(const RecordToWrite& record) {
  if ((record.flags & ~kFlagMore) != 0) {
    return Status(Code::kInvalidArgument, "wal_flags", "wal: unknown flags " + std::to_string(record.flags));
  }
  if (record.payload.size() > kPayloadBytesMax) {
    return Status(Code::kTooLarge, "wal_record_too_large",
                  "wal: a record of " + std::to_string(record.payload.size()) +
                      " bytes is above the limit of " + std::to_string(kPayloadBytesMax));
  }
  return Status::Ok();
}

}  // namespace

Result<std::unique_ptr<Writer>> Writer::Open(WriterOptions options, const Recovered& recovered) {
  std::unique_ptr<Writer> writer(new Writer(std::move(options)));
  const WriterOptions& kept = writer->options_;
  if (kept.prepare_segments)
    writer->spare_ = std::make_unique<SpareSegment>(kept.env, kept.dir, kept.segment_bytes_max);
  STEMEDB_RETURN_IF_ERROR(writer->Start(recovered));
  return writer;
}

Writer::~Writer() {
  if (failed_.ok()) ReleaseReserved();
}

Status Writer::Start(const Recovered& recovered) {
  durable_ = buffered_ = recovered.end;
  stats_.segments = recovered.segments;
  stats_.disk_bytes = recovered.disk_bytes;
  if (recovered.last_segment == 0) return OpenNewSegment(1);
  if (recovered.last_segment_bytes == 0) {
    --stats_.segments;  // counted again when its header is written
    return OpenNewSegment(recovered.last_segment);
  }
  // The log goes on elsewhere than it ends: the gap has to lie between two segments.
  if (recovered.end != recovered.segment_end) return OpenNewSegment(recovered.last_segment + 1);
  number_ = recovered.last_segment;
  auto file = options_.env->OpenAppend(options_.dir + "/" + SegmentName(number_));
  if (!file) return file.error();
  file_ = std::move(*file);
  durable_size_ = recovered.last_segment_bytes;
  if (file_->size() == durable_size_) return Status::Ok();
  return Status(
      Code::kConflict, "wal_changed",
      file_->path() + " has changed since it was recovered: is another process writing to this directory?");
}

Status Writer::Append(std::span<const RecordToWrite> records) {
  if (!failed_.ok()) return failed_;
  if (records.empty()) return Status::Ok();
  if ((records.back().flags & kFlagMore) != 0) {
    return Status(Code::kInvalidArgument, "wal_open_group",
                  "wal: the last record of a batch must end its atomic group");
  }
  uint64_t bytes = buffer_.size();
  for (const RecordToWrite& record : records) {
    STEMEDB_RETURN_IF_ERROR(CheckRecord(record));
    bytes += kRecordHeaderBytes + record.payload.size();
  }
  if (bytes > options_.buffer_bytes_max) {
    return Status(Code::kResourceExhausted, "wal_buffer_full",
                  "wal: " + std::to_string(bytes) + " bytes in one write are above the limit of " +
                      std::to_string(options_.buffer_bytes_max));
  }
  for (const RecordToWrite& record : records) {
    AppendRecord(buffer_, record, buffer_.empty() ? kMarkWriteBegins : uint16_t{0}, buffered_);
  }
  return Status::Ok();
}

Status Writer::Sync() {
  if (!failed_.ok()) return failed_;
  if (buffer_.empty()) return Status::Ok();
  Status status = RotationIsDue() ? Rotate() : Status::Ok();
  if (status.ok()) status = WriteBuffer();
  if (status.ok()) PrepareAhead();
  if (!status.ok()) ++stats_.write_errors;
  Discard();  // after a success, buffered_ is durable_ already
  return status;
}

bool Writer::RotationIsDue() const {
  if (rotation_is_due_) return true;
  const bool is_full = durable_size_ + buffer_.size() > options_.segment_bytes_max;
  const bool is_outdone = !is_prepared_ && spare_ && spare_->ready();
  return durable_size_ > kSegmentHeaderBytes && (is_full || is_outdone);
}

void Writer::PrepareAhead() {
  if (!spare_) return;
  const uint64_t busy = std::min(kBusyBytesMax, options_.segment_bytes_max / kBusyParts);
  if (written_size_ >= (is_prepared_ ? options_.segment_bytes_max / 2 : busy)) spare_->Prepare();
}

void Writer::Discard() {
  buffered_ = durable_;
  buffer_.clear();
  if (buffer_.capacity() > kBufferKeptBytes) std::string().swap(buffer_);
}

// Measured on ext4 with 9 KB appends on a busy machine: fdatasync takes 173 us at the median instead of 236.
void Writer::ReserveAhead() {
  const uint64_t needed = durable_size_ + buffer_.size();
  if (is_prepared_ || options_.reserve_bytes == 0 || needed <= reserved_size_) return;
  reserved_size_ = needed + options_.reserve_bytes;
  // Where it can't be done, the next try is as far away as if it had been.
  (void)file_->Reserve(reserved_size_);
}

// A closed segment would keep what was reserved or prepared for it. Cutting a file to the length that it has
// gives that back.
void Writer::ReleaseReserved() {
  if (file_ && (is_prepared_ || reserved_size_ > durable_size_)) (void)file_->Truncate(durable_size_);
}

Status Writer::WriteBuffer() {
  ReserveAhead();
  const Status written = file_->Append(buffer_);
  if (!written.ok()) return TakeBack(written);
  const int64_t start_ns = options_.env->clock()->MonotonicNs();
  const Status synced = file_->Sync();
  if (!synced.ok()) return Poison(synced);
  if (options_.on_fsync) options_.on_fsync(options_.env->clock()->MonotonicNs() - start_ns);
  stats_.records += buffered_.next_sequence - durable_.next_sequence;
  stats_.writes += 1;
  stats_.bytes_written += buffer_.size();
  stats_.disk_bytes += buffer_.size();
  durable_ = buffered_;
  durable_size_ += buffer_.size();
  written_size_ += buffer_.size();
  return Status::Ok();
}

// Synced, so that a crash later on can't bring records back whose writers were told that they failed.
Status Writer::TakeBack(const Status& cause) {
  if (spare_) spare_->Drop();  // room for the next try
  is_prepared_ = false;        // the truncation takes it away
  const Status truncated = file_->Truncate(durable_size_);
  if (!truncated.ok()) return Poison(truncated);
  const Status synced = file_->Sync();
  if (!synced.ok()) return Poison(synced);
  return cause.Annotate("wal");
}

Status Writer::Poison(const Status& cause) {
  failed_ = Status(Code::kIoError, "wal_failed",
                   "wal: " + std::string(cause.message()) +
                       ": what is on disk is unknown now, so nothing more is acknowledged. Check the disk "
                       "(dmesg, smartctl), "
                       "then restart the server: it recovers what is whole");
  Log(failed_.message());
  return failed_;
}

// Everything in the old segment is synced: every Sync ends that way.
Status Writer::Rotate() {
  rotation_is_due_ = true;
  Status status = OpenNewSegment(number_ + 1);
  if (!status.ok()) return status;
  rotation_is_due_ = false;
  ++stats_.rotations;
  return Status::Ok();
}

// A file without content, or one of zeros, of which size() is the whole.
Result<std::unique_ptr<env::File>> Writer::MakeSegmentFile(uint32_t number) {
  const std::string path = options_.dir + "/" + SegmentName(number);
  const auto present = options_.env->FileSize(path);  // a try before this one may have left a header
  if (present && *present > kSegmentHeaderBytes && half_made_ != number) {
    return Status(Code::kConflict, "wal_changed",
                  path + " is in the way: is another process writing to this directory?");
  }
  bool is_prepared = false;
  if (spare_ && half_made_ != number) {
    auto moved = spare_->MoveTo(path);
    if (!moved) return moved.error();
    is_prepared = *moved;
    if (is_prepared) half_made_ = number;
  }
  auto file = options_.env->OpenAppend(path);
  if (file && !is_prepared) STEMEDB_RETURN_IF_ERROR((*file)->Truncate(0));
  return file;
}

// The header is durable, and so is the file's name, before a record goes in.
Status Writer::OpenNewSegment(uint32_t number) {
  auto file = MakeSegmentFile(number);
  if (!file) return file.error().Annotate("wal");
  const bool is_prepared = (*file)->size() > 0;
  (*file)->SetEnd(0);
  std::string header;
  AppendSegmentHeader(header, {number, durable_});
  const Status written = (*file)->Append(header);
  if (!written.ok()) {
    // A torn header in the last file is what recovery expects; the next try empties it.
    return written.Annotate("wal");
  }
  Status synced = (*file)->Sync();
  if (synced.ok()) synced = options_.env->SyncDir(options_.dir);
  if (!synced.ok()) return Poison(synced);
  ReleaseReserved();
  file_ = std::move(*file);
  number_ = number;
  durable_size_ = header.size();
  reserved_size_ = 0;
  written_size_ = 0;
  is_prepared_ = is_prepared;
  stats_.segments += 1;
  stats_.bytes_written += header.size();
  stats_.disk_bytes += header.size();
  return Status::Ok();
}

void Writer::Log(std::string_view line) const {
  if (options_.log) options_.log(line);
}

}  // namespace stemedb::wal
