// SPDX-License-Identifier: Apache-2.0
// Times as text. The calendar is held against the C library's timegm.
#include "base/time.h"

#include <gtest/gtest.h>

#include <ctime>
#include <random>

namespace stemedb {
namespace {

TEST(FormatTime, WritesThreeDecimalsAndZ) {
  EXPECT_EQ(FormatTime(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(FormatTime(1770804000001), "2026-02-11T10:00:00.001Z");
  EXPECT_EQ(FormatTime(-1), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(FormatTime(kTimeMin), "0000-01-01T00:00:00.000Z");
  EXPECT_EQ(FormatTime(kTimeMax), "9999-12-31T23:59:59.999Z");
}

TEST(FormatTime, ClampsWhatItCannotWrite) {
  EXPECT_EQ(FormatTime(INT64_MIN), FormatTime(kTimeMin));
  EXPECT_EQ(FormatTime(INT64_MAX), FormatTime(kTimeMax));
}

TEST(ParseTime, ReadsEverySpellingOfAMoment) {
  for (std::string_view text :
       {"2026-02-11T10:00:00Z", "2026-02-11t10:00:00z", "2026-02-11 10:00:00.000Z",
        "2026-02-11T12:30:00+02:30", "2026-02-10T23:00:00-11:00", "2026-02-11T10:00:00.0009Z",
        "2026-02-11T10:00:00-00:00", "2026-02-11T09:59:60Z"}) {
    EXPECT_EQ(ParseTime(text), 1770804000000) << text;
  }
  EXPECT_EQ(ParseTime("2026-02-11T10:00:00.1Z"), 1770804000100);
  EXPECT_EQ(ParseTime("2026-02-11T10:00:00.123456789Z"), 1770804000123);
  EXPECT_EQ(ParseTime("2024-02-29T00:00:00Z"), 1709164800000);
}

TEST(ParseTime, RefusesWhatIsNoMoment) {
  for (std::string_view text : {"",
                                "2026",
                                "2026-02-11",
                                "2026-02-11T10:00:00",
                                "2026-02-11T10:00Z",
                                "2026-02-29T00:00:00Z",
                                "2100-02-29T00:00:00Z",
                                "2026-13-01T00:00:00Z",
                                "2026-00-01T00:00:00Z",
                                "2026-01-00T00:00:00Z",
                                "2026-01-32T00:00:00Z",
                                "2026-02-11T24:00:00Z",
                                "2026-02-11T10:60:00Z",
                                "2026-02-11T10:00:61Z",
                                "2026-02-11T10:00:00.Z",
                                "2026-02-11T10:00:00ZZ",
                                "2026-02-11T10:00:00Z ",
                                " 2026-02-11T10:00:00Z",
                                "2026-02-11T10:00:00+24:00",
                                "2026-02-11T10:00:00+0200",
                                "2026-02-11T10:00:00+02:60",
                                "20260211T100000Z",
                                "+2026-02-11T10:00:00Z",
                                "2026-2-11T10:00:00Z",
                                "0000-01-01T00:00:00+00:01",
                                "9999-12-31T23:59:59-00:01",
                                "2026-02-11X10:00:00Z"}) {
    EXPECT_FALSE(ParseTime(text).has_value()) << text;
  }
}

TEST(ParseTime, UndoesFormatTimeAndAgreesWithTheCLibrary) {
  const unsigned seed = std::random_device{}();
  std::printf("random seed %u\n", seed);
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<int64_t> any(kTimeMin, kTimeMax);
  for (int i = 0; i < 20000; ++i) {
    const int64_t time_ms = any(random);
    const std::string text = FormatTime(time_ms);
    ASSERT_EQ(ParseTime(text), time_ms) << text;
    ASSERT_TRUE(IsCanonicalTime(text)) << text;
    std::tm parts{};
    ASSERT_NE(strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts), nullptr) << text;
    const int64_t second = (time_ms - (time_ms % 1000 + 1000) % 1000) / 1000;
    ASSERT_EQ(timegm(&parts), second) << text;
  }
}

TEST(IsCanonicalTime, HoldsForOneSpellingOnly) {
  EXPECT_TRUE(IsCanonicalTime("2026-02-11T10:00:00.000Z"));
  for (std::string_view text :
       {"2026-02-11T10:00:00Z", "2026-02-11T10:00:00.00Z", "2026-02-11T10:00:00.0000Z",
        "2026-02-11t10:00:00.000Z", "2026-02-11T10:00:00.000z", "2026-02-11T10:00:00.000+00:00",
        "2026-02-11 10:00:00.000Z", "2026-02-11T09:59:60.000Z", "soon"}) {
    EXPECT_FALSE(IsCanonicalTime(text)) << text;
  }
}

}  // namespace
}  // namespace stemedb
