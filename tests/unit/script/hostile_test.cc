// SPDX-License-Identifier: Apache-2.0
// Every hostile script, compiler on: it ends in its own way, within twice its time by the thread's own
// processor clock (so that a busy machine doesn't lie), within its memory by the kernel's account, and leaves
// nothing behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <time.h>

#include <cstdio>
#include <fstream>

#include "claims.h"
#include "hostile_scripts.h"

namespace stemedb::script::testing {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

constexpr double kCallMs = 50;
constexpr double kLoadMs = 50;         // 25, and a ration of fuel more
constexpr long kMemoryMax = 32 << 10;  // KiB
// A sanitizer makes what C++ does for a script several times as slow, and its allocator keeps what was freed;
// there the tests are for what it finds.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
constexpr double kSlower = kSanitized ? 10 : 1;
// Beside a script's memory: machine code of traces, 8 compiled patterns of 256 KiB, the allocator's own
// waste.
constexpr long kMemoryBeside = 8 << 10;

double ThreadMs() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

// A line of /proc/self/status, in KiB.
long Status(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name + ":")) return std::stol(line.substr(name.size() + 1));
  }
  return -1;
}
void ForgetPeak() { std::ofstream("/proc/self/clear_refs") << "5"; }

const Claims& TwoClaims() {
  static const Claims claims({{"a", 0.8, 5, 0, "x"}, {"b", 0.5, 1, kDay, "y"}});
  return claims;
}

struct Verdict {
  std::string message;  // of the failure, or "answered: " and what it explained
  bool loaded = false;
  Failure failure = Failure::kNone;
  double load_ms = 0;
  double call_ms = 0;
};

Verdict Try(const HostileScript& script, int64_t time_ms_max) {
  Verdict verdict;
  double start = ThreadMs();
  const auto set = ScriptSet::Build({Lens(script.body, script.head)}, 1);
  verdict.load_ms = ThreadMs() - start;
  verdict.loaded = static_cast<bool>(set);
  if (!set) {
    verdict.message = set.error().message();
    return verdict;
  }
  LensRunner::Options options;
  options.time_ms_max = time_ms_max;
  LensRunner runner(*set, options);
  start = ThreadMs();
  const auto outcome = runner.Resolve(0, TwoClaims().Call());
  verdict.call_ms = ThreadMs() - start;
  verdict.message = outcome ? "answered: " + outcome->explain : std::string(outcome.error().message());
  verdict.failure = runner.last_failure();
  return verdict;
}

// What an honest lens says on this thread.
void ExpectHonestAnswer(LensRunner& honest) {
  const auto outcome = honest.Resolve(honest.scripts().Find("tier_authority"), TwoClaims().Call());
  ASSERT_TRUE(outcome) << outcome.error().message();
  EXPECT_EQ(TwoClaims().ValueOf(*outcome->overall.winner), "b");
  EXPECT_EQ(outcome->overall.confidence, 1);
  EXPECT_EQ(outcome->explain, "strongest of 1 clinical claims; lower tiers are not asked");
}

class Hostile : public ::testing::TestWithParam<HostileScript> {};

TEST_P(Hostile, EndsInTimeAndMemory) {
  const HostileScript& script = GetParam();
  LensRunner honest(Shipped(), {});
  ExpectHonestAnswer(honest);
  malloc_trim(0);
  ForgetPeak();
  const long before = Status("VmRSS");
  const Verdict verdict = Try(script, static_cast<int64_t>(kCallMs));
  const long peak = Status("VmHWM") - before;
  RecordProperty("load_ms", std::to_string(verdict.load_ms));
  RecordProperty("call_ms", std::to_string(verdict.call_ms));
  switch (script.end) {
    case End::kRefused:
      EXPECT_FALSE(verdict.loaded) << verdict.message;
      EXPECT_THAT(verdict.message, ContainsRegex("^probe.lua(:1)?: "));
      break;
    case End::kStopped:
      EXPECT_THAT(verdict.message, ContainsRegex("^probe.lua(:[0-9]+)?: stopped after 50 ms: "));
      EXPECT_EQ(verdict.failure, Failure::kTime);
      break;
    case End::kCapped:  // on a slow machine time may be over before memory is
      EXPECT_THAT(verdict.message, ContainsRegex("^probe.lua.*(out of memory|longer than|a text of more "
                                                 "than|stack overflow|too many results|stopped after)"));
      EXPECT_NE(verdict.failure, Failure::kNone);
      break;
    case End::kHarmless:
      EXPECT_THAT(verdict.message, ContainsRegex("^(probe.lua:1: |answered: )"));
      EXPECT_THAT(verdict.message, ::testing::Not(HasSubstr("stopped after")));
      break;
  }
  EXPECT_LE(verdict.load_ms, 2 * kLoadMs * kSlower) << verdict.message;
  EXPECT_LE(verdict.call_ms, 2 * kCallMs * kSlower) << verdict.message;
  EXPECT_LE(peak, kMemoryMax + kMemoryBeside);
  ExpectHonestAnswer(honest);
}

std::string NameOf(const ::testing::TestParamInfo<HostileScript>& script) {
  std::string name = script.param.name;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name;
}
INSTANTIATE_TEST_SUITE_P(All, Hostile, ::testing::ValuesIn(HostileScripts()), NameOf);

TEST(HostileScripts, AreManyAndLeaveNothingBehind) {
  EXPECT_GE(HostileScripts().size(), 60u);
  LensRunner honest(Shipped(), {});
  size_t heap = 0;
  long resident = 0;
  constexpr int kRounds = 20, kWarmUp = 3;
  for (int round = 0; round < kRounds; ++round) {
    if (round == kWarmUp) {
      malloc_trim(0);
      heap = mallinfo2().uordblks;
      resident = Status("VmRSS");
    }
    for (const auto& script : HostileScripts()) {
      if (script.end != End::kRefused || round % 10 == 0) Try(script, 3);
    }
    ExpectHonestAnswer(honest);
  }
  malloc_trim(0);
  // glibc counts the small blocks that it keeps for a thread as used: 64 sizes, 7 of each, some 230 KiB at
  // most. Measured: 84 KB more with them, 19 KB with GLIBC_TUNABLES=glibc.malloc.tcache_count=0. A KiB lost
  // by each script would be 2 MiB by now.
  const size_t heap_now = mallinfo2().uordblks;
  std::printf("the heap grew by %ld bytes\n", static_cast<long>(heap_now) - static_cast<long>(heap));
  if (kSanitized)
    GTEST_SKIP() << "a sanitizer's allocator doesn't tell what is in use, and keeps what was freed";
  EXPECT_LE(heap_now, heap + (256 << 10));
  EXPECT_LE(Status("VmRSS"), resident + 2048);
}

}  // namespace
}  // namespace stemedb::script::testing
