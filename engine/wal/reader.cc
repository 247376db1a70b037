// SPDX-License-Identifier: Apache-2.0
#include "wal/reader.h"

namespace stemedb::wal {

Result<std::unique_ptr<Reader>> Reader::Open(ReaderOptions options) {
  std::unique_ptr<Reader> reader(new Reader(std::move(options)));
  auto files = ListSegments(reader->options_.env, reader->options_.dir);
  if (!files) return files.error();
  reader->files_ = std::move(*files);
  if (reader->files_.empty()) {
    reader->done_ = true;
    return reader;
  }
  // The last segment that begins at or before the sequence; the newest one may not have its header yet.
  size_t first = 0;
  for (size_t i = 0; i < reader->files_.size(); ++i) {
    const auto header = ReadSegmentHeader(reader->options_.env, reader->files_[i]);
    if (!header) {
      if (i + 1 == reader->files_.size() && i > 0) break;
      return header.error();
    }
    if (header->start.next_sequence > reader->options_.from_sequence) {
      if (i > 0) break;
      return Status(Code::kOutOfRange, "wal_pruned",
                    "the log begins at sequence " + std::to_string(header->start.next_sequence) + " (" +
                        reader->files_[i].path + "), sequence " +
                        std::to_string(reader->options_.from_sequence) + " is gone");
    }
    first = i;
  }
  STEMEDB_RETURN_IF_ERROR(reader->LoadSegment(first));
  return reader;
}

Status Reader::LoadSegment(size_t index) {
  STEMEDB_RETURN_IF_ERROR(buffer_.Load(options_.env, files_[index]));
  const auto header = ParseSegmentHeader(buffer_.bytes());
  if (!header) return header.error().Annotate(files_[index].path);
  current_ = index;
  scanner_ = SegmentScanner(buffer_.bytes(), header->start);
  return Status::Ok();
}

Result<bool> Reader::Next(Record& record) {
  while (!done_) {
    record_offset_ = scanner_.offset();
    if (scanner_.Next(record)) {
      if (record.sequence < options_.from_sequence) continue;
      done_ = record.sequence >= options_.to_sequence;
      return record.sequence <= options_.to_sequence;
    }
    const auto more = EndOfSegment();
    done_ = !more || !*more;
    if (!more) return more.error();
  }
  return false;
}

// True when the next segment is loaded.
Result<bool> Reader::EndOfSegment() {
  const bool is_last = current_ + 1 == files_.size();
  if (scanner_.fault() != Fault::kNone) {
    const bool torn = scanner_.fault() == Fault::kIncomplete || scanner_.fault() == Fault::kChecksum;
    if (is_last && torn &&
        LookBehind(buffer_.bytes(), scanner_.offset(), scanner_.position().next_sequence) !=
            Behind::kLaterWrite) {
      ended_early_ = true;
      return false;
    }
    return Status(Code::kCorruption, "wal_checksum",
                  files_[current_].path + ": Checksum mismatch in WAL at byte " +
                      std::to_string(scanner_.offset()) + " (" +
                      std::string(DescribeFault(scanner_.fault())) + ", sequence " +
                      std::to_string(scanner_.position().next_sequence) + " is due)");
  }
  if (is_last) return false;
  const Position end = scanner_.position();
  const Status loaded = LoadSegment(current_ + 1);
  if (!loaded.ok()) {
    // The newest segment is being made: nothing is in it yet.
    if (current_ + 2 == files_.size() && loaded.code() == Code::kCorruption && IsUnborn(buffer_.bytes())) {
      ended_early_ = true;
      return false;
    }
    return loaded;
  }
  // Sequences may be missing between two segments only where a checkpoint went on without the log.
  const Position& start = scanner_.position();
  if (start.next_sequence < end.next_sequence ||
      (start.next_sequence == end.next_sequence && start.chain != end.chain)) {
    return Status(
        Code::kCorruption, "wal_chain",
        files_[current_].path + ": Checksum mismatch in WAL: the segment does not follow the one before it");
  }
  return true;
}

}  // namespace stemedb::wal
