// SPDX-License-Identifier: Apache-2.0
// Any bytes as a key of the index, as a path, and as the checkpoint of a real LMDB environment; and two
// claims cut from them, whose keys must come back as they went in and lie in the order of path, predicate,
// sequence.
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>

#include "base/bytes.h"
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

struct Place {
  std::string path, predicate;
  uint64_t sequence = 0;
};

// Takes a sequence, then a path and a predicate out of what is left: the bytes that may stand in them.
Place TakePlace(std::string_view& bytes) {
  Place place;
  for (int i = 0; i < 8 && !bytes.empty(); ++i, bytes.remove_prefix(1)) {
    place.sequence = place.sequence << 8 | static_cast<unsigned char>(bytes.front());
  }
  std::string* part = &place.path;
  while (!bytes.empty() && part != nullptr) {
    const char c = bytes.front();
    bytes.remove_prefix(1);
    if (static_cast<unsigned char>(c) >= 0x20) {
      if (part->size() < (part == &place.path ? 512u : 128u)) part->push_back(c);
    } else {
      part = part == &place.path ? &place.predicate : nullptr;
    }
  }
  return place;
}

std::string KeyOf(const Place& place) {
  std::string key;
  index::AppendClaimPrefix(key, place.path, place.predicate);
  index::AppendSequence(key, place.sequence);
  return key;
}

void CheckPlaces(std::string_view bytes) {
  const Place a = TakePlace(bytes), b = TakePlace(bytes);
  const std::string key_a = KeyOf(a), key_b = KeyOf(b);
  for (const auto& [place, key] : {std::tie(a, key_a), std::tie(b, key_b)}) {
    STEMEDB_CHECK(key.size() <= 511);  // LMDB's limit
    const auto parsed = index::ParseClaimKey(key);
    std::string path_key;
    index::AppendPathKey(path_key, place.path);
    STEMEDB_CHECK(parsed && parsed->path_key == path_key && parsed->predicate == place.predicate &&
                  parsed->sequence == place.sequence);
    const bool kept = place.path.size() <= index::kPathKeyBytesMax;
    STEMEDB_CHECK(index::IsLongPathKey(path_key) == !kept && (!kept || path_key == place.path));
    STEMEDB_CHECK(path_key.starts_with(std::string_view(place.path).substr(0, index::kLongPathKept)));
  }
  const auto rank = [](const Place& p) {
    // Of a long path, the key keeps the order of the kept bytes alone.
    return std::make_tuple(std::string_view(p.path), std::string_view(p.predicate), p.sequence);
  };
  if (a.path.size() > index::kLongPathKept || b.path.size() > index::kLongPathKept) return;
  STEMEDB_CHECK((rank(a) < rank(b)) == (key_a < key_b) && (rank(a) == rank(b)) == (key_a == key_b));
}

// Every path below another lies in the range that its prefix spans, and no other does.
void CheckSubtree(std::string_view path, std::string_view ancestor) {
  const std::string from = index::SubtreePrefix(ancestor), to = index::AfterPrefix(from);
  const bool in_range = path >= from && (to.empty() || path < to);
  if (index::IsBelow(path, ancestor)) STEMEDB_CHECK(in_range);
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
  CheckPath(std::string_view(bytes).substr(0, 512));  // no path is longer
  CheckPlaces(bytes);
  std::string_view rest(bytes);
  const Place place = TakePlace(rest);
  CheckSubtree(place.path, place.predicate);
  for (size_t i = 0; i <= place.path.size(); i += 1 + i / 4) {
    CheckSubtree(place.path, std::string_view(place.path).substr(0, i));
  }
  scratch.CheckCheckpoint(std::string_view(bytes).substr(0, 4096));
  return 0;
}
