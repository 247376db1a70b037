// SPDX-License-Identifier: Apache-2.0
// What the tests of the log share: a directory of its own, an Env whose faults can be set, and short ways to
// write, recover and look at files.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "env/fault_env.h"
#include "wal/reader.h"
#include "wal/recover.h"
#include "wal/segment_files.h"
#include "wal/writer.h"

namespace stemedb::wal {

// A record without borrowed bytes.
struct Kept {
  uint64_t sequence = 0;
  uint8_t flags = 0;
  int64_t recorded_at_ms = 0;
  std::string payload;
  Hash256 chain{};
  bool operator==(const Kept&) const = default;
};

using Files = std::map<std::string, std::string>;  // name to content

class WalTest : public ::testing::Test {
 protected:
  void SetUp() override {
    dir_ = ::testing::TempDir() + "wal_" + ::testing::UnitTest::GetInstance()->current_test_info()->name() +
           "_" + std::to_string(::getpid());
    std::filesystem::remove_all(dir_);
    std::filesystem::create_directories(dir_);
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  Result<Recovered> RecoverLog(uint64_t first_needed = 1, OnDamage damage = OnDamage::kRefuse) {
    RecoverOptions options;
    options.env = &env_;
    options.dir = dir_;
    options.first_needed_sequence = first_needed;
    options.damage = damage;
    options.log = [this](std::string_view line) { log_ += std::string(line) + "\n"; };
    replayed_.clear();
    return Recover(options, [this](const Record& record) {
      replayed_.push_back(
          {record.sequence, record.flags, record.recorded_at_ms, std::string(record.payload), record.chain});
      return Status::Ok();
    });
  }

  WriterOptions Writing(uint64_t segment_bytes_max) {
    WriterOptions options;
    options.env = &env_;
    options.dir = dir_;
    options.segment_bytes_max = segment_bytes_max;
    options.prepare_segments = false;  // its thread's operations would be counted and struck as well
    return options;
  }

  std::unique_ptr<Writer> OpenWriter(uint64_t segment_bytes_max = 1u << 20) {
    auto recovered = RecoverLog();
    EXPECT_TRUE(recovered.has_value()) << recovered.error().message();
    auto writer = Writer::Open(Writing(segment_bytes_max), *recovered);
    EXPECT_TRUE(writer.has_value()) << writer.error().message();
    return std::move(*writer);
  }

  // One atomic group of the payloads.
  static Status AppendGroup(Writer& writer, const std::vector<std::string>& payloads) {
    std::vector<RecordToWrite> records;
    for (const std::string& payload : payloads) records.push_back({7, kFlagMore, 1'700'000'000'000, payload});
    records.back().flags = 0;
    return writer.Append(records);
  }
  static Status WriteGroup(Writer& writer, const std::vector<std::string>& payloads) {
    STEMEDB_RETURN_IF_ERROR(AppendGroup(writer, payloads));
    return writer.Sync();
  }

  std::vector<std::string> Payloads() const {
    std::vector<std::string> payloads;
    for (const Kept& record : replayed_) payloads.push_back(record.payload);
    return payloads;
  }

  std::string Path(const std::string& name) const { return dir_ + "/" + name; }
  static std::string ReadFile(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void WriteFile(const std::string& path, const std::string& content) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
  }
  Files ReadFiles() const {
    Files files;
    for (const auto& entry : std::filesystem::directory_iterator(dir_)) {
      files[entry.path().filename().string()] = ReadFile(entry.path().string());
    }
    return files;
  }
  void RestoreFiles(const Files& files) const {
    for (const auto& entry : std::filesystem::directory_iterator(dir_)) std::filesystem::remove(entry.path());
    for (const auto& [name, content] : files) WriteFile(Path(name), content);
  }

  env::FakeClock clock_{1'770'804'930'000};  // 2026-02-11T10:15:30Z
  env::FaultInjectingEnv env_{env::Env::Posix(), &clock_};
  std::string dir_;
  std::string log_;
  std::vector<Kept> replayed_;  // by the last RecoverLog
};

}  // namespace stemedb::wal
