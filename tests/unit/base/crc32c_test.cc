// SPDX-License-Identifier: Apache-2.0
// Against the vectors of RFC 3720 B.4, and the two versions against each other.
#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <vector>

#include "base/bytes.h"

namespace stemedb {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes Ascending() {
  Bytes bytes(32);
  std::iota(bytes.begin(), bytes.end(), uint8_t{0});
  return bytes;
}

TEST(Crc32c, AgreesWithTheVectorsOfRfc3720) {
  const Bytes up = Ascending(), down(up.rbegin(), up.rend());
  Bytes scsi_read(48);
  const std::vector<std::pair<size_t, uint8_t>> set = {{0, 0x01},  {1, 0xc0},  {16, 0x14}, {22, 0x04},
                                                       {27, 0x14}, {31, 0x18}, {32, 0x28}, {40, 0x02}};
  for (auto [at, value] : set) scsi_read[at] = value;
  EXPECT_EQ(Crc32c(Bytes(32, 0)), 0x8a9136aau);
  EXPECT_EQ(Crc32c(Bytes(32, 0xff)), 0x62a8ab43u);
  EXPECT_EQ(Crc32c(up), 0x46dd794eu);
  EXPECT_EQ(Crc32c(down), 0x113fdb5cu);
  EXPECT_EQ(Crc32c(scsi_read), 0xd9963a56u);
  EXPECT_EQ(Crc32c(AsBytes("123456789")), 0xe3069283u);
  EXPECT_EQ(Crc32c({}), 0u);
}

TEST(Crc32c, ThePortableVersionAgreesWithTheVectorsToo) {
  EXPECT_EQ(Crc32cPortable(0, Bytes(32, 0)), 0x8a9136aau);
  EXPECT_EQ(Crc32cPortable(0, Ascending()), 0x46dd794eu);
  EXPECT_EQ(Crc32cPortable(0, AsBytes("123456789")), 0xe3069283u);
}

TEST(Crc32c, BothVersionsAgreeOnAnyLengthAndCut) {
  std::mt19937 random(20260211);
  RecordProperty("seed", 20260211);
  for (size_t length = 0; length < 200; ++length) {
    Bytes bytes(length);
    for (auto& byte : bytes) byte = static_cast<uint8_t>(random());
    const std::span<const uint8_t> all(bytes);
    const size_t cut = length == 0 ? 0 : random() % length;
    EXPECT_EQ(Crc32c(all), Crc32cPortable(0, all)) << length;
    EXPECT_EQ(Crc32cExtend(Crc32c(all.first(cut)), all.subspan(cut)), Crc32c(all))
        << length << " cut at " << cut;
  }
}

}  // namespace
}  // namespace stemedb
