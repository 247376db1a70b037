// SPDX-License-Identifier: Apache-2.0
// What the tests of index, store and query share: claims from a few words, encoded as the api room encodes
// them, and names that are close to each other, since those are the ones that an index gets wrong.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "model/canonical.h"
#include "model/claim_record.h"

namespace stemedb::testing {

inline constexpr int64_t kTestNow = 1'770'804'900'000;  // 2026-02-11T10:15:00Z

struct EncodedClaim {
  Hash256 id{};
  std::string record;
};

inline EncodedClaim Encode(const model::Assertion& claim) {
  std::string canonical;
  model::AppendCanonicalJson(canonical, claim);
  const Hash256 id = model::IdOf(canonical);
  return {id, model::EncodeClaim(claim, canonical, id)};
}

inline model::Value Number(double number) { return {model::Value::Kind::kNumber, number, ""}; }
inline model::Value Text(std::string text) { return {model::Value::Kind::kText, 0, std::move(text)}; }
inline model::Value Boolean(bool boolean) { return {model::Value::Kind::kBoolean, boolean ? 1.0 : 0.0, ""}; }
inline model::Value Reference(std::string path) {
  return {model::Value::Kind::kReference, 0, std::move(path)};
}

inline model::Assertion Claim(std::string path, std::string predicate, model::Value value,
                              int64_t timestamp_ms = kTestNow) {
  model::Assertion claim;
  claim.concept_path = std::move(path);
  claim.predicate = std::move(predicate);
  claim.value = std::move(value);
  claim.confidence = 0.8;
  claim.timestamp_ms = timestamp_ms;
  return claim;
}

inline std::mt19937_64 PrintedRandom() {
  const unsigned seed = std::random_device{}();
  std::printf("random seed %u\n", seed);
  return std::mt19937_64(seed);
}

// Paths whose neighbours sort around '/', with and without a scheme, and now and then one that is too long
// for a key.
inline std::string RandomPath(std::mt19937_64& random) {
  static const std::vector<std::string> kSegments = {"a",
                                                     "a-b",
                                                     "a0",
                                                     "a b",
                                                     "b",
                                                     "é",
                                                     "fda:",
                                                     std::string(150, 'l'),
                                                     std::string(150, 'l') + "m",
                                                     "\xf0\x9f\x98\x80"};
  static const std::vector<std::string> kSchemes = {"", "", "", "fda://", "a://", "fda-b://"};
  std::string path = kSchemes[random() % kSchemes.size()];
  for (uint64_t i = 1 + random() % 4; i > 0; --i) {
    const std::string& segment = kSegments[random() % kSegments.size()];
    path += segment;
    if (i > 1) path += "/";
  }
  if (path.size() > model::kConceptPathBytesMax) path = "a/b";
  return path;
}

// A directory that goes away with the test.
class TestDirectory {
 public:
  TestDirectory() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    path_ = ::testing::TempDir() + "stemedb_" + test->test_suite_name() + "_" + test->name() + "_" +
            std::to_string(::getpid());
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~TestDirectory() { std::filesystem::remove_all(path_); }
  TestDirectory(const TestDirectory&) = delete;
  TestDirectory& operator=(const TestDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Entries of one named database, as LMDB's own tool counts them.
inline uint64_t EntriesByMdbStat(const std::string& arguments, const std::string& database) {
  const std::string command =
      "mdb_stat -s " + database + " " + arguments + " | sed -n 's/^ *Entries: //p' | tail -1";
  std::FILE* out = ::popen(command.c_str(), "r");
  unsigned long entries = 0;
  EXPECT_NE(out, nullptr);
  EXPECT_EQ(std::fscanf(out, "%lu", &entries), 1) << command << ": is Debian's lmdb-utils installed?";
  ::pclose(out);
  return entries;
}

}  // namespace stemedb::testing
