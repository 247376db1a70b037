// SPDX-License-Identifier: Apache-2.0
// Keys: what goes in comes out, and bytes sort as names do.
#include "index/layout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "claims.h"
#include "kv/txn.h"

namespace stemedb::index {
namespace {

using stemedb::testing::PrintedRandom;
using stemedb::testing::RandomPath;

std::string KeyOf(std::string_view path, std::string_view predicate, uint64_t sequence) {
  std::string key;
  AppendClaimPrefix(key, path, predicate);
  AppendSequence(key, sequence);
  return key;
}

TEST(ClaimKey, GivesBackWhatWentIn) {
  auto random = PrintedRandom();
  for (int i = 0; i < 2000; ++i) {
    const std::string path = RandomPath(random), predicate = RandomPath(random).substr(0, 128);
    const uint64_t sequence = random() >> (random() % 64);
    const std::string key = KeyOf(path, predicate, sequence);
    const auto parsed = ParseClaimKey(key);
    ASSERT_TRUE(parsed) << path;
    EXPECT_EQ(parsed->predicate, predicate);
    EXPECT_EQ(parsed->sequence, sequence);
    EXPECT_EQ(IsLongPathKey(parsed->path_key), path.size() > kPathKeyBytesMax);
    if (path.size() <= kPathKeyBytesMax) {
      EXPECT_EQ(parsed->path_key, path);
    }
  }
}

TEST(ClaimKey, HoldsAnySequence) {
  for (uint64_t sequence : {uint64_t{0}, uint64_t{1}, uint64_t{255}, uint64_t{256}, UINT64_MAX}) {
    const std::string key = KeyOf("a", "p", sequence);
    ASSERT_TRUE(ParseClaimKey(key));
    EXPECT_EQ(ParseClaimKey(key)->sequence, sequence);
  }
}

TEST(ClaimKey, FitsLmdbAtEveryLimit) {
  EXPECT_LE(KeyOf(std::string(512, 'x'), std::string(128, 'p'), UINT64_MAX).size(), kv::kKeyBytesMax);
  EXPECT_LE(KeyOf(std::string(kPathKeyBytesMax, 'x'), std::string(128, 'p'), UINT64_MAX).size(),
            kv::kKeyBytesMax);
}

TEST(ClaimKey, SortsByPathThenPredicateThenSequence) {
  auto random = PrintedRandom();
  std::vector<std::tuple<std::string, std::string, uint64_t>> names;
  for (int i = 0; i < 500; ++i) {
    std::string path = RandomPath(random);
    if (path.size() <= kPathKeyBytesMax)
      names.emplace_back(path, RandomPath(random).substr(0, 20), random() % 1000);
  }
  std::sort(names.begin(), names.end());
  for (size_t i = 1; i < names.size(); ++i) {
    const auto& [path_a, predicate_a, sequence_a] = names[i - 1];
    const auto& [path_b, predicate_b, sequence_b] = names[i];
    EXPECT_LE(KeyOf(path_a, predicate_a, sequence_a), KeyOf(path_b, predicate_b, sequence_b))
        << path_a << " " << path_b;
  }
}

TEST(ClaimKey, BytesThatAreNoKeyAreRefused) {
  using namespace std::string_literals;
  for (const std::string& key :
       {""s, "a"s, "12345678"s, "a\0"s + "12345678", "ab"s + "12345678", "a\0p"s + "12345678"}) {
    EXPECT_FALSE(ParseClaimKey(key)) << key.size();
  }
}

TEST(LongPath, KeepsItsFrontAndIsToldApartByItsDigest) {
  const std::string front(kLongPathKept, 'x'), tail(kPathKeyBytesMax - kLongPathKept, 'y');
  std::string whole, a, b;
  AppendPathKey(whole, front + tail);
  AppendPathKey(a, front + tail + "a");
  AppendPathKey(b, front + tail + "b");
  EXPECT_EQ(whole, front + tail) << "exactly at the limit, a path stands as it is";
  EXPECT_FALSE(IsLongPathKey(whole));
  EXPECT_EQ(a.size(), kPathKeyBytesMax);
  EXPECT_TRUE(IsLongPathKey(a));
  EXPECT_TRUE(a.starts_with(front));
  EXPECT_NE(a, b);
}

TEST(LongPath, DigestIsTheSha256OfTheWholePath) {
  std::string key;
  AppendPathKey(key, std::string(321, 'x'));
  // printf 'x%.0s' $(seq 321) | sha256sum
  EXPECT_EQ(key.substr(kLongPathKept + 1), "c71e728cbe8f8ffc6bcf6c48a2754961");
}

TEST(ParentOf, GoesUpByOneSegmentAndStopsAtTheScheme) {
  EXPECT_EQ(ParentOf("drugs/a/b"), "drugs/a");
  EXPECT_EQ(ParentOf("drugs/a"), "drugs");
  EXPECT_EQ(ParentOf("drugs"), "");
  EXPECT_EQ(ParentOf("fda://labels/x"), "fda://labels");
  EXPECT_EQ(ParentOf("fda://labels"), "fda://");
  EXPECT_EQ(ParentOf("fda://"), "");
  EXPECT_EQ(ParentOf("fda:/x"), "fda:");
  EXPECT_EQ(ParentOf(""), "");
}

TEST(ChildOn, NamesTheChildThatAPathLiesBelow) {
  EXPECT_EQ(ChildOn("a/b/c", ""), "a");
  EXPECT_EQ(ChildOn("a/b/c", "a"), "a/b");
  EXPECT_EQ(ChildOn("a/b/c", "a/b"), "a/b/c");
  EXPECT_EQ(ChildOn("fda://labels/x", ""), "fda://");
  EXPECT_EQ(ChildOn("fda://labels/x", "fda://"), "fda://labels");
}

TEST(IsBelow, FollowsSegmentsNotBytes) {
  EXPECT_TRUE(IsBelow("a/b", "a"));
  EXPECT_TRUE(IsBelow("a/b/c", "a"));
  EXPECT_TRUE(IsBelow("a", ""));
  EXPECT_TRUE(IsBelow("fda://x", "fda://"));
  EXPECT_TRUE(IsBelow("fda:/x", "fda:"));
  EXPECT_FALSE(IsBelow("fda://x", "fda:")) << "a scheme is not a segment";
  EXPECT_FALSE(IsBelow("a", "a"));
  EXPECT_FALSE(IsBelow("a-b", "a"));
  EXPECT_FALSE(IsBelow("a-b/c", "a"));
  EXPECT_FALSE(IsBelow("fda://", "fda://"));
}

TEST(IsBelow, AgreesWithParentOf) {
  auto random = PrintedRandom();
  std::vector<std::string> paths;
  for (int i = 0; i < 200; ++i) paths.push_back(RandomPath(random));
  for (const std::string& path : paths) {
    for (const std::string& other : paths) {
      bool below = false;
      for (std::string_view up = ParentOf(path); !up.empty(); up = ParentOf(up)) below |= up == other;
      EXPECT_EQ(IsBelow(path, other), below) << path << " below " << other;
      EXPECT_TRUE(!below || path.starts_with(SubtreePrefix(other)));
    }
  }
}

TEST(AfterPrefix, IsTheFirstStringBehindAllThatBeginSo) {
  EXPECT_EQ(AfterPrefix("a/"), "a0");
  EXPECT_EQ(AfterPrefix("a\xff"), "b");
  EXPECT_EQ(AfterPrefix("\xff\xff"), "");
  EXPECT_EQ(AfterPrefix(""), "");
}

}  // namespace
}  // namespace stemedb::index
