// SPDX-License-Identifier: Apache-2.0
// bench_http_fixed PORT: our HTTP server on one loop with a fixed answer at /, to be set beside
// bench_bare_loop. Runs until it is sent SIGINT or SIGTERM.
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "http/server.h"

namespace {

using namespace stemedb;

class CountingObserver : public http::Observer {
 public:
  void OnRequestDone(const http::RequestRecord& record) override { seconds_ += record.duration_seconds; }

 private:
  double seconds_ = 0;
};

class FixedService : public http::Service {
 public:
  FixedService() {
    router_.Add({"/",
                 {http::Method::kGet, http::Method::kPost},
                 [](http::ExchangePtr exchange) {
                   http::Response response;
                   response.body = R"({"status":"healthy"})";
                   exchange->Respond(std::move(response));
                 },
                 0,
                 {}});
  }
  const http::Router& router() const override { return router_; }
  http::Observer* observer() override { return &observer_; }

 private:
  http::Router router_;
  CountingObserver observer_;
};

}  // namespace

int main(int argc, char** argv) {
  int port = argc == 2 ? std::atoi(argv[1]) : 0;
  if (port <= 0 || port > 65535) {
    std::fprintf(stderr, "usage: bench_http_fixed PORT\n");
    return 2;
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  http::Options options;
  options.port = static_cast<uint16_t>(port);
  auto factory = [](http::Loop&) -> Result<std::unique_ptr<http::Service>> {
    return {std::make_unique<FixedService>()};
  };
  auto server = http::Server::Start(std::move(options), factory);
  if (!server) {
    std::fprintf(stderr, "bench_http_fixed: %s\n", std::string(server.error().message()).c_str());
    return 1;
  }
  int received = 0;
  sigwait(&signals, &received);
  (*server)->Stop();
  return 0;
}
