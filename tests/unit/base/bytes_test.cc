// SPDX-License-Identifier: Apache-2.0
// Byte order and hex.
#include "base/bytes.h"

#include <gtest/gtest.h>

namespace stemedb {
namespace {

TEST(Bytes, LittleEndianPutsTheLowByteFirst) {
  uint8_t bytes[4];
  StoreLittle(bytes, uint32_t{0x01020304});
  EXPECT_EQ(ToHex(bytes), "04030201");
  EXPECT_EQ(LoadLittle<uint32_t>(bytes), 0x01020304U);
}

TEST(Bytes, BigEndianOrderIsNumericOrder) {
  uint8_t small[8], large[8];
  StoreBig64(small, 255);
  StoreBig64(large, 256);
  EXPECT_EQ(ToHex(large), "0000000000000100");
  EXPECT_LT(AsView(small), AsView(large));
  EXPECT_EQ(LoadBig64(large), 256U);
}

TEST(Bytes, LoadsAndStoresNeedNoAlignment) {
  uint8_t bytes[9] = {};
  StoreLittle(bytes + 1, uint64_t{0x1122334455667788});
  EXPECT_EQ(LoadLittle<uint64_t>(bytes + 1), 0x1122334455667788U);
}

TEST(Hex, RoundTripsEveryByte) {
  std::array<uint8_t, 256> bytes, back;
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i);
  ASSERT_TRUE(FromHex(ToHex(bytes), back));
  EXPECT_EQ(back, bytes);
}

TEST(Hex, RefusesOtherLengthsDigitsAndSpellings) {
  std::array<uint8_t, 2> out;
  EXPECT_TRUE(FromHex("0aff", out));
  for (std::string_view bad : {"", "0af", "0aff0", "0aff00", "0aFf", "0agf", " aff", "0x0a", "-0ff"})
    EXPECT_FALSE(FromHex(bad, out)) << bad;
}

TEST(Hex, AppendsBehindWhatIsThere) {
  std::string out = "id:";
  AppendHex(out, AsBytes("\x01\xfe"));
  EXPECT_EQ(out, "id:01fe");
}

}  // namespace
}  // namespace stemedb
