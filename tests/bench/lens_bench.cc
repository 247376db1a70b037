// SPDX-License-Identifier: Apache-2.0
// What a lens costs: one Resolve over 1 to 10,000 claims, results included. The goal is 2 µs for consensus
// over 20 claims and 20 µs over 1,000, so that a query stays dominated by HTTP.
//
// `lens_bench --stopping` shows instead what it costs that scripts can be stopped: every shipped lens over
// 20, 100 and 1,000 claims with and without the steps that instrument.h puts in, by turns, so that a change
// of the machine's mood meets both; medians of the thread's processor time.
#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <cstdio>

#include "../unit/script/claims.h"

namespace stemedb::script {
namespace {

testing::Claims SomeClaims(int count) {
  std::vector<testing::Claim> claims;
  for (int i = 0; i < count; ++i) {
    testing::Claim claim;
    claim.value = "value " + std::to_string(i * 7 % 5);
    claim.confidence = 0.5 + 0.4 * (i % 10) / 10;
    claim.tier = i % 6;
    claim.age_ms = i * 3600000LL;
    claim.agent = "agent " + std::to_string(i % 50);
    claims.push_back(claim);
  }
  return testing::Claims(claims);
}

void Resolve(benchmark::State& state, const std::string& lens) {
  LensRunner runner(testing::Shipped(), {});
  const auto claims = SomeClaims(static_cast<int>(state.range(0)));
  const int script = runner.scripts().Find(lens);
  for (auto step : state) {
    auto outcome = runner.Resolve(script, claims.Call());
    if (!outcome) {
      state.SkipWithError(std::string(outcome.error().message()).c_str());
      break;
    }
    benchmark::DoNotOptimize(*outcome);
  }
}

void OpenState(benchmark::State& state) {
  const auto scripts = testing::Shipped();
  const auto claims = SomeClaims(1);
  for (auto step : state) {
    LensRunner runner(scripts, {});
    benchmark::DoNotOptimize(runner.Resolve(0, claims.Call()));
  }
}

constexpr const char* kLenses[] = {"recency",   "consensus",      "confidence",
                                   "authority", "vote_consensus", "tier_authority",
                                   "layered",   "skeptic",        "epoch_aware"};

double ThreadSeconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

// µs for one call, over about 2 ms of calls.
double Microseconds(LensRunner& runner, int script, const LensCall& call, int calls) {
  const double start = ThreadSeconds();
  for (int i = 0; i < calls; ++i) benchmark::DoNotOptimize(runner.Resolve(script, call));
  return (ThreadSeconds() - start) * 1e6 / calls;
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

}  // namespace

// Rows of: lens, claims, µs without steps, µs with them, percent.
int CompareStopping(int rounds) {
  std::printf("%-15s %6s %10s %10s %8s\n", "lens", "claims", "plain us", "stopped us", "percent");
  for (const char* lens : kLenses) {
    for (const int count : {20, 100, 1000}) {
      const auto claims = SomeClaims(count);
      std::vector<double> plain, steps, ratios;
      // Fresh runners every now and then: which traces a state has is a matter of luck too.
      for (int fresh = 0; fresh < 9; ++fresh) {
        LensRunner::Options off;
        off.stopping = Stopping::kOffForBenchmarks;
        LensRunner with(testing::Shipped(), {}), without(testing::Shipped(), off);
        const int script = with.scripts().Find(lens);
        Microseconds(without, script, claims.Call(), 3000);
        Microseconds(with, script, claims.Call(), 3000);
        const int calls =
            std::max(20, static_cast<int>(2000 / Microseconds(with, script, claims.Call(), 100)));
        for (int round = 0; round < rounds; ++round) {
          const bool first = round % 2 == 0;
          const double a = Microseconds(first ? without : with, script, claims.Call(), calls);
          const double b = Microseconds(first ? with : without, script, claims.Call(), calls);
          plain.push_back(first ? a : b);
          steps.push_back(first ? b : a);
          ratios.push_back(steps.back() / plain.back());
        }
      }
      std::printf("%-15s %6d %10.3f %10.3f %+8.2f\n", lens, count, Median(plain), Median(steps),
                  (Median(ratios) - 1) * 100);
      std::fflush(stdout);
    }
  }
  return 0;
}

}  // namespace stemedb::script

int main(int argc, char** argv) {
  using stemedb::script::Resolve;
  if (argc > 1 && std::string_view(argv[1]) == "--stopping") return stemedb::script::CompareStopping(60);
  for (const char* lens : stemedb::script::kLenses) {
    benchmark::RegisterBenchmark(
        lens, [name = std::string(lens)](benchmark::State& state) { Resolve(state, name); })
        ->Arg(1)
        ->Arg(20)
        ->Arg(1000)
        ->Arg(10000);
  }
  benchmark::RegisterBenchmark("open_state", stemedb::script::OpenState);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
