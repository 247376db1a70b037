// SPDX-License-Identifier: Apache-2.0
// The differences are applied by patch(1), which we didn't write.
#include "deploy/text_diff.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

namespace stemedb::deploy {
namespace {

std::string Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string Patched(const std::string& before, const std::string& diff) {
  const std::string directory = ::testing::TempDir() + "text_diff_test/";
  std::filesystem::create_directories(directory);
  std::ofstream(directory + "text", std::ios::binary) << before;
  std::ofstream(directory + "diff", std::ios::binary) << diff;
  const std::string command = "patch -s -F0 " + directory + "text " + directory + "diff";
  EXPECT_EQ(std::system(command.c_str()), 0) << diff;  // NOLINT(concurrency-mt-unsafe)
  return Read(directory + "text");
}

TEST(UnifiedDiff, LooksLikeDiffU) {
  EXPECT_EQ(UnifiedDiff("1\n2\n3\n4\n5\n6\n", "1\n2\n3\nfour\n5\n6\n", "a", "b"),
            "--- a\n+++ b\n@@ -1,6 +1,6 @@\n 1\n 2\n 3\n-4\n+four\n 5\n 6\n");
  EXPECT_EQ(UnifiedDiff("same\n", "same\n", "a", "b"), "");
  EXPECT_EQ(UnifiedDiff("", "new", "a", "b"),
            "--- a\n+++ b\n@@ -0,0 +1 @@\n+new\n\\ No newline at end of file\n");
}

TEST(UnifiedDiff, GivesPatchWhatItNeeds) {
  constexpr unsigned kSeed = 20260101;
  std::mt19937 random(kSeed);
  for (int round = 0; round < 60; ++round) {
    std::string before, after;
    const auto lines = random() % 60;
    for (unsigned i = 0; i < lines; ++i) {
      const std::string line = "line " + std::to_string(random() % 8) + "\n";
      if (random() % 8 != 0) before += line;
      if (random() % 8 != 0) after += line;
    }
    if (round % 5 == 0) after += "no line feed";
    if (before == after || before.empty() || after.empty()) continue;
    EXPECT_EQ(Patched(before, UnifiedDiff(before, after, "text", "text")), after) << "seed " << kSeed;
  }
}

TEST(UnifiedDiff, IsBoundedForTextsThatHaveNothingInCommon) {
  std::string before, after;
  for (int i = 0; i < 4000; ++i) {
    before += "b" + std::to_string(i) + "\n";
    after += "a" + std::to_string(i) + "\n";
  }
  EXPECT_EQ(Patched(before, UnifiedDiff(before, after, "text", "text")), after);
}

}  // namespace
}  // namespace stemedb::deploy
