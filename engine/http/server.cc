// SPDX-License-Identifier: Apache-2.0
// Start goes from what can fail for the operator's reasons (the port) to what can fail for ours (the
// services); whatever it has begun is undone by the destructor.
#include "http/server.h"

#include <csignal>

#include "base/check.h"
#include "http/listen_socket.h"
#include "http/loop_thread.h"

namespace stemedb::http {

Server::Server(Options options) : options_(std::move(options)) {}

Server::~Server() { Stop(); }

Result<std::unique_ptr<Server>> Server::Start(Options options, const ServiceFactory& factory) {
  STEMEDB_CHECK(options.loops > 0);
  // Writing to a connection that the peer has reset must be an error code, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  Result<BoundSockets> bound = BindShared(options.address, options.port, options.loops);
  if (!bound) return bound.error().Annotate("http");
  std::unique_ptr<Server> server(new Server(std::move(options)));
  server->port_ = bound->port;
  for (size_t i = 0; i < bound->descriptors.size(); ++i) {
    server->loops_.push_back(
        std::make_unique<LoopThread>(static_cast<int>(i), server->options_, bound->descriptors[i]));
  }
  for (std::unique_ptr<LoopThread>& loop : server->loops_) {
    Status status = loop->Start(factory);
    if (!status.ok()) return status;
  }
  return server;
}

Loop& Server::loop(size_t index) { return *loops_.at(index); }

void Server::Drain() {
  for (std::unique_ptr<LoopThread>& loop : loops_) loop->Drain();
}

void Server::Stop() {
  Drain();
  for (std::unique_ptr<LoopThread>& loop : loops_) loop->Join();
}

}  // namespace stemedb::http
