// SPDX-License-Identifier: Apache-2.0
// Transactions and cursors. Every string_view that they return points into LMDB's map: valid until the
// transaction ends, is Reset, or (in a WriteTxn) until its next write.
//
// One transaction or cursor is used by one thread at a time. Keys are 1 to 511 bytes, ordered bytewise.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "base/status.h"
#include "kv/environment.h"

struct MDB_cursor;

namespace stemedb::kv {

inline constexpr size_t kKeyBytesMax = 511;

// What reading and writing transactions share. Not for use as a type of its own.
class Txn {
 public:
  Txn(const Txn&) = delete;
  Txn& operator=(const Txn&) = delete;

  // The value, or nothing when the key is not there.
  Result<std::optional<std::string_view>> Get(Database database, std::string_view key) const;
  // How many keys the database holds, as this transaction sees it.
  Result<uint64_t> Count(Database database) const;

  // Of what this transaction sees: the same as another's when nothing was committed between them. Needs an
  // active transaction.
  uint64_t snapshot_id() const;

  MDB_txn* raw() const { return txn_; }
  Environment& environment() const { return *environment_; }

 protected:
  explicit Txn(Environment* environment) : environment_(environment) {}
  ~Txn() = default;
  Environment* environment_;
  MDB_txn* txn_ = nullptr;
};

// A snapshot. Made once for each thread and reused: Renew before a query, Reset after it (Reset early: an old
// snapshot makes the file grow). Opens idle.
//   ReadTxn txn = ...; { ReadScope scope(*txn); if (!scope.status().ok()) ...; txn->Get(...); }
class ReadTxn final : public Txn {
 public:
  static Result<std::unique_ptr<ReadTxn>> Open(Environment* environment);
  ~ReadTxn();

  // Takes the newest snapshot. Waits while the map grows. Must be idle.
  Status Renew();
  // Lets the snapshot go; an idle transaction stays idle.
  void Reset();
  bool active() const { return active_; }

 private:
  explicit ReadTxn(Environment* environment) : Txn(environment) {}
  ReaderSlot slot_;
  bool active_ = false;
};

// Renew on entry, Reset on exit.
class ReadScope {
 public:
  explicit ReadScope(ReadTxn& txn) : txn_(txn), status_(txn.Renew()) {}
  ~ReadScope() { txn_.Reset(); }
  ReadScope(const ReadScope&) = delete;
  ReadScope& operator=(const ReadScope&) = delete;
  const Status& status() const { return status_; }

 private:
  ReadTxn& txn_;
  Status status_;
};

enum class PutMode : uint8_t {
  kOverwrite,
  kNoOverwrite,  // kConflict "key_exists" when the key is there
  kAppend,       // faster: the key must be above every key there, else kConflict "key_exists"
};

// The only writer while it lives: a second one waits. Aborts when destroyed without Commit. After any failure
// except "key_exists" the transaction is of no more use: Abort it.
class WriteTxn final : public Txn {
 public:
  static constexpr size_t kStepsBetweenBreaths = 32;  // some tens of microseconds

  static Result<std::unique_ptr<WriteTxn>> Begin(Environment* environment);
  ~WriteTxn();

  Status Put(Database database, std::string_view key, std::string_view value,
             PutMode mode = PutMode::kOverwrite);
  // Called now and then during a long transaction, so that its thread can make room for others.
  void set_breather(std::function<void()> breather) { breather_ = std::move(breather); }
  // For work between the changes that takes as long as they do: call it for each small step. Put does.
  void Step() {
    if (breather_ && ++steps_ % kStepsBetweenBreaths == 0) breather_();
  }
  // Whether the key was there.
  Result<bool> Delete(Database database, std::string_view key);
  // Removes every key of the database.
  Status Clear(Database database);

  // Durable when it returns ok. Ends the transaction either way.
  Status Commit();
  void Abort();

 private:
  explicit WriteTxn(Environment* environment) : Txn(environment) {}
  ReaderSlot slot_;  // a writer counts at the gate as well
  std::function<void()> breather_;
  size_t steps_ = 0;
};

// Walks the keys of one database in order. Must not outlive its transaction's use: with a ReadTxn that is
// reused, call Renew after each ReadTxn::Renew. Destroy it before a WriteTxn ends.
//   for (Status s = c.Seek(from); s.ok() && c.valid(); s = c.Next()) use(c.key(), c.value());
class Cursor {
 public:
  static Result<Cursor> Open(const Txn& txn, Database database);
  Cursor(Cursor&& other) noexcept;
  Cursor& operator=(Cursor&& other) noexcept;
  ~Cursor();

  // Ties the cursor to the ReadTxn's new snapshot; position undefined (valid() is false).
  Status Renew(const ReadTxn& txn);

  // Each moves; ok with valid() false means there is no such key.
  Status Seek(std::string_view key);  // the first key >= `key`
  Status First();
  Status Last();
  Status Next();  // needs valid()
  Status Prev();  // needs valid()
  // The last key < `key`.
  Status SeekBefore(std::string_view key);

  bool valid() const { return valid_; }
  // Need valid().
  std::string_view key() const { return key_; }
  std::string_view value() const { return value_; }

 private:
  Cursor(Environment* environment, MDB_cursor* cursor) : environment_(environment), cursor_(cursor) {}
  Status Move(int operation, std::string_view key);

  Environment* environment_;
  MDB_cursor* cursor_;
  bool valid_ = false;
  std::string_view key_;
  std::string_view value_;
};

}  // namespace stemedb::kv
