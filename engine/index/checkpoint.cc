// SPDX-License-Identifier: Apache-2.0
#include "index/checkpoint.h"

#include <cstring>

namespace stemedb::index {
namespace {

constexpr std::string_view kKey = "checkpoint";
constexpr uint32_t kFormatVersion = 1;

// version u32, reserved u32, sequence u64, assertions u64, recorded_at i64, chain 32
constexpr size_t kBytes = 64;

}  // namespace

Result<Checkpoint> ReadCheckpoint(const kv::Txn& txn, kv::Database meta) {
  auto found = txn.Get(meta, kKey);
  if (!found) return found.error();
  if (!found->has_value()) return Checkpoint{};
  const std::string_view bytes = **found;
  if (bytes.size() != kBytes || LoadLittle<uint32_t>(bytes.data()) != kFormatVersion) {
    return Status(Code::kCorruption, "checkpoint_unreadable",
                  txn.environment().path() + ": the checkpoint is not of format version " +
                      std::to_string(kFormatVersion) +
                      "; it was written by another version of StemeDB or is damaged");
  }
  Checkpoint checkpoint;
  checkpoint.sequence = LoadLittle<uint64_t>(bytes.data() + 8);
  checkpoint.assertions = LoadLittle<uint64_t>(bytes.data() + 16);
  checkpoint.recorded_at_ms = LoadLittle<int64_t>(bytes.data() + 24);
  std::memcpy(checkpoint.chain.data(), bytes.data() + 32, checkpoint.chain.size());
  return checkpoint;
}

Status WriteCheckpoint(kv::WriteTxn& txn, kv::Database meta, const Checkpoint& checkpoint) {
  char bytes[kBytes] = {};
  StoreLittle(bytes, kFormatVersion);
  StoreLittle(bytes + 8, checkpoint.sequence);
  StoreLittle(bytes + 16, checkpoint.assertions);
  StoreLittle(bytes + 24, checkpoint.recorded_at_ms);
  std::memcpy(bytes + 32, checkpoint.chain.data(), checkpoint.chain.size());
  return txn.Put(meta, kKey, {bytes, sizeof bytes});
}

}  // namespace stemedb::index
