// SPDX-License-Identifier: Apache-2.0
// A store in a directory of its own, on an Env whose faults can be set and a clock that stands still; and
// short ways to write, wait and open it anew. Used by the tests of query as well.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "../index/claims.h"
#include "../index/operations.h"
#include "env/fault_env.h"
#include "store/store.h"
#include "telemetry/log.h"

namespace stemedb::testing {

inline store::PreparedRecord Prepare(const model::Assertion& claim) {
  EncodedClaim encoded = Encode(claim);
  return {encoded.id, std::move(encoded.record)};
}
inline store::PreparedRecord Prepare(const model::Operation& operation) {
  EncodedClaim encoded = Encode(operation);
  return {encoded.id, std::move(encoded.record)};
}

// Submits and waits for the answer.
inline store::CommitResult Write(store::Store& store, std::vector<store::PreparedRecord> records,
                                 store::Atomicity atomicity = store::Atomicity::kEachItem,
                                 std::optional<store::Judgement> judged = {}) {
  std::promise<store::CommitResult> promise;
  store::Submission submission{.records = std::move(records),
                               .atomicity = atomicity,
                               .judged = std::move(judged),
                               .done = [&](store::CommitResult&& r) { promise.set_value(std::move(r)); }};
  const Status queued = store.Submit(std::move(submission));
  if (!queued.ok()) return {queued, {}};
  return promise.get_future().get();
}

inline std::vector<store::PreparedRecord> PrepareAll(const std::vector<model::Assertion>& claims) {
  std::vector<store::PreparedRecord> prepared;
  for (const model::Assertion& claim : claims) prepared.push_back(Prepare(claim));
  return prepared;
}

// Claims that a test made beside SayMany's.
enum class Others { kNone, kMayBeThere };

class StoreTest : public ::testing::Test {
 protected:
  StoreTest() {
    options_.env = &env_;
    options_.clock = &clock_;
    options_.metrics = &metrics_;
    options_.wal_dir = directory_.path() + "/wal";
    options_.db_dir = directory_.path() + "/db";
    options_.index_interval_ms = 3'600'000;  // claims stay in the delta until a test flushes them
    log_ = std::tmpfile();
    telemetry::ConfigureLog(
        {.level = telemetry::Level::kInfo, .format = telemetry::LogFormat::kText, .out = log_});
  }
  ~StoreTest() override {
    store_.reset();
    telemetry::ConfigureLog({});
    std::fclose(log_);
  }

  Status TryOpen() {
    store_.reset();
    auto opened = store::Store::Open(options_);
    if (!opened) return opened.error();
    store_ = std::move(*opened);
    return Status::Ok();
  }
  void Open() {
    const Status opened = TryOpen();
    if (!opened.ok())
      throw std::runtime_error(std::string(opened.message()));  // nothing after it makes sense
  }

  store::CommitResult Say(const model::Assertion& claim) { return Write(*store_, PrepareAll({claim})); }
  store::CommitResult Say(const model::Operation& operation) { return Write(*store_, {Prepare(operation)}); }
  // `count` claims a/0 … a/9 one by one, numbered on from what was said before.
  void SayMany(int count) {
    for (int i = 0; i < count; ++i, ++said_) {
      const auto result = Say(Numbered(said_));
      ASSERT_TRUE(result.status.ok()) << result.status.message();
      ASSERT_FALSE(result.items[0].duplicate);
    }
  }
  static model::Assertion Numbered(int number) {
    return Claim("a/" + std::to_string(number % 10), "p", Number(number));
  }
  // Every claim said by SayMany is there, once, and nothing else.
  void ExpectAllThere(Others others = Others::kNone) {
    const auto reader = store_->NewReader();
    ASSERT_TRUE(reader->Refresh().ok());
    std::vector<store::Row> rows;
    const auto more = reader->Scan({.concept_path = "a", .subtree = true}, 1'000'000, rows);
    ASSERT_TRUE(more.has_value()) << more.error().message();
    std::vector<double> numbers;
    for (const store::Row& row : rows) numbers.push_back(row.claim.number());
    std::sort(numbers.begin(), numbers.end());
    ASSERT_EQ(numbers.size(), static_cast<size_t>(said_));
    for (size_t i = 0; i < numbers.size(); ++i) ASSERT_EQ(numbers[i], static_cast<double>(i));
    if (others == Others::kNone) {
      EXPECT_EQ(reader->assertion_count(), static_cast<uint64_t>(said_));
    }
    for (int i = 0; i < said_; ++i) ASSERT_TRUE(reader->Find(Prepare(Numbered(i)).id)->has_value()) << i;
  }

  // What was logged since the last call.
  std::string TakeLog() {
    std::fflush(log_);
    std::string text;
    std::fseek(log_, log_read_, SEEK_SET);
    for (int c = std::fgetc(log_); c != EOF; c = std::fgetc(log_)) text.push_back(static_cast<char>(c));
    log_read_ = std::ftell(log_);
    std::fseek(log_, 0, SEEK_END);
    return text;
  }

  void CopyTree(const std::string& from, const std::string& to) {
    std::filesystem::remove_all(directory_.path() + "/" + to);
    std::filesystem::copy(directory_.path() + "/" + from, directory_.path() + "/" + to,
                          std::filesystem::copy_options::recursive);
  }
  void RemoveTree(const std::string& name) { std::filesystem::remove_all(directory_.path() + "/" + name); }

  TestDirectory directory_;
  env::FakeClock clock_{kTestNow};
  env::FaultInjectingEnv env_{env::Env::Posix(), &clock_};
  telemetry::Metrics metrics_;
  store::Options options_;
  std::unique_ptr<store::Store> store_;
  int said_ = 0;

 private:
  std::FILE* log_;
  long log_read_ = 0;
};

// A store of which much is said at random; the seed is printed.
class RandomStoreTest : public StoreTest {
 protected:
  uint64_t Below(uint64_t n) { return random_() % n; }
  template <typename T>
  const T& AnyOf(const std::vector<T>& pool) {
    return pool[Below(pool.size())];
  }
  Cascade AnyCascade() { return Below(2) == 0 ? Cascade::kYes : Cascade::kNo; }

  std::mt19937_64 random_ = PrintedRandom();
};

}  // namespace stemedb::testing
