// SPDX-License-Identifier: Apache-2.0
// Settle relies on two facts: what a client on this machine has sent lies in the server's socket when send
// returns, and a loop looks at all its sockets between one wake-up and the next. A wake-up may come before
// the socket in the same round, and accepting takes a round of its own, so four are enough for a connection
// and its bytes.
#include "test_server.h"

#include <chrono>
#include <cstdlib>
#include <future>

#include "base/check.h"
#include "http/problem.h"

namespace stemedb::http::test {
namespace {

constexpr auto kPatience = std::chrono::seconds(20);

Response Text(std::string body) {
  Response response;
  response.content_type = "text/plain";
  response.body = std::move(body);
  return response;
}

}  // namespace

class TestServer::TestService : public Service, public Observer {
 public:
  explicit TestService(TestServer& owner) : owner_(owner) {
    auto add = [&](const char* path, std::vector<Method> methods, Handler handler, size_t max_body = 0) {
      router_.Add({path, std::move(methods), std::move(handler), max_body, {}});
    };
    auto echo = [](ExchangePtr e) { e->Respond(Text(std::string(e->request().body))); };
    add("/hello", {Method::kGet}, [](ExchangePtr e) { e->Respond(Text("hello")); });
    add("/echo", {Method::kGet, Method::kPost}, echo);
    add("/small", {Method::kPost}, echo, 100);
    add("/items/{id}", {Method::kGet, Method::kDelete},
        [](ExchangePtr e) { e->Respond(Text(std::string(e->request().param("id")))); });
    add("/items/{id}/parts/{part}", {Method::kGet}, [](ExchangePtr e) {
      e->Respond(Text(std::string(e->request().param("id")) + "+" + std::string(e->request().params[1])));
    });
    add("/big", {Method::kGet}, [](ExchangePtr e) {
      size_t size = std::strtoull(std::string(e->request().query).c_str(), nullptr, 10);
      std::string body;
      while (body.size() < size) body += "line " + std::to_string(body.size()) + "\n";
      body.resize(size);
      e->Respond(Text(std::move(body)));
    });
    add("/later", {Method::kGet, Method::kPost}, [this](ExchangePtr e) {
      std::lock_guard lock(owner_.mutex_);
      owner_.later_.push_back(std::move(e));
      owner_.changed_.notify_all();
    });
    add("/forgotten", {Method::kGet}, [](ExchangePtr) {});
    add("/refused", {Method::kGet, Method::kPost},
        [](ExchangePtr e) { e->Respond(Text("should not be called")); });
  }

  const Router& router() const override { return router_; }
  Observer* observer() override { return this; }
  std::optional<Response> OnHeaders(Request& request) override {
    if (request.path != "/refused") return std::nullopt;
    Response response = Problem(429, "rate_limited", "not so fast");
    response.headers.emplace_back("Retry-After", "7");
    return response;
  }
  void OnRequestDone(const RequestRecord& r) override {
    std::lock_guard lock(owner_.mutex_);
    owner_.records_.push_back({std::string(r.method), std::string(r.route), std::string(r.request.target),
                               std::string(r.request.request_id), r.status, r.refused_by_server,
                               r.request_bytes, r.response_bytes, r.duration_seconds});
    owner_.changed_.notify_all();
  }

 private:
  TestServer& owner_;
  Router router_;
};

TestServer::TestServer(Options options) {
  auto started = Server::Start(std::move(options), [this](Loop&) -> Result<std::unique_ptr<Service>> {
    return {std::make_unique<TestService>(*this)};
  });
  if (!started) std::fprintf(stderr, "%s\n", std::string(started.error().message()).c_str());
  STEMEDB_CHECK(started.has_value());
  server_ = std::move(*started);
}

TestServer::~TestServer() {
  {
    std::lock_guard lock(mutex_);
    later_.clear();
  }
  server_->Stop();
}

std::string TestServer::url(const std::string& path) const {
  return "http://127.0.0.1:" + std::to_string(port()) + path;
}

void TestServer::Settle() {
  for (int round = 0; round < 4; ++round) {
    for (size_t i = 0; i < server_->loop_count(); ++i) {
      std::promise<void> ran;
      if (server_->loop(i).Post([&ran] { ran.set_value(); })) ran.get_future().wait();
    }
  }
}

std::vector<ExchangePtr> TestServer::TakeLater(size_t count) {
  std::unique_lock lock(mutex_);
  STEMEDB_CHECK(changed_.wait_for(lock, kPatience, [&] { return later_.size() >= count; }));
  return std::move(later_);
}

size_t TestServer::later_count() {
  std::lock_guard lock(mutex_);
  return later_.size();
}

std::vector<SeenRequest> TestServer::WaitForRecords(size_t count) {
  std::unique_lock lock(mutex_);
  STEMEDB_CHECK(changed_.wait_for(lock, kPatience, [&] { return records_.size() >= count; }));
  return records_;
}

void AnswerFromOutside(ExchangePtr exchange, std::string body) {
  Loop& loop = exchange->loop();
  loop.Post([exchange = std::move(exchange), body = std::move(body)]() mutable {
    exchange->Respond(Text(std::move(body)));
  });
}

}  // namespace stemedb::http::test
