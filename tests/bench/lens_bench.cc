// SPDX-License-Identifier: Apache-2.0
// What a lens costs: one Resolve over 1 to 10,000 claims, results included. The goal is 2 µs for consensus
// over 20 claims and 20 µs over 1,000, so that a query stays dominated by HTTP.
#include <benchmark/benchmark.h>

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

}  // namespace
}  // namespace stemedb::script

int main(int argc, char** argv) {
  using stemedb::script::Resolve;
  for (const char* lens : {"recency", "consensus", "confidence", "tier_authority", "layered", "skeptic"}) {
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
