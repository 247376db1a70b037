// SPDX-License-Identifier: Apache-2.0
// A directory for a trail of queries, on an Env whose faults can be set and a clock that stands still;
// records for it, and pages of it as parsed JSON.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "audit/query_record.h"
#include "audit/trail_reader.h"
#include "audit/trail_writer.h"
#include "env/fault_env.h"
#include "telemetry/log.h"

namespace stemedb::audit {

// A small query about `path`, with one claim.
inline QueryRecord Query(std::string_view question, int64_t time_ms = 1767225600000) {
  QueryRecord record;
  record.time_ms = time_ms;
  record.duration_us = 42;
  record.client = ClientKind::kLoopback;
  record.address = "127.0.0.1";
  record.request_id = "r";
  record.endpoint = "query";
  record.has_moment = true;
  record.sequence = 7;
  record.now_ms = time_ms;
  record.resolutions = record.candidates = 1;
  record.lenses = {{"recency", "1.0", Hash256{1, 2, 3}, 4}};
  record.answer_bytes = 500;
  record.question = question;
  record.claims = {{7, 0, 0, Role::kWinner, 0.5, 1}};
  return record;
}
inline std::string FrameOf(const QueryRecord& record) {
  std::string frame;
  AppendFrame(frame, record);
  return frame;
}
// `count` frames of a query each, a millisecond apart.
inline std::string Frames(size_t count, int64_t from_ms = 1767225600000) {
  std::string frames;
  for (size_t i = 0; i < count; ++i)
    AppendFrame(frames, Query(R"({"concept_path":"a"})", from_ms + static_cast<int64_t>(i)));
  return frames;
}

class TrailTest : public ::testing::Test {
 protected:
  TrailTest() {
    std::filesystem::remove_all(directory_);
    telemetry::ConfigureLog({.level = telemetry::Level::kOff});
  }
  ~TrailTest() override {
    std::filesystem::remove_all(directory_);
    telemetry::ConfigureLog({});
  }

  std::unique_ptr<TrailWriter> Open() {
    auto writer = TrailWriter::Open(env_, metrics_, directory_, bounds_);
    EXPECT_TRUE(writer) << writer.error().message();
    return writer ? std::move(*writer) : nullptr;
  }
  std::string PathOf(uint32_t number) const { return SegmentPath(directory_, number); }
  // All but the mark, which every trail has.
  std::vector<std::string> Files() const {
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(directory_))
      if (entry.path().filename() != "mark") files.push_back(entry.path().filename().string());
    std::sort(files.begin(), files.end());
    return files;
  }
  uint64_t BytesOnDisk() const {
    uint64_t bytes = 0;
    for (const std::string& file : Files()) bytes += std::filesystem::file_size(directory_ + "/" + file);
    return bytes;
  }
  double Dropped(GapReason reason) { return metrics_.AuditDropped(NameOf(reason)).Value(); }

  // The document lives until the next call.
  simdjson::dom::element Page(const TrailWriter& writer, const TrailPage& page = {}) {
    text_.clear();
    AppendTrailPage(text_, env_, writer.Segments(), page);
    simdjson::dom::element root;
    EXPECT_EQ(parser_.parse(text_).get(root), simdjson::SUCCESS) << text_;
    return root;
  }
  std::vector<uint64_t> IdsOf(simdjson::dom::element page) {
    std::vector<uint64_t> ids;
    for (auto entry : page["entries"].get_array()) ids.push_back(entry["id"].get_uint64().value());
    return ids;
  }
  std::vector<uint64_t> Ids(const TrailWriter& writer, const TrailPage& page = {}) {
    return IdsOf(Page(writer, page));
  }
  // "id reason queries" of each gap on the page, newest first; -1 where nobody knows how many.
  std::vector<std::string> Gaps(const TrailWriter& writer, const TrailPage& page = {}) {
    std::vector<std::string> gaps;
    for (auto entry : Page(writer, page)["entries"].get_array()) {
      simdjson::dom::element gap;
      if (entry["gap"].get(gap) != simdjson::SUCCESS) continue;
      uint64_t queries = 0;
      const bool is_known = gap["queries"].get(queries) == simdjson::SUCCESS;
      gaps.push_back(std::to_string(entry["id"].get_uint64().value()) + " " +
                     std::string(gap["reason"].get_string().value()) + " " +
                     (is_known ? std::to_string(queries) : "-1"));
    }
    return gaps;
  }

  const std::string directory_ = ::testing::TempDir() + "audit_trail_test_" + std::to_string(getpid());
  env::FakeClock clock_{1767225600000};
  env::FaultInjectingEnv env_{env::Env::Posix(), &clock_};
  telemetry::Metrics metrics_;
  TrailBounds bounds_;
  simdjson::dom::parser parser_;
  std::string text_;
};

}  // namespace stemedb::audit
