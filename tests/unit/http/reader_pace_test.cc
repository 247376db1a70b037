// SPDX-License-Identifier: Apache-2.0
// Who reads too slowly, by a clock of the test's own.
#include "http/reader_pace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>

namespace stemedb::http {
namespace {

using Rule = ReaderPace::Rule;

constexpr uint64_t kTickMs = 500;
constexpr uint64_t kHourMs = 3'600'000;
constexpr uint64_t kMuch = uint64_t{1} << 40;  // bytes

// A peer whose kernel has acknowledged `taken(t)` bytes at the time t, while kMuch wait; in milliseconds from
// the beginning of its answer on. Gives the time at which it is given up, or `until`.
uint64_t GivenUpAt(Rule rule, uint64_t until, const std::function<uint64_t(uint64_t)>& taken,
                   const Timeouts& timeouts = {}) {
  constexpr uint64_t kStart = 12'345'000;  // a loop's clock begins anywhere
  ReaderPace pace(timeouts, kStart);
  EXPECT_TRUE(pace.Look({.now_ms = kStart, .taken_bytes = 0, .waiting_bytes = kMuch}, rule));
  for (uint64_t at = kTickMs; at <= until; at += kTickMs) {
    if (!pace.Look({.now_ms = kStart + at, .taken_bytes = taken(at), .waiting_bytes = kMuch}, rule))
      return at;
  }
  return until;
}

// Acknowledges in lumps, each as soon as the program has read all of the one before.
std::function<uint64_t(uint64_t)> InLumps(uint64_t lump, uint64_t bytes_per_second) {
  return [=](uint64_t at) { return (at * bytes_per_second / 1000 / lump + 1) * lump; };
}

TEST(ReaderPace, WhoTakesNothingIsGivenUpWhenItsTimeIsOver) {
  for (const Rule rule : {Rule::kRate, Rule::kProgress}) {
    const uint64_t at = GivenUpAt(rule, kHourMs, [](uint64_t) { return 0; });
    EXPECT_GT(at, 30'000u);
    EXPECT_LE(at, 30'000 + kTickMs);
  }
}

TEST(ReaderPace, WhoReadsTheLeastRateIsKeptInWhateverLumpsItsKernelAcknowledges) {
  for (const Rule rule : {Rule::kRate, Rule::kProgress}) {
    for (const uint64_t lump : {uint64_t{1024}, uint64_t{65'536}, uint64_t{97'280}, uint64_t{131'072}}) {
      EXPECT_EQ(kHourMs, GivenUpAt(rule, kHourMs, InLumps(lump, 1024))) << lump;
    }
  }
}

TEST(ReaderPace, WhoReadsAtHalfTheLeastRateIsGivenUp) {
  const uint64_t at = GivenUpAt(Rule::kRate, kHourMs, InLumps(1024, 512));
  EXPECT_GT(at, 60'000u);
  EXPECT_LT(at, 70'000u);
}

TEST(ReaderPace, AByteNowAndThenKeepsAStreamAndNoAnswer) {
  const auto trickle = [](uint64_t at) { return at / 29'000; };
  EXPECT_LE(GivenUpAt(Rule::kRate, kHourMs, trickle), 30'000 + kTickMs);
  EXPECT_EQ(kHourMs, GivenUpAt(Rule::kProgress, kHourMs, trickle));
}

TEST(ReaderPace, WhoHasTakenMuchMayPauseForABoundedTime) {
  for (const Rule rule : {Rule::kRate, Rule::kProgress}) {
    const uint64_t at = GivenUpAt(rule, kHourMs, [](uint64_t) { return uint64_t{100'000'000}; });
    EXPECT_GT(at, 180'000u);
    EXPECT_LE(at, 180'000 + 2 * kTickMs);
  }
}

TEST(ReaderPace, TheTimesAreThoseOfTheOptions) {
  Timeouts timeouts;
  timeouts.write_stall_ms = 2'000;
  timeouts.read_bytes_per_second = 100;
  timeouts.read_credit_ms = 3'000;
  const auto at = [&](uint64_t taken) {
    return GivenUpAt(
        Rule::kRate, kHourMs, [=](uint64_t) { return taken; }, timeouts);
  };
  EXPECT_EQ(2'500u, at(0));
  EXPECT_EQ(3'500u, at(100));
  EXPECT_EQ(5'500u + kTickMs, at(1'000'000));  // taken at the first tick, after its time was paid
  timeouts.read_bytes_per_second = 0;          // counts as one
  EXPECT_EQ(3'500u, at(1));
}

TEST(ReaderPace, TimeInWhichNothingWaitsCostsNothingAndEarnsNothing) {
  const Timeouts timeouts;
  ReaderPace pace(timeouts, 0);
  uint64_t now = 0;
  EXPECT_TRUE(pace.Look({.now_ms = now, .taken_bytes = 100'000'000, .waiting_bytes = 0}, Rule::kRate));
  EXPECT_FALSE(pace.waits());
  now += kHourMs;
  EXPECT_TRUE(pace.Look({.now_ms = now, .taken_bytes = 100'000'000, .waiting_bytes = 1}, Rule::kRate));
  EXPECT_TRUE(pace.waits());
  EXPECT_TRUE(pace.Look({now + 29'500, 100'000'000, 1}, Rule::kRate));
  EXPECT_FALSE(pace.Look({now + 30'500, 100'000'000, 1}, Rule::kRate));
  // Late, and all of it after all.
  EXPECT_TRUE(pace.Look({now + 31'000, 100'000'001, 0}, Rule::kRate));
  EXPECT_TRUE(pace.Look({now + 31'500, 100'000'001, 1}, Rule::kRate));
}

TEST(ReaderPace, SaysSinceWhenNothingWasTaken) {
  const Timeouts timeouts;
  ReaderPace pace(timeouts, 1'000);
  EXPECT_EQ(1'000u, pace.stalled_since_ms());
  EXPECT_TRUE(pace.Look({2'000, 0, 0}, Rule::kRate));
  EXPECT_EQ(2'000u, pace.stalled_since_ms());  // there was nothing to take
  EXPECT_TRUE(pace.Look({3'000, 10, 90}, Rule::kRate));
  EXPECT_TRUE(pace.Look({4'000, 10, 190}, Rule::kRate));
  EXPECT_EQ(3'000u, pace.stalled_since_ms());
  EXPECT_EQ(10u, pace.taken_bytes());
}

TEST(ReaderPace, ACountThatFallsBackIsNoProgress) {
  EXPECT_LE(GivenUpAt(Rule::kProgress, kHourMs, [](uint64_t at) { return at / kTickMs % 2; }),
            30'000 + 2 * kTickMs);
}

}  // namespace
}  // namespace stemedb::http
