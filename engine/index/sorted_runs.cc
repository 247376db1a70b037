// SPDX-License-Identifier: Apache-2.0
// A pair as it stands in a run: key size (4), value size (4), key, value. Sizes in the machine's order: no
// other machine reads it.
#include "index/sorted_runs.h"

#include <algorithm>
#include <queue>

#include "base/bytes.h"

namespace stemedb::index {
namespace {

constexpr size_t kHeadBytes = 8;
constexpr size_t kBufferBytes = 1u << 20;

void AppendPair(std::string& out, std::string_view key, std::string_view value) {
  char head[kHeadBytes];
  StoreLittle(head, static_cast<uint32_t>(key.size()));
  StoreLittle(head + 4, static_cast<uint32_t>(value.size()));
  out.append(head, sizeof head).append(key).append(value);
}

SortedRuns::Pair PairAt(const char* at) {
  const auto key_size = LoadLittle<uint32_t>(at), value_size = LoadLittle<uint32_t>(at + 4);
  return {{at + kHeadBytes, key_size}, {at + kHeadBytes + key_size, value_size}};
}

size_t SizeOf(const SortedRuns::Pair& pair) { return kHeadBytes + pair.key.size() + pair.value.size(); }

}  // namespace

// Walks a sorted run. pair() is valid until Next.
class SortedRuns::Run {
 public:
  virtual ~Run() = default;
  virtual Status Next() = 0;  // to the first pair, at first
  bool valid() const { return valid_; }
  const Pair& pair() const { return pair_; }

 protected:
  bool valid_ = false;
  Pair pair_;
};

class SortedRuns::MemoryRun final : public Run {
 public:
  explicit MemoryRun(size_t bytes_max) { bytes_.reserve(bytes_max + bytes_max / 8); }
  void Add(std::string_view key, std::string_view value) {
    starts_.push_back(static_cast<uint32_t>(bytes_.size()));
    AppendPair(bytes_, key, value);
  }
  size_t bytes() const { return bytes_.size() + starts_.size() * sizeof(uint32_t); }

  void Sort() {
    const char* const base = bytes_.data();
    std::sort(starts_.begin(), starts_.end(), [base](uint32_t a, uint32_t b) {
      const int order = PairAt(base + a).key.compare(PairAt(base + b).key);
      return order != 0 ? order < 0 : a < b;
    });
  }
  Status Next() override {
    valid_ = at_ < starts_.size();
    if (valid_) pair_ = PairAt(bytes_.data() + starts_[at_++]);
    return Status::Ok();
  }

 private:
  std::string bytes_;
  std::vector<uint32_t> starts_;
  size_t at_ = 0;
};

class SortedRuns::FileRun final : public Run {
 public:
  static Result<std::unique_ptr<FileRun>> Create(const Options& options) {
    const std::string path = options.dir + "/sort.scratch";
    auto file = options.env->OpenAppend(path);
    if (!file) return file.error();
    STEMEDB_RETURN_IF_ERROR(options.env->Remove(path));
    return std::unique_ptr<FileRun>(new FileRun(std::move(*file)));
  }

  Status Append(const Pair& pair) {
    AppendPair(buffer_, pair.key, pair.value);
    return buffer_.size() < kBufferBytes ? Status::Ok() : Write();
  }
  Status Seal() {
    STEMEDB_RETURN_IF_ERROR(Write());
    buffer_.shrink_to_fit();
    return Status::Ok();
  }

  Status Next() override {
    if (valid_) begin_ += SizeOf(pair_);
    valid_ = false;
    if (buffer_.size() - begin_ < kHeadBytes) STEMEDB_RETURN_IF_ERROR(Fill(kHeadBytes));
    if (buffer_.size() == begin_) return Status::Ok();
    if (const size_t bytes = SizeOf(PairAt(buffer_.data() + begin_)); buffer_.size() - begin_ < bytes)
      STEMEDB_RETURN_IF_ERROR(Fill(bytes));
    pair_ = PairAt(buffer_.data() + begin_);
    valid_ = true;
    return Status::Ok();
  }

 private:
  explicit FileRun(std::unique_ptr<env::File> file) : file_(std::move(file)) {}

  Status Write() {
    STEMEDB_RETURN_IF_ERROR(file_->Append(buffer_));
    buffer_.clear();
    return Status::Ok();
  }
  // Makes at least `bytes` readable from begin_ on, unless the file is at its end.
  Status Fill(size_t bytes) {
    buffer_.erase(0, begin_);
    begin_ = 0;
    const size_t kept = buffer_.size();
    buffer_.resize(std::max(kBufferBytes, bytes));
    auto got =
        file_->ReadAt(read_, {reinterpret_cast<uint8_t*>(buffer_.data()) + kept, buffer_.size() - kept});
    if (!got) return got.error();
    read_ += *got;
    buffer_.resize(kept + *got);
    if (buffer_.empty() || buffer_.size() >= bytes) return Status::Ok();
    return Status(Code::kCorruption, "scratch_short",
                  file_->path() + ": a scratch file is shorter than written");
  }

  std::unique_ptr<env::File> file_;
  std::string buffer_;
  size_t begin_ = 0;   // of the pair in buffer_
  uint64_t read_ = 0;  // bytes of the file that are or were in buffer_
};

namespace {

// Gives the pairs of all runs in order; earlier runs first where keys are equal.
template <typename Run, typename Visit>
Status Merge(const std::vector<Run*>& runs, Visit visit) {
  const auto later = [&](size_t a, size_t b) {
    const int order = runs[a]->pair().key.compare(runs[b]->pair().key);
    return order != 0 ? order > 0 : a > b;
  };
  std::priority_queue<size_t, std::vector<size_t>, decltype(later)> next(later);
  for (size_t i = 0; i < runs.size(); ++i) {
    STEMEDB_RETURN_IF_ERROR(runs[i]->Next());
    if (runs[i]->valid()) next.push(i);
  }
  while (!next.empty()) {
    const size_t first = next.top();
    next.pop();
    STEMEDB_RETURN_IF_ERROR(visit(runs[first]->pair()));
    STEMEDB_RETURN_IF_ERROR(runs[first]->Next());
    if (runs[first]->valid()) next.push(first);
  }
  return Status::Ok();
}

// Pairs copied out of their runs, until there are enough of them.
class Batch {
 public:
  Batch(size_t bytes_max, const SortedRuns::Take& take) : bytes_max_(bytes_max), take_(take) {
    bytes_.reserve(bytes_max);
  }

  Status Add(const SortedRuns::Pair& pair) {
    const size_t bytes = SizeOf(pair);
    if (!starts_.empty() && bytes_.size() + bytes > bytes_max_) STEMEDB_RETURN_IF_ERROR(Give());
    starts_.push_back(bytes_.size());
    AppendPair(bytes_, pair.key, pair.value);
    return Status::Ok();
  }
  Status Give() {
    if (starts_.empty()) return Status::Ok();
    pairs_.clear();
    for (const size_t start : starts_) pairs_.push_back(PairAt(bytes_.data() + start));
    STEMEDB_RETURN_IF_ERROR(take_(pairs_));
    bytes_.clear();
    starts_.clear();
    return Status::Ok();
  }

 private:
  const size_t bytes_max_;
  const SortedRuns::Take& take_;
  std::string bytes_;
  std::vector<size_t> starts_;
  std::vector<SortedRuns::Pair> pairs_;
};

}  // namespace

SortedRuns::SortedRuns(Options options) : options_(std::move(options)) {}
SortedRuns::~SortedRuns() = default;

Status SortedRuns::Add(std::string_view key, std::string_view value) {
  if (in_memory_.empty() || in_memory_.back()->bytes() >= options_.run_bytes_max) {
    if (!in_memory_.empty()) {
      in_memory_.back()->Sort();
      memory_bytes_ += in_memory_.back()->bytes();
      if (memory_bytes_ + options_.run_bytes_max > options_.memory_bytes_max)
        STEMEDB_RETURN_IF_ERROR(Spill());
    }
    in_memory_.push_back(std::make_unique<MemoryRun>(options_.run_bytes_max));
  }
  in_memory_.back()->Add(key, value);
  return Status::Ok();
}

Status SortedRuns::Spill() {
  auto file = FileRun::Create(options_);
  if (!file) return file.error();
  std::vector<Run*> runs;
  for (const auto& run : in_memory_) runs.push_back(run.get());
  STEMEDB_RETURN_IF_ERROR(Merge(runs, [&](const Pair& pair) { return (*file)->Append(pair); }));
  STEMEDB_RETURN_IF_ERROR((*file)->Seal());
  in_files_.push_back(std::move(*file));
  in_memory_.clear();
  memory_bytes_ = 0;
  return Status::Ok();
}

Status SortedRuns::Drain(const Take& take) {
  if (!in_memory_.empty()) in_memory_.back()->Sort();
  std::vector<Run*> runs;
  for (const auto& run : in_files_) runs.push_back(run.get());
  for (const auto& run : in_memory_) runs.push_back(run.get());
  Batch batch(options_.batch_bytes_max, take);
  STEMEDB_RETURN_IF_ERROR(Merge(runs, [&](const Pair& pair) { return batch.Add(pair); }));
  STEMEDB_RETURN_IF_ERROR(batch.Give());
  in_files_.clear();
  in_memory_.clear();
  memory_bytes_ = 0;
  return Status::Ok();
}

}  // namespace stemedb::index
