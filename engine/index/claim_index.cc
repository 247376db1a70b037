// SPDX-License-Identifier: Apache-2.0
#include "index/claim_index.h"

#include <algorithm>
#include <map>

#include "base/bytes.h"

namespace stemedb::index {
namespace {

constexpr size_t kCountBytes = 16;

struct Counts {
  uint64_t here = 0;
  uint64_t below = 0;
};

std::string EncodeNode(const Counts& counts, std::string_view path) {
  std::string value(kCountBytes, '\0');
  StoreLittle(value.data(), counts.here);
  StoreLittle(value.data() + 8, counts.below);
  if (path.size() > kPathKeyBytesMax) value.append(path);
  return value;
}

Result<ConceptNode> DecodeNode(std::string_view key, std::string_view value) {
  if (value.size() < kCountBytes) {
    return Status(Code::kCorruption, "concept_unreadable", "a concept's entry is shorter than its counts");
  }
  ConceptNode node;
  node.path = value.size() > kCountBytes ? value.substr(kCountBytes) : key;
  node.assertions = LoadLittle<uint64_t>(value.data());
  node.assertions_below = LoadLittle<uint64_t>(value.data() + 8);
  return node;
}

}  // namespace

Result<std::unique_ptr<ClaimIndex>> ClaimIndex::Open(const std::string& directory, uint64_t map_bytes,
                                                     kv::Access access) {
  auto environment = kv::Environment::Open(
      {.path = directory, .layout = kv::Layout::kDirectory, .access = access, .map_bytes = map_bytes});
  if (!environment) return environment.error();
  std::unique_ptr<ClaimIndex> index(new ClaimIndex);
  index->environment_ = std::move(*environment);
  for (auto [name, database] : {std::pair{"claims", &index->claims_},
                                std::pair{"concepts", &index->concepts_}, std::pair{"meta", &index->meta_}}) {
    auto opened = index->environment_->OpenDatabase(name);
    if (!opened) return opened.error();
    *database = *opened;
  }
  return index;
}

Status ClaimIndex::Apply(kv::WriteTxn& txn, std::span<const LoggedClaim> claims, const Checkpoint& after) {
  auto at = ReadCheckpoint(txn, meta_);
  if (!at) return at.error();
  if (after.sequence <= at->sequence) return Status::Ok();
  claims = Above(claims, at->sequence);
  STEMEDB_RETURN_IF_ERROR(ApplyRows(txn, claims));
  STEMEDB_RETURN_IF_ERROR(ApplyConcepts(txn, claims));
  return WriteCheckpoint(txn, meta_, after);
}

Status ClaimIndex::ApplyRows(kv::WriteTxn& txn, std::span<const LoggedClaim> claims) {
  struct Entry {
    std::string key;
    std::string_view row;
  };
  std::vector<Entry> entries;
  entries.reserve(claims.size());
  for (const LoggedClaim& logged : claims) {
    Entry& entry = entries.emplace_back();
    AppendClaimPrefix(entry.key, logged.claim.concept_path(), logged.claim.predicate());
    AppendSequence(entry.key, logged.sequence);
    entry.row = logged.claim.row();
    txn.Step();
  }
  std::sort(entries.begin(), entries.end(), [&](const Entry& a, const Entry& b) {
    txn.Step();
    return a.key < b.key;
  });
  for (const Entry& entry : entries) STEMEDB_RETURN_IF_ERROR(txn.Put(claims_, entry.key, entry.row));
  return Status::Ok();
}

Status ClaimIndex::ApplyConcepts(kv::WriteTxn& txn, std::span<const LoggedClaim> claims) {
  std::map<std::string_view, Counts> added;
  for (const LoggedClaim& logged : claims) {
    std::string_view path = logged.claim.concept_path();
    ++added[path].here;
    for (path = ParentOf(path); !path.empty(); path = ParentOf(path)) ++added[path].below;
    txn.Step();
  }
  std::string key;
  for (const auto& [path, more] : added) {
    key.clear();
    AppendPathKey(key, path);
    Counts counts = more;
    auto found = txn.Get(concepts_, key);
    if (!found) return found.error();
    if (found->has_value()) {
      auto node = DecodeNode(key, **found);
      if (!node) return node.error();
      counts.here += node->assertions;
      counts.below += node->assertions_below;
    }
    STEMEDB_RETURN_IF_ERROR(txn.Put(concepts_, key, EncodeNode(counts, path)));
  }
  return Status::Ok();
}

Status ClaimIndex::Clear(kv::WriteTxn& txn) {
  for (kv::Database database : {claims_, concepts_, meta_}) STEMEDB_RETURN_IF_ERROR(txn.Clear(database));
  return Status::Ok();
}

Result<ConceptNode> ClaimIndex::Node(const kv::Txn& txn, std::string_view path) const {
  std::string key;
  AppendPathKey(key, path);
  auto found = txn.Get(concepts_, key);
  if (!found) return found.error();
  if (!found->has_value()) return ConceptNode{std::string(path), 0, 0};
  return DecodeNode(key, **found);
}

Result<std::vector<ConceptNode>> ClaimIndex::Children(kv::Cursor& cursor, std::string_view path,
                                                      std::string_view after, size_t limit) const {
  std::vector<ConceptNode> children;
  // Below a path of nearly a key's length, children are told apart by their digests alone.
  const std::string prefix = SubtreePrefix(path).substr(0, kLongPathKept);
  std::string from = prefix;
  if (!after.empty()) {
    from.clear();
    AppendPathKey(from, after);
    from.push_back('\0');  // behind the child itself; what lies below it is skipped as it comes
  }
  if (from.empty())
    from.push_back('\x01');  // LMDB takes no empty key, and no path begins with a control character
  for (Status moved = cursor.Seek(from);;) {
    if (!moved.ok()) return moved;
    if (!cursor.valid() || !cursor.key().starts_with(prefix) || children.size() >= limit) break;
    auto node = DecodeNode(cursor.key(), cursor.value());
    if (!node) return node.error();
    if (!IsBelow(node->path, path)) {
      moved = cursor.Next();
    } else if (ParentOf(node->path) == path) {
      children.push_back(std::move(*node));
      moved = cursor.Next();
    } else {
      const std::string below = SubtreePrefix(ChildOn(node->path, path));
      moved = below.size() > kLongPathKept ? cursor.Next() : cursor.Seek(AfterPrefix(below));
    }
  }
  return children;
}

}  // namespace stemedb::index
