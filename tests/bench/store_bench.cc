// SPDX-License-Identifier: Apache-2.0
// The store alone, without HTTP, JSON or signatures: what its three threads can do on this disk.
//   Submit/1       single claims, 64 of them outstanding: group commit at work
//   Submit/100     batches of a hundred, one after the other
//   Scan20         a question with twenty rows, from LMDB and from the delta
//   Replay, Rebuild  opening with 200,000 claims of which LMDB holds none, or whose index is gone
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>

#include "model/canonical.h"
#include "model/claim_record.h"
#include "store/store.h"
#include "telemetry/log.h"

namespace stemedb::store {
namespace {

constexpr int kReplayed = 200'000;

PreparedRecord MakeClaim(uint64_t number) {
  model::Assertion claim;
  claim.concept_path = "drugs/substance-" + std::to_string(number / 20) + "/effects";
  claim.predicate = "half_life_hours";
  claim.value = {model::Value::Kind::kNumber, static_cast<double>(number), ""};
  claim.confidence = 0.85;
  claim.source = model::Source{"pubmed:" + std::to_string(number), model::SourceClass::kClinical, "", ""};
  claim.timestamp_ms = 1'770'804'900'000 + static_cast<int64_t>(number);
  std::string canonical;
  model::AppendCanonicalJson(canonical, claim);
  const Hash256 id = model::IdOf(canonical);
  return {id, model::EncodeClaim(claim, canonical, id)};
}

// Lets at most `limit` submissions be outstanding.
class Window {
 public:
  explicit Window(int limit) : limit_(limit) {}
  void Enter() {
    std::unique_lock lock(mutex_);
    left_.wait(lock, [this] { return outstanding_ < limit_; });
    ++outstanding_;
  }
  void Leave() {
    const std::lock_guard lock(mutex_);
    --outstanding_;
    left_.notify_one();
  }
  void WaitForAll() {
    std::unique_lock lock(mutex_);
    left_.wait(lock, [this] { return outstanding_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable left_;
  const int limit_;
  int outstanding_ = 0;
};

class Fixture {
 public:
  Fixture()
      : path_((std::filesystem::temp_directory_path() / ("stemedb_bench_" + std::to_string(::getpid())))
                  .string()) {
    telemetry::ConfigureLog({.level = telemetry::Level::kError});
    std::filesystem::remove_all(path_);
    options_.env = env::Env::Posix();
    options_.clock = env::Clock::System();
    options_.metrics = &metrics_;
    options_.wal_dir = path_ + "/wal";
    options_.db_dir = path_ + "/db";
  }
  ~Fixture() {
    store_.reset();
    std::filesystem::remove_all(path_);
  }
  bool Open(benchmark::State& state) {
    store_.reset();
    auto opened = Store::Open(options_);
    if (opened)
      store_ = std::move(*opened);
    else
      state.SkipWithError(std::string(opened.error().message()).c_str());
    return store_ != nullptr;
  }
  // A failure shows as a count that does not come out.
  void Submit(Window& window, std::vector<PreparedRecord> claims) {
    for (;;) {
      window.Enter();
      Submission submission{claims, Atomicity::kEachItem, {}, [&](CommitResult&&) { window.Leave(); }};
      if (store_->Submit(std::move(submission)).ok()) return;
      window.Leave();
      ::usleep(1000);  // overloaded: the index thread is behind
    }
  }
  void Fill(int count) {
    Window window(8);
    for (int i = 0; i < count; i += 1000) {
      std::vector<PreparedRecord> claims;
      for (int j = 0; j < 1000; ++j) claims.push_back(MakeClaim(static_cast<uint64_t>(i + j)));
      Submit(window, std::move(claims));
    }
    window.WaitForAll();
  }

  const std::string path_;
  telemetry::Metrics metrics_;
  Options options_;
  std::unique_ptr<Store> store_;
};

void BM_Submit(benchmark::State& state) {
  Fixture fixture;
  if (!fixture.Open(state)) return;
  const auto batch = static_cast<uint64_t>(state.range(0));
  std::vector<PreparedRecord> made;  // outside of the time
  for (uint64_t i = 0; i < 300'000; ++i) made.push_back(MakeClaim(i));
  Window window(batch == 1 ? 64 : 1);
  uint64_t number = 0;
  for (auto _ : state) {
    std::vector<PreparedRecord> claims;
    for (uint64_t i = 0; i < batch; ++i) claims.push_back(made[number++ % made.size()]);
    fixture.Submit(window, std::move(claims));
  }
  window.WaitForAll();
  state.SetItemsProcessed(static_cast<int64_t>(fixture.store_->stats().assertions));
  if (number > made.size()) state.SkipWithError("ran out of claims: the rest were repeats");
}
BENCHMARK(BM_Submit)->Arg(1)->Iterations(100'000)->UseRealTime();
BENCHMARK(BM_Submit)->Arg(100)->Iterations(2'000)->UseRealTime();

void BM_Scan20(benchmark::State& state) {
  Fixture fixture;
  const bool flushed = state.range(0) == 1;
  if (!flushed) fixture.options_.index_interval_ms = 3'600'000;
  fixture.options_.index_transaction_records = flushed ? 16'384 : 1u << 30;
  if (!fixture.Open(state)) return;
  fixture.Fill(20'000);
  if (flushed && !fixture.store_->Flush().ok()) state.SkipWithError("flush");
  const auto reader = fixture.store_->NewReader();
  std::vector<Row> rows;
  uint64_t concept_number = 0;
  for (auto _ : state) {
    const std::string path = "drugs/substance-" + std::to_string(concept_number++ % 1000) + "/effects";
    rows.clear();
    if (!reader->Refresh().ok() ||
        !reader->Scan({.concept_path = path, .predicate = "half_life_hours"}, 1000, rows)) {
      state.SkipWithError("scan");
    }
    if (rows.size() != 20) state.SkipWithError("rows are missing");
    reader->Release();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Scan20)->ArgName("from_lmdb")->Arg(1)->Arg(0);

void BM_Open(benchmark::State& state, const char* remove) {
  Fixture fixture;
  if (!fixture.Open(state)) return;
  fixture.Fill(kReplayed);
  for (auto _ : state) {
    state.PauseTiming();
    fixture.store_.reset();
    std::filesystem::remove_all(fixture.path_ + "/" + remove);
    state.ResumeTiming();
    if (!fixture.Open(state)) return;
  }
  if (fixture.store_->stats().assertions != kReplayed) state.SkipWithError("claims are missing");
  state.SetItemsProcessed(state.iterations() * kReplayed);
}
BENCHMARK_CAPTURE(BM_Open, Replay, "db")->Iterations(2)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(BM_Open, Rebuild, "db/indexes")
    ->Iterations(2)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace stemedb::store

BENCHMARK_MAIN();
