// SPDX-License-Identifier: Apache-2.0
// Any bytes as a key of the index, as a path, and as the checkpoint of a real LMDB environment.
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/check.h"
#include "index/checkpoint.h"
#include "index/layout.h"
#include "kv/environment.h"
#include "kv/txn.h"

namespace {

using namespace stemedb;

bool Inside(std::string_view part, std::string_view whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void CheckKey(std::string_view key) {
  const auto parsed = index::ParseClaimKey(key);
  if (!parsed) return;
  STEMEDB_CHECK(Inside(parsed->path_key, key) && Inside(parsed->predicate, key));
  STEMEDB_CHECK(parsed->path_key.size() + parsed->predicate.size() + 10 == key.size());
}

// The way up ends, and the child that lies on it is or is above the path.
void CheckPath(std::string_view path) {
  std::string_view up = path;
  while (!up.empty()) {
    const std::string_view parent = index::ParentOf(up);
    STEMEDB_CHECK(parent.size() < up.size() && path.starts_with(parent));
    STEMEDB_CHECK(path.starts_with(index::ChildOn(path, parent)));
    up = parent;
  }
}

// One environment and one transaction, which is never committed.
class Scratch {
 public:
  Scratch() {
    char name[] = "fuzz-index-XXXXXX";
    STEMEDB_CHECK(mkdtemp(name) != nullptr);
    dir_ = name;
    auto opened = kv::Environment::Open({.path = dir_ + "/data", .map_bytes = 1 << 20});
    STEMEDB_CHECK(opened.has_value());
    environment_ = std::move(*opened);
    auto meta = environment_->OpenDatabase("meta");
    STEMEDB_CHECK(meta.has_value());
    meta_ = *meta;
    auto txn = kv::WriteTxn::Begin(environment_.get());
    STEMEDB_CHECK(txn.has_value());
    txn_ = std::move(*txn);
  }
  ~Scratch() {
    txn_.reset();
    environment_.reset();
    std::filesystem::remove_all(dir_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  void CheckCheckpoint(std::string_view bytes) {
    STEMEDB_CHECK(txn_->Put(meta_, "checkpoint", bytes).ok());
    const auto read = index::ReadCheckpoint(*txn_, meta_);
    if (!read) {
      STEMEDB_CHECK(read.error().code() == Code::kCorruption &&
                    read.error().reason() == "checkpoint_unreadable");
      return;
    }
    STEMEDB_CHECK(index::WriteCheckpoint(*txn_, meta_, *read).ok());
    const auto again = index::ReadCheckpoint(*txn_, meta_);
    STEMEDB_CHECK(again && again->sequence == read->sequence && again->assertions == read->assertions &&
                  again->recorded_at_ms == read->recorded_at_ms && again->chain == read->chain);
  }

 private:
  std::string dir_;
  std::unique_ptr<kv::Environment> environment_;
  kv::Database meta_;
  std::unique_ptr<kv::WriteTxn> txn_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Scratch scratch;
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  CheckKey(bytes);
  CheckPath(bytes);
  scratch.CheckCheckpoint(std::string_view(bytes).substr(0, 4096));
  return 0;
}
