// SPDX-License-Identifier: Apache-2.0
// What a rate limit costs a request: the call of the shipped policy, and the bucket. An assert takes some 9
// µs of a loop's processor time; a program on the server's own machine, which isn't limited, should not feel
// the policy.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "defense/limiter.h"
#include "script/policy.h"

namespace {

using stemedb::defense::Bucket;
using stemedb::defense::Limiter;
using stemedb::script::PolicyRequest;
using stemedb::script::PolicyRunner;
using stemedb::script::ScriptSet;

void Policy(benchmark::State& state, PolicyRequest request) {
  auto set = ScriptSet::Load(STEMEDB_SOURCE_DIR "/lenses", 1, STEMEDB_SOURCE_DIR "/policies");
  if (!set) return state.SkipWithError(std::string(set.error().message()).c_str());
  PolicyRunner runner(*set, {});
  const int script = runner.FindHook("rate_limit");
  int64_t now_ms = 1767225600000;
  for (auto step : state) {
    auto verdict = runner.Limit(script, request, ++now_ms);
    if (!verdict) return state.SkipWithError(std::string(verdict.error().message()).c_str());
    benchmark::DoNotOptimize(*verdict);
  }
}

Limiter& Shared() {
  static Limiter limiter({});
  return limiter;
}

// Each thread with 1,000 subjects of its own, or all with one.
void Charge(benchmark::State& state, bool one_subject) {
  std::vector<std::string> subjects;
  for (int i = 0; i < 1000; ++i)
    subjects.push_back("a" + std::string(28, 'x') +
                       std::to_string(one_subject ? 0 : state.thread_index() * 1000 + i));
  const Bucket bucket{"points", 10'000, 3600};
  int64_t now_ns = 0;
  size_t at = 0;
  for (auto step : state) {
    benchmark::DoNotOptimize(Shared().Charge(subjects[at], bucket, 10, now_ns += 1000));
    at = at == 999 ? 0 : at + 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const PolicyRequest loopback{
      .route = "/v1/assert", .method = "POST", .body_bytes = 300, .loopback = true, .peer = "127.0.0.1"};
  PolicyRequest remote = loopback;
  remote.loopback = false;
  remote.peer = "192.0.2.1";
  benchmark::RegisterBenchmark("policy/loopback", [=](benchmark::State& state) { Policy(state, loopback); });
  benchmark::RegisterBenchmark("policy/remote", [=](benchmark::State& state) { Policy(state, remote); });
  benchmark::RegisterBenchmark("bucket/many_subjects", [](benchmark::State& state) { Charge(state, false); })
      ->Threads(1)
      ->Threads(2);
  benchmark::RegisterBenchmark("bucket/one_subject", [](benchmark::State& state) { Charge(state, true); })
      ->Threads(1)
      ->Threads(2);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
