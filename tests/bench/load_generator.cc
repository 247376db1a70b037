// SPDX-License-Identifier: Apache-2.0
// bench_load_generator --address HOST:PORT: fills a running server with realistic claims (load_claims.h), so
// that it can be measured at a size. Each connection is a thread that makes a batch, posts it, and waits for
// the answer; a refusal for the moment (503) is waited for as long as the server says, and the batch is sent
// again.
//
// Standard output ends with a line `RESULT {...}` as those of the wrk scripts; progress goes to standard
// error. Ends with 1 when a claim was refused or the server was lost.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "load_claims.h"
#include "load_connection.h"

namespace stemedb::bench {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kRetriesMax = 600;  // of one batch

struct Totals {
  uint64_t created = 0;
  uint64_t duplicates = 0;
  uint64_t refused = 0;
  uint64_t signed_claims = 0;
  uint64_t bytes = 0;
  uint64_t retries = 0;
  std::vector<double> batch_ms;
};

struct Settings {
  std::string address;
  uint64_t batch = 1000;
  unsigned connections = 8;
  uint64_t first = 0;  // only so many of the claims; 0: all
  bool print = false;
};

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class Load {
 public:
  Load(const World& world, const Settings& settings, const sockaddr_in& address)
      : world_(world),
        settings_(settings),
        address_(address),
        wanted_(settings.first == 0 ? world.options().claims
                                    : std::min(settings.first, world.options().claims)) {}

  // Sends everything; false when it could not.
  bool Run();

 private:
  void Connection();
  Status SendBatch(LoadConnection& connection, uint64_t first, uint64_t end, Totals& mine);
  static Status Granted(const BatchAnswer& answer, uint64_t claims);
  void Fail(const Status& failure);
  void ShowProgress();
  void PrintResult(double seconds);

  const World& world_;
  const Settings& settings_;
  const sockaddr_in address_;
  const uint64_t wanted_;          // claims
  std::atomic<uint64_t> next_{0};  // claim
  std::atomic<uint64_t> sent_{0};
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
  std::condition_variable ended_;
  unsigned running_ = 0;  // guarded by mutex_
  Totals totals_;         // guarded by mutex_
};

bool Load::Run() {
  const auto start = Clock::now();
  running_ = settings_.connections;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < settings_.connections; ++i) threads.emplace_back([this] { Connection(); });
  ShowProgress();
  for (std::thread& thread : threads) thread.join();
  PrintResult(SecondsSince(start));
  return !failed_ && totals_.refused == 0;
}

void Load::Connection() {
  LoadConnection connection(address_);
  Totals mine;
  const uint64_t claims = wanted_;
  while (!failed_) {
    const uint64_t first = next_.fetch_add(settings_.batch);
    if (first >= claims) break;
    const Status sent = SendBatch(connection, first, std::min(claims, first + settings_.batch), mine);
    if (!sent.ok()) Fail(sent);
  }
  const std::lock_guard lock(mutex_);
  totals_.created += mine.created;
  totals_.duplicates += mine.duplicates;
  totals_.refused += mine.refused;
  totals_.signed_claims += mine.signed_claims;
  totals_.bytes += mine.bytes;
  totals_.retries += mine.retries;
  totals_.batch_ms.insert(totals_.batch_ms.end(), mine.batch_ms.begin(), mine.batch_ms.end());
  --running_;
  ended_.notify_one();
}

Status Load::SendBatch(LoadConnection& connection, uint64_t first, uint64_t end, Totals& mine) {
  std::string body;
  for (uint64_t i = first; i < end; ++i) mine.signed_claims += world_.AppendClaim(i, body) ? 1 : 0;
  BatchAnswer answer;
  for (int tries = 0; tries < kRetriesMax && !failed_; ++tries) {
    const auto start = Clock::now();
    STEMEDB_RETURN_IF_ERROR(connection.PostBatch(body, answer));
    if (answer.status == 503) {
      ++mine.retries;
      std::this_thread::sleep_for(std::chrono::seconds(std::clamp(answer.retry_after_s, 1, 10)));
      continue;
    }
    STEMEDB_RETURN_IF_ERROR(Granted(answer, end - first));
    mine.batch_ms.push_back(SecondsSince(start) * 1000);
    mine.created += answer.created;
    mine.duplicates += answer.duplicates;
    mine.refused += answer.refused;
    mine.bytes += body.size();
    sent_ += end - first;
    return Status::Ok();
  }
  return Status(Code::kUnavailable, "overloaded",
                "the server refuses batches: " + answer.body.substr(0, 300));
}

// Whether the answer accounts for every claim, and says of none that it is wrong.
Status Load::Granted(const BatchAnswer& answer, uint64_t claims) {
  const bool is_whole = answer.created + answer.duplicates + answer.refused == claims;
  if ((answer.status == 200 || answer.status == 201) && is_whole && answer.refused == 0) return Status::Ok();
  const size_t at = std::min(answer.body.find("\"code\""), answer.body.size());
  return Status(Code::kInvalidArgument, "refused",
                "status " + std::to_string(answer.status) + ", " + std::to_string(answer.refused) +
                    " claims refused: " + answer.body.substr(at > 100 ? at - 100 : 0, 500));
}

void Load::Fail(const Status& failure) {
  if (!failed_.exchange(true)) {
    std::fprintf(stderr, "bench_load_generator: %s\n", std::string(failure.message()).c_str());
  }
}

void Load::ShowProgress() {
  std::unique_lock lock(mutex_);
  uint64_t before = 0;
  while (!ended_.wait_for(lock, std::chrono::seconds(5), [this] { return running_ == 0; })) {
    const uint64_t now = sent_;
    std::fprintf(stderr, "%llu of %llu claims, %llu/s\n", static_cast<unsigned long long>(now),
                 static_cast<unsigned long long>(wanted_),
                 static_cast<unsigned long long>((now - before) / 5));
    before = now;
  }
}

void Load::PrintResult(double seconds) {
  std::vector<double>& times = totals_.batch_ms;
  std::sort(times.begin(), times.end());
  const auto at = [&](double share) {
    return times.empty() ? 0 : times[static_cast<size_t>(static_cast<double>(times.size() - 1) * share)];
  };
  const uint64_t granted = totals_.created + totals_.duplicates;
  std::printf(
      "RESULT {\"claims\":%llu,\"seconds\":%.6f,\"per_second\":%.1f,\"bytes\":%llu,\"p50_ms\":%.3f,"
      "\"p99_ms\":%.3f,\"created\":%llu,\"duplicates\":%llu,\"refused\":%llu,\"broken\":%d,\"retries\":%llu,"
      "\"signed\":%llu,\"spread_paths\":%llu}\n",
      static_cast<unsigned long long>(granted), seconds, static_cast<double>(granted) / seconds,
      static_cast<unsigned long long>(totals_.bytes), at(0.5), at(0.99),
      static_cast<unsigned long long>(totals_.created), static_cast<unsigned long long>(totals_.duplicates),
      static_cast<unsigned long long>(totals_.refused), failed_ ? 1 : 0,
      static_cast<unsigned long long>(totals_.retries),
      static_cast<unsigned long long>(totals_.signed_claims),
      static_cast<unsigned long long>(world_.spread_paths()));
}

void Print(const World& world) {
  std::string line;
  for (uint64_t i = 0; i < world.options().claims; ++i) {
    line.clear();
    world.AppendClaim(i, line);
    std::fwrite(line.data(), 1, line.size(), stdout);
  }
}

int Main(int argc, char** argv) {
  Settings settings;
  LoadOptions load;
  CLI::App app("Fills a running StemeDB server with realistic claims.");
  app.add_option("--address", settings.address, "HOST:PORT of the server");
  app.add_option("--claims", load.claims, "how many")->capture_default_str();
  app.add_option("--concepts", load.concepts, "they are about so many concepts; 0: one for every ten claims");
  app.add_option("--agents", load.agents)->check(CLI::Range(1, 1'000'000))->capture_default_str();
  app.add_option("--signed", load.signed_percent, "percent of the claims")->check(CLI::Range(0, 100));
  app.add_option("--probes", load.probe_paths, "concepts probe/N of 20 claims each")->capture_default_str();
  app.add_option("--spread", load.spread_percent, "percent of the claims that are about concepts spread/N")
      ->check(CLI::Range(0, 50));
  app.add_option("--batch", settings.batch)->check(CLI::Range(1, 10'000))->capture_default_str();
  app.add_option("--connections", settings.connections)->check(CLI::Range(1, 256))->capture_default_str();
  app.add_option("--seed", load.seed, "the same seed and numbers give the same claims")
      ->capture_default_str();
  app.add_option("--first", settings.first, "send only so many of the claims; 0: all")->capture_default_str();
  app.add_flag("--print", settings.print, "print the claims instead of sending them");
  CLI11_PARSE(app, argc, argv);

  const World world(load);
  if (settings.print) {
    Print(world);
    return 0;
  }
  const auto address = ParseHostPort(settings.address);
  if (!address) {
    std::fprintf(stderr, "bench_load_generator: --address: %s\n",
                 std::string(address.error().message()).c_str());
    return 2;
  }
  return Load(world, settings, *address).Run() ? 0 : 1;
}

}  // namespace
}  // namespace stemedb::bench

int main(int argc, char** argv) { return stemedb::bench::Main(argc, argv); }
