// SPDX-License-Identifier: Apache-2.0
#include "index/operation_index.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "base/bytes.h"
#include "index/layout.h"

namespace stemedb::index {
namespace {

constexpr double kWeightUnits = 1e9;
constexpr size_t kTallyBytes = 16;
constexpr size_t kBallotBytes = 16 + sizeof(Hash256);

Status Unreadable(std::string_view what) {
  return Status(Code::kCorruption, "index_unreadable",
                std::string(what) +
                    " of the index of operations is malformed: stop the server and delete indexes/ in the "
                    "database directory; it is made again from the log at the next start");
}

// Subjects have small letters, effects capital ones.
std::string NewestKey(char letter) { return std::string("newest:") + letter; }

void AppendLittle(std::string& out, uint64_t number) {
  char bytes[8];
  StoreLittle(bytes, number);
  out.append(bytes, sizeof bytes);
}

}  // namespace

Ballot BallotOf(const model::OperationView& vote) {
  Ballot ballot{vote.timestamp_ms(), static_cast<uint64_t>(std::llround(vote.number() * kWeightUnits)), {}};
  std::copy_n(vote.id().begin(), ballot.id.size(), ballot.id.begin());
  return ballot;
}

bool OutdatedBy(const Ballot& ballot, const Ballot& other) {
  return std::tie(ballot.timestamp_ms, ballot.id) < std::tie(other.timestamp_ms, other.id);
}

bool Count(Tally& tally, const std::optional<Ballot>& other, const Ballot& ballot) {
  if (other && OutdatedBy(ballot, *other)) return false;
  tally.count += other ? 0 : 1;
  tally.weight += ballot.weight - (other ? other->weight : 0);
  return true;
}

void AppendSubjectPrefix(std::string& key, const model::SubjectView& subject) {
  key.push_back(static_cast<char>(subject.kind));
  AppendPathKey(key, subject.name);
  key.push_back('\0');
}

void AppendLinkPrefix(std::string& key, std::string_view name, LinkKind kind) {
  key.push_back(static_cast<char>(kind));
  if (kind != LinkKind::kSource) {
    key.append(name);
    return;
  }
  AppendPathKey(key, name);
  key.push_back('\0');
}

void AppendBallotKey(std::string& key, std::string_view assertion_id, std::string_view agent_id) {
  key.append(assertion_id);
  key.append(agent_id);
}

Result<StoredOperation> DecodeOperation(std::string_view value) {
  auto operation = model::OperationView::OfRow(value);
  if (!operation) return operation.error();
  StoredOperation stored;
  stored.operation = *operation;
  if (operation->kind() != model::OperationKind::kVote) return stored;
  if (value.size() != operation->row_size() + kTallyBytes) return Unreadable("a vote");
  const char* tally = value.data() + operation->row_size();
  stored.tally = {LoadLittle<uint64_t>(tally), LoadLittle<uint64_t>(tally + 8)};
  return stored;
}

Result<Ballot> DecodeBallot(std::string_view value) {
  if (value.size() != kBallotBytes) return Unreadable("an agent's vote");
  Ballot ballot{LoadLittle<int64_t>(value.data()), LoadLittle<uint64_t>(value.data() + 8), {}};
  std::copy_n(value.begin() + 16, ballot.id.size(), ballot.id.begin());
  return ballot;
}

Status OperationIndex::Open(kv::Environment& environment, kv::Database meta) {
  meta_ = meta;
  for (auto [name, database] :
       {std::pair{"operations", &operations_}, std::pair{"votes", &votes_}, std::pair{"links", &links_}}) {
    auto opened = environment.OpenDatabase(name);
    if (!opened) return opened.error();
    *database = *opened;
  }
  return Status::Ok();
}

Status OperationIndex::Clear(kv::WriteTxn& txn) {
  for (kv::Database database : {operations_, votes_, links_}) STEMEDB_RETURN_IF_ERROR(txn.Clear(database));
  return Status::Ok();
}

Status OperationIndex::ApplyOperation(kv::WriteTxn& txn, const LoggedRecord& record) {
  const model::OperationView operation = record.operation();
  std::string value(operation.row()), key;
  if (operation.kind() == model::OperationKind::kVote) {
    auto tally = CountVote(txn, operation);
    if (!tally) return tally.error();
    AppendLittle(value, tally->count);
    AppendLittle(value, tally->weight);
  }
  const auto put = [&](const model::SubjectView& subject) -> Status {
    key.clear();
    AppendSubjectPrefix(key, subject);
    AppendSequence(key, record.sequence);
    STEMEDB_RETURN_IF_ERROR(txn.Put(operations_, key, value));
    return txn.Put(meta_, NewestKey(static_cast<char>(subject.kind)),
                   RecordTable::SequenceKey(record.sequence));
  };
  for (const Effect effect : kEffects) {
    if (!Has(operation, effect)) continue;
    STEMEDB_RETURN_IF_ERROR(
        txn.Put(meta_, NewestKey(static_cast<char>(effect)), RecordTable::SequenceKey(record.sequence)));
  }
  STEMEDB_RETURN_IF_ERROR(put(operation.subject()));
  return operation.has_second_subject() ? put(operation.second_subject()) : Status::Ok();
}

// The tally of its claim with this vote.
Result<Tally> OperationIndex::CountVote(kv::WriteTxn& txn, const model::OperationView& vote) {
  Tally tally;
  std::string key;
  AppendSubjectPrefix(key, vote.subject());
  const size_t prefix_size = key.size();
  AppendSequence(key, UINT64_MAX);
  {
    auto cursor = kv::Cursor::Open(txn, operations_);
    if (!cursor) return cursor.error();
    STEMEDB_RETURN_IF_ERROR(cursor->SeekBefore(key));
    if (cursor->valid() && cursor->key().starts_with(std::string_view(key).substr(0, prefix_size))) {
      auto stored = DecodeOperation(cursor->value());
      if (!stored) return stored.error();
      tally = stored->tally;
    }
  }
  key.clear();
  AppendBallotKey(key, vote.subject().name, vote.agent_id());
  auto earlier = FindBallot(txn, key);
  if (!earlier) return earlier.error();
  const Ballot ballot = BallotOf(vote);
  if (Count(tally, *earlier, ballot)) {
    std::string value;
    AppendLittle(value, static_cast<uint64_t>(ballot.timestamp_ms));
    AppendLittle(value, ballot.weight);
    value.append(AsView(ballot.id));
    STEMEDB_RETURN_IF_ERROR(txn.Put(votes_, key, value));
  }
  return tally;
}

Result<std::optional<Ballot>> OperationIndex::FindBallot(const kv::Txn& txn, std::string_view key) const {
  auto found = txn.Get(votes_, key);
  if (!found) return found.error();
  if (!found->has_value()) return std::optional<Ballot>();
  auto ballot = DecodeBallot(**found);
  if (!ballot) return ballot.error();
  return std::optional<Ballot>(*ballot);
}

Result<uint64_t> OperationIndex::Newest(const kv::Txn& txn, model::SubjectKind kind) const {
  return NewestAt(txn, static_cast<char>(kind));
}

Result<uint64_t> OperationIndex::Newest(const kv::Txn& txn, Effect effect) const {
  return NewestAt(txn, static_cast<char>(effect));
}

Result<uint64_t> OperationIndex::NewestAt(const kv::Txn& txn, char letter) const {
  auto found = txn.Get(meta_, NewestKey(letter));
  if (!found) return found.error();
  if (!found->has_value()) return uint64_t{0};
  if ((*found)->size() != sizeof(uint64_t)) return Unreadable("a newest sequence");
  return LoadBig64((*found)->data());
}

}  // namespace stemedb::index
