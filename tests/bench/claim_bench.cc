// SPDX-License-Identifier: Apache-2.0
// The cost of a claim before it reaches the log: parse, canonical text, id, record; and of its signature.
#include <benchmark/benchmark.h>

#include <string>

#include "base/check.h"
#include "crypto/ed25519.h"
#include "crypto/sha256.h"
#include "model/canonical.h"
#include "model/claim_parser.h"
#include "model/claim_record.h"

namespace {

using namespace stemedb;
using namespace stemedb::model;

// A typical unsigned claim of about 250 bytes, with room behind it for reading in place.
std::string PaddedClaim(size_t& size) {
  std::string json =
      R"({"concept_path":"drug/semaglutide/side_effect/nausea","predicate":"incidence_rate","value":0.2043,"confidence":0.85,)"
      R"("source":{"id":"nct04707469","class":"clinical"},"lifecycle":"proposed","timestamp":"2026-02-11T10:00:00.000Z",)"
      R"("metadata":{"arm":"2.4mg","n":1306}})";
  size = json.size();
  json.append(64, ' ');
  return json;
}

void BM_ParseClaim(benchmark::State& state) {
  size_t size = 0;
  const std::string json = PaddedClaim(size);
  ClaimParser parser;
  for (auto _ : state)
    benchmark::DoNotOptimize(parser.ParseClaim(std::string_view(json).substr(0, size), json.size(), {}));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(size));
}
BENCHMARK(BM_ParseClaim);

void BM_CanonicalJson(benchmark::State& state) {
  size_t size = 0;
  const std::string json = PaddedClaim(size);
  const ParsedClaim parsed = ClaimParser().ParseClaim(json, size, {});
  std::string out;
  for (auto _ : state) {
    out.clear();
    AppendCanonicalJson(out, parsed.assertion);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(BM_CanonicalJson);

void BM_IdOf(benchmark::State& state) {
  size_t size = 0;
  const std::string json = PaddedClaim(size);
  for (auto _ : state) benchmark::DoNotOptimize(IdOf(std::string_view(json).substr(0, size)));
}
BENCHMARK(BM_IdOf);

void BM_WholeClaim(benchmark::State& state) {
  size_t size = 0;
  const std::string json = PaddedClaim(size);
  ClaimParser parser;
  std::string canonical;
  for (auto _ : state) {
    const ParsedClaim parsed = parser.ParseClaim(std::string_view(json).substr(0, size), json.size(), {});
    STEMEDB_CHECK(parsed.status.ok());
    canonical.clear();
    AppendCanonicalJson(canonical, parsed.assertion);
    benchmark::DoNotOptimize(EncodeClaim(parsed.assertion, canonical, IdOf(canonical)));
  }
}
BENCHMARK(BM_WholeClaim);

void BM_VerifySignature(benchmark::State& state) {
  const auto key = crypto::KeyPair::Generate();
  STEMEDB_CHECK(key.has_value());
  const std::string message(250, 'm');
  const auto signature = key->Sign({message});
  for (auto _ : state) benchmark::DoNotOptimize(crypto::Verify(key->public_key(), {message}, signature));
}
BENCHMARK(BM_VerifySignature);

}  // namespace

BENCHMARK_MAIN();
