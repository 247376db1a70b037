// SPDX-License-Identifier: Apache-2.0
#include "kv/txn.h"

#include <lmdb.h>

#include <utility>

#include "base/check.h"

namespace stemedb::kv {
namespace {

MDB_val ToVal(std::string_view bytes) { return {bytes.size(), const_cast<char*>(bytes.data())}; }
std::string_view ToView(const MDB_val& val) { return {static_cast<const char*>(val.mv_data), val.mv_size}; }

unsigned FlagsOf(PutMode mode) {
  switch (mode) {
    case PutMode::kOverwrite:
      return 0;
    case PutMode::kNoOverwrite:
      return MDB_NOOVERWRITE;
    case PutMode::kAppend:
      return MDB_APPEND;
  }
  return 0;
}

}  // namespace

Result<std::optional<std::string_view>> Txn::Get(Database database, std::string_view key) const {
  MDB_val key_val = ToVal(key), value{};
  const int code = mdb_get(txn_, database.handle(), &key_val, &value);
  if (code == 0) return std::optional(ToView(value));
  if (code == MDB_NOTFOUND) return std::optional<std::string_view>();
  return environment_->Failure(code, "get from");
}

Result<uint64_t> Txn::Count(Database database) const {
  MDB_stat stat{};
  const int code = mdb_stat(txn_, database.handle(), &stat);
  if (code != 0) return environment_->Failure(code, "count in");
  return uint64_t{stat.ms_entries};
}

Result<std::unique_ptr<ReadTxn>> ReadTxn::Open(Environment* environment) {
  std::unique_ptr<ReadTxn> txn(new ReadTxn(environment));
  environment->Register(&txn->slot_);
  return txn;
}

ReadTxn::~ReadTxn() {
  // Ending it touches the reader table alone, never the map: no need to be inside the gate.
  if (txn_) mdb_txn_abort(txn_);
  Environment::Leave(slot_);
  environment_->Unregister(&slot_);
}

uint64_t Txn::snapshot_id() const { return mdb_txn_id(txn_); }

Status ReadTxn::Renew() {
  STEMEDB_CHECK(!active_);
  // The second round is for a map that another process has grown.
  for (int round = 0;; ++round) {
    STEMEDB_RETURN_IF_ERROR(environment_->Enter(slot_));
    const int code =
        txn_ ? mdb_txn_renew(txn_) : mdb_txn_begin(environment_->raw(), nullptr, MDB_RDONLY, &txn_);
    if (code == 0) {
      active_ = true;
      return Status::Ok();
    }
    Environment::Leave(slot_);
    if (code != MDB_MAP_RESIZED || round > 0) return environment_->Failure(code, "read");
    STEMEDB_RETURN_IF_ERROR(environment_->AdoptMap());
  }
}

void ReadTxn::Reset() {
  if (!active_) return;
  mdb_txn_reset(txn_);
  active_ = false;
  Environment::Leave(slot_);
}

Result<std::unique_ptr<WriteTxn>> WriteTxn::Begin(Environment* environment) {
  std::unique_ptr<WriteTxn> txn(new WriteTxn(environment));
  environment->Register(&txn->slot_);
  for (int round = 0;; ++round) {
    STEMEDB_RETURN_IF_ERROR(environment->Enter(txn->slot_));
    const int code = mdb_txn_begin(environment->raw(), nullptr, 0, &txn->txn_);
    if (code == 0) return txn;
    txn->txn_ = nullptr;
    Environment::Leave(txn->slot_);
    if (code != MDB_MAP_RESIZED || round > 0) return environment->Failure(code, "write");
    STEMEDB_RETURN_IF_ERROR(environment->AdoptMap());
  }
}

WriteTxn::~WriteTxn() {
  Abort();
  environment_->Unregister(&slot_);
}

Status WriteTxn::Put(Database database, std::string_view key, std::string_view value, PutMode mode) {
  Step();
  MDB_val key_val = ToVal(key), value_val = ToVal(value);
  const int code = mdb_put(txn_, database.handle(), &key_val, &value_val, FlagsOf(mode));
  return code == 0 ? Status::Ok() : environment_->Failure(code, "put into");
}

Result<bool> WriteTxn::Delete(Database database, std::string_view key) {
  MDB_val key_val = ToVal(key);
  const int code = mdb_del(txn_, database.handle(), &key_val, nullptr);
  if (code == 0) return true;
  if (code == MDB_NOTFOUND) return false;
  return environment_->Failure(code, "delete from");
}

Status WriteTxn::Clear(Database database) {
  const int code = mdb_drop(txn_, database.handle(), 0);
  return code == 0 ? Status::Ok() : environment_->Failure(code, "clear");
}

Status WriteTxn::Commit() {
  STEMEDB_CHECK(txn_ != nullptr);
  const int code = mdb_txn_commit(std::exchange(txn_, nullptr));
  if (code == 0) environment_->TakeFigures();
  Environment::Leave(slot_);
  return code == 0 ? Status::Ok() : environment_->Failure(code, "commit to");
}

void WriteTxn::Abort() {
  if (!txn_) return;
  mdb_txn_abort(std::exchange(txn_, nullptr));
  Environment::Leave(slot_);
}

Result<Cursor> Cursor::Open(const Txn& txn, Database database) {
  MDB_cursor* cursor = nullptr;
  const int code = mdb_cursor_open(txn.raw(), database.handle(), &cursor);
  if (code != 0) return txn.environment().Failure(code, "open a cursor in");
  return Cursor(&txn.environment(), cursor);
}

Cursor::Cursor(Cursor&& other) noexcept
    : environment_(other.environment_),
      cursor_(std::exchange(other.cursor_, nullptr)),
      valid_(other.valid_),
      key_(other.key_),
      value_(other.value_) {}

Cursor& Cursor::operator=(Cursor&& other) noexcept {
  std::swap(environment_, other.environment_);
  std::swap(cursor_, other.cursor_);
  std::swap(valid_, other.valid_);
  std::swap(key_, other.key_);
  std::swap(value_, other.value_);
  return *this;
}

Cursor::~Cursor() {
  if (cursor_) mdb_cursor_close(cursor_);
}

Status Cursor::Renew(const ReadTxn& txn) {
  valid_ = false;
  const int code = mdb_cursor_renew(txn.raw(), cursor_);
  return code == 0 ? Status::Ok() : environment_->Failure(code, "renew a cursor in");
}

Status Cursor::Move(int operation, std::string_view key) {
  MDB_val key_val = ToVal(key), value{};
  const int code = mdb_cursor_get(cursor_, &key_val, &value, static_cast<MDB_cursor_op>(operation));
  valid_ = code == 0;
  if (code == MDB_NOTFOUND) return Status::Ok();
  if (code != 0) return environment_->Failure(code, "walk");
  key_ = ToView(key_val);
  value_ = ToView(value);
  return Status::Ok();
}

Status Cursor::Seek(std::string_view key) { return key.empty() ? First() : Move(MDB_SET_RANGE, key); }
Status Cursor::First() { return Move(MDB_FIRST, {}); }
Status Cursor::Last() { return Move(MDB_LAST, {}); }

Status Cursor::Next() {
  STEMEDB_CHECK(valid_);
  return Move(MDB_NEXT, {});
}

Status Cursor::Prev() {
  STEMEDB_CHECK(valid_);
  return Move(MDB_PREV, {});
}

Status Cursor::SeekBefore(std::string_view key) {
  STEMEDB_RETURN_IF_ERROR(Seek(key));
  return valid_ ? Prev() : Last();
}

}  // namespace stemedb::kv
