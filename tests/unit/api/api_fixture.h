// SPDX-License-Identifier: Apache-2.0
// The client service over a real store and real sockets, with scripts of the test's own; and a peer who
// counts whole answers.
#pragma once

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "../store/store_fixture.h"
#include "api/service.h"
#include "api/slow_lane.h"
#include "deploy/deployer.h"
#include "http/server.h"

namespace stemedb::testing {

struct Answer {
  int status = 0;
  std::map<std::string, std::string> fields;  // names in lower case
  std::string body;
};

// A connection. Every wait is bounded by ten seconds.
class Peer {
 public:
  explicit Peer(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{10, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
  }
  ~Peer() { close(fd_); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  void Send(const std::string& bytes) {
    EXPECT_EQ(send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  // The next answer; status 0 when the connection or patience has ended.
  Answer Read() {
    Answer answer;
    size_t head = 0;
    while ((head = buffer_.find("\r\n\r\n")) == std::string::npos)
      if (!Fill()) return {};
    size_t line = buffer_.find("\r\n");
    answer.status = std::stoi(buffer_.substr(9, 3));
    while (line < head) {
      const size_t next = buffer_.find("\r\n", line + 2);
      const std::string text = buffer_.substr(line + 2, next - line - 2);
      const size_t colon = text.find(": ");
      std::string name = text.substr(0, colon);
      std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
      answer.fields[name] = text.substr(colon + 2);
      line = next;
    }
    const auto length = answer.fields.find("content-length");
    const size_t size = length == answer.fields.end() ? 0 : std::stoul(length->second);
    while (buffer_.size() < head + 4 + size)
      if (!Fill()) return {};
    answer.body = buffer_.substr(head + 4, size);
    buffer_.erase(0, head + 4 + size);
    return answer;
  }
  Answer Ask(const std::string& bytes) {
    Send(bytes);
    return Read();
  }
  // How many answers of each status the next `count` have.
  std::map<int, int> ReadStatuses(int count) {
    std::map<int, int> statuses;
    for (int i = 0; i < count; ++i) ++statuses[Read().status];
    return statuses;
  }
  // Ends the connection with a reset.
  void Reset() {
    const linger now{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    shutdown(fd_, SHUT_RD);
    close(fd_);
    fd_ = -1;
  }

 private:
  bool Fill() {
    char bytes[16384];
    const ssize_t got = recv(fd_, bytes, sizeof bytes, 0);
    if (got > 0) buffer_.append(bytes, static_cast<size_t>(got));
    return got > 0;
  }

  int fd_;
  std::string buffer_;
};

inline std::string Get(const std::string& target, const std::string& fields = "") {
  return "GET " + target + " HTTP/1.1\r\nHost: test\r\n" + fields + "\r\n";
}
inline std::string Post(const std::string& target, const std::string& body, const std::string& fields = "") {
  return "POST " + target + " HTTP/1.1\r\nHost: test\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n" + fields + "\r\n" + body;
}

class ApiTest : public StoreTest {
 protected:
  ~ApiTest() override {  // before the store
    if (slow_lane_) slow_lane_->Stop();
    server_.reset();
    slow_lane_.reset();
    deployer_.reset();
    trail_.reset();
  }

  // One loop. Files of lenses and policies, as operators have them.
  void Serve(const std::vector<script::ScriptFile>& lenses,
             const std::vector<script::ScriptFile>& policies = {}) {
    deploy::DeploymentOptions options;
    options.directories = {WriteAll("lenses", lenses), WriteAll("policies", policies)};
    options.room = {store_.get(), env::Clock::System(), &metrics_};
    auto deployment = deploy::Deployment::Open(std::move(options));
    ASSERT_TRUE(deployment) << deployment.error().message();
    deployer_ = std::make_unique<deploy::Deployer>(std::move(*deployment), 50);
    backend_.deployer = deployer_.get();
    backend_.store = served_store_ != nullptr ? served_store_ : store_.get();
    if (backend_.clock == nullptr) backend_.clock = env::Clock::System();
    backend_.metrics = &metrics_;
    if (with_trail_) OpenTrail();
    backend_.phase = api::Phase::kServing;
    if (lane_options_) OpenSlowLane();
    auto started = http::Server::Start({}, api::ClientServices(backend_));
    ASSERT_TRUE(started) << started.error().message();
    server_ = std::move(*started);
  }
  void OpenTrail() {
    auto trail = audit::QueryTrail::Open(
        {.env = &env_, .metrics = &metrics_, .directory = directory_.path() + "/audit"});
    ASSERT_TRUE(trail) << trail.error().message();
    trail_ = std::move(*trail);
    backend_.trail = trail_.get();
  }
  void OpenSlowLane() {
    query::EngineOptions& options = lane_engine_options_;
    options.clock = env::Clock::System();
    options.metrics = &metrics_;
    options.live = &deployer_->deployment().live();
    slow_lane_ = std::make_unique<api::SlowLane>(*env::Clock::System(), *lane_options_, [&] {
      return std::make_unique<query::Engine>(store_->NewReader(), options.live->Current(), options);
    });
    backend_.slow_lane = slow_lane_.get();
  }
  std::string WriteAll(const std::string& name, const std::vector<script::ScriptFile>& files) {
    const std::string directory = directory_.path() + "/" + name;
    std::filesystem::create_directory(directory);
    for (const auto& file : files) std::ofstream(directory + "/" + file.name) << file.text;
    return directory;
  }
  uint16_t port() const { return server_->port(); }

  api::Backend backend_;
  store::Store* served_store_ = nullptr;                // what the service gets in store_'s place
  std::optional<api::SlowLane::Options> lane_options_;  // none: there is no slow lane
  query::EngineOptions lane_engine_options_;
  bool with_trail_ = false;  // of queries
  std::unique_ptr<audit::QueryTrail> trail_;
  std::unique_ptr<deploy::Deployer> deployer_;
  std::unique_ptr<api::SlowLane> slow_lane_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace stemedb::testing
