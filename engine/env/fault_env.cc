// SPDX-License-Identifier: Apache-2.0
// What is "durable" is kept by path: the size at the last Sync, and whether a SyncDir came after the file's
// creation.
#include "env/fault_env.h"

#include <algorithm>
#include <cerrno>
#include <random>
#include <vector>

#include "base/path.h"

namespace stemedb::env {
namespace {

constexpr uint64_t kSectorBytes = 512;

int ErrnoOf(Failure failure) { return failure == Failure::kIoError ? EIO : ENOSPC; }

}  // namespace

class FaultFile final : public File {
 public:
  FaultFile(FaultInjectingEnv* env, std::unique_ptr<File> base) : env_(env), base_(std::move(base)) {}

  Status Append(std::span<const std::string_view> parts) override {
    const auto failure = env_->Strike(Operation::kWrite);
    if (!failure) return base_->Append(parts);
    if (*failure == Failure::kShortWrite) {
      std::string all;
      for (std::string_view part : parts) all += part;
      STEMEDB_RETURN_IF_ERROR(base_->File::Append(std::string_view(all).substr(0, all.size() / 2)));
    }
    return StatusFromErrno(ErrnoOf(*failure), "write", path());
  }

  Status Sync() override {
    STEMEDB_RETURN_IF_ERROR(env_->StrikeOr(Operation::kSync, "fdatasync", path()));
    std::lock_guard lock(env_->mutex_);
    env_->files_[path()].size = size();
    return Status::Ok();
  }

  Status Truncate(uint64_t to) override {
    STEMEDB_RETURN_IF_ERROR(env_->StrikeOr(Operation::kTruncate, "truncate", path()));
    STEMEDB_RETURN_IF_ERROR(base_->Truncate(to));
    std::lock_guard lock(env_->mutex_);
    auto& durable = env_->files_[path()];
    durable.size = std::min(durable.size, to);
    return Status::Ok();
  }

  // Losing the zeros behind the end loses nothing: they read as zeros.
  void SetEnd(uint64_t end) override {
    base_->SetEnd(end);
    std::lock_guard lock(env_->mutex_);
    auto& durable = env_->files_[path()];
    durable.size = std::min(durable.size, end);
  }

  bool Reserve(uint64_t bytes) override { return base_->Reserve(bytes); }

  Result<size_t> ReadAt(uint64_t offset, std::span<uint8_t> out) const override {
    STEMEDB_RETURN_IF_ERROR(env_->StrikeOr(Operation::kRead, "read", path()));
    return base_->ReadAt(offset, out);
  }

  uint64_t size() const override { return base_->size(); }
  bool IsInPlace() const override { return base_->IsInPlace(); }
  const std::string& path() const override { return base_->path(); }

 private:
  FaultInjectingEnv* const env_;
  const std::unique_ptr<File> base_;
};

FaultInjectingEnv::FaultInjectingEnv(Env* base, Clock* clock)
    : base_(base), clock_(clock ? clock : base->clock()) {}
FaultInjectingEnv::~FaultInjectingEnv() = default;

void FaultInjectingEnv::Fail(Operation operation, Failure failure, uint64_t after, uint64_t times) {
  std::lock_guard lock(mutex_);
  plans_[static_cast<size_t>(operation)] = {failure, after, times};
}

void FaultInjectingEnv::Heal() {
  std::lock_guard lock(mutex_);
  plans_ = {};
}

uint64_t FaultInjectingEnv::count(Operation operation) const {
  std::lock_guard lock(mutex_);
  return counts_[static_cast<size_t>(operation)];
}

std::optional<Failure> FaultInjectingEnv::Strike(Operation operation) {
  std::lock_guard lock(mutex_);
  ++counts_[static_cast<size_t>(operation)];
  Plan& plan = plans_[static_cast<size_t>(operation)];
  if (plan.times == 0) return {};
  if (plan.after > 0) {
    --plan.after;
    return {};
  }
  --plan.times;
  return plan.failure;
}

Status FaultInjectingEnv::StrikeOr(Operation operation, const char* what, const std::string& path) {
  const auto failure = Strike(operation);
  return failure ? StatusFromErrno(ErrnoOf(*failure), what, path) : Status::Ok();
}

Status FaultInjectingEnv::LoseUnsynced(Loss loss, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::lock_guard lock(mutex_);
  for (const auto& [path, durable] : files_) {
    if (!base_->FileSize(path)) continue;  // removed behind this Env's back
    if (!durable.name_is_durable) {
      STEMEDB_RETURN_IF_ERROR(base_->Remove(path));
      continue;
    }
    auto file = base_->OpenAppend(path);
    if (!file) return file.error();
    std::vector<uint8_t> tail((*file)->size() - std::min((*file)->size(), durable.size));
    const auto got = (*file)->ReadAt(durable.size, tail);
    if (!got) return got.error();
    uint64_t kept_end = 0;  // in tail
    for (uint64_t at = 0; at < tail.size() && loss == Loss::kSomeSectors;) {
      const uint64_t end =
          std::min<uint64_t>(tail.size(), at + kSectorBytes - (durable.size + at) % kSectorBytes);
      if (random() % 2 == 0) {
        kept_end = end;
      } else {
        std::fill(tail.begin() + static_cast<ptrdiff_t>(at), tail.begin() + static_cast<ptrdiff_t>(end),
                  uint8_t{0});
      }
      at = end;
    }
    STEMEDB_RETURN_IF_ERROR((*file)->Truncate(durable.size));
    STEMEDB_RETURN_IF_ERROR((*file)->Append({reinterpret_cast<const char*>(tail.data()), kept_end}));
  }
  files_.clear();
  return Status::Ok();
}

Result<std::unique_ptr<File>> FaultInjectingEnv::OpenAppend(const std::string& path) {
  STEMEDB_RETURN_IF_ERROR(StrikeOr(Operation::kOpen, "open", path));
  const bool existed = base_->FileSize(path).has_value();
  auto file = base_->OpenAppend(path);
  if (!file) return file.error();
  std::lock_guard lock(mutex_);
  files_.try_emplace(path, Durable{(*file)->size(), existed});
  return std::unique_ptr<File>(std::make_unique<FaultFile>(this, std::move(*file)));
}

Result<std::unique_ptr<File>> FaultInjectingEnv::OpenRead(const std::string& path) {
  STEMEDB_RETURN_IF_ERROR(StrikeOr(Operation::kOpen, "open", path));
  auto file = base_->OpenRead(path);
  if (!file) return file.error();
  return std::unique_ptr<File>(std::make_unique<FaultFile>(this, std::move(*file)));
}

Result<std::vector<std::string>> FaultInjectingEnv::List(const std::string& dir) { return base_->List(dir); }

Status FaultInjectingEnv::Rename(const std::string& from, const std::string& to) {
  STEMEDB_RETURN_IF_ERROR(StrikeOr(Operation::kRename, "rename", from));
  STEMEDB_RETURN_IF_ERROR(base_->Rename(from, to));
  std::lock_guard lock(mutex_);
  if (auto node = files_.extract(from)) {
    node.key() = to;
    files_.erase(to);
    files_.insert(std::move(node));
  }
  return Status::Ok();
}

Status FaultInjectingEnv::Remove(const std::string& path) {
  STEMEDB_RETURN_IF_ERROR(StrikeOr(Operation::kRemove, "remove", path));
  STEMEDB_RETURN_IF_ERROR(base_->Remove(path));
  std::lock_guard lock(mutex_);
  files_.erase(path);
  return Status::Ok();
}

Status FaultInjectingEnv::MakeDirs(const std::string& dir) { return base_->MakeDirs(dir); }

Status FaultInjectingEnv::SyncDir(const std::string& dir) {
  STEMEDB_RETURN_IF_ERROR(StrikeOr(Operation::kSyncDir, "fsync directory", dir));
  std::lock_guard lock(mutex_);
  for (auto& [path, durable] : files_) durable.name_is_durable |= ParentOf(path) == dir;
  return Status::Ok();
}

Result<uint64_t> FaultInjectingEnv::FileSize(const std::string& path) { return base_->FileSize(path); }
Result<uint64_t> FaultInjectingEnv::FreeBytes(const std::string& dir) {
  {
    std::lock_guard lock(mutex_);
    const Plan& plan = plans_[static_cast<size_t>(Operation::kWrite)];
    if (plan.times > 0 && plan.after == 0 && plan.failure != Failure::kIoError) return uint64_t{0};
  }
  return base_->FreeBytes(dir);
}
Result<std::unique_ptr<FileLock>> FaultInjectingEnv::LockDir(const std::string& dir) {
  return base_->LockDir(dir);
}
Result<std::unique_ptr<FileLock>> FaultInjectingEnv::LockDirToRead(const std::string& dir) {
  return base_->LockDirToRead(dir);
}

}  // namespace stemedb::env
