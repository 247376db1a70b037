// SPDX-License-Identifier: Apache-2.0
// Service: what the server serves. Each loop has one of its own, made and destroyed on that loop's thread and
// called there alone, so it needs no locks.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "base/status.h"
#include "http/loop.h"
#include "http/message.h"
#include "http/router.h"

namespace stemedb::http {

// What is known of a finished request. The request and the views are valid during the call.
struct RequestRecord {
  const Request& request;   // as far as it could be read: of one that couldn't, target and more may be empty
  std::string_view method;  // "GET"; "invalid" for a request that couldn't be read
  std::string_view route;   // the template, whatever the method; "unmatched" for no such path
  int status = 0;
  bool refused_by_server =
      false;  // the answer is the server's own: neither OnHeaders nor a handler was asked
  double duration_seconds =
      0;                      // from the request's first byte to its answer's hand-over to the socket's queue
  size_t request_bytes = 0;   // head and decoded body
  size_t response_bytes = 0;  // head and body as sent; 0 when the peer was gone
};

class Observer {
 public:
  virtual ~Observer() = default;
  // Once for each request that was answered, on its loop's thread. Must be quick.
  virtual void OnRequestDone(const RequestRecord& record) = 0;
};

class Service {
 public:
  virtual ~Service() = default;
  // The same router for the service's whole life.
  virtual const Router& router() const = 0;
  // Runs when the head of a matched request is known and its body is not: request.body is empty. An answer
  // here refuses the request cheaply; the handler then isn't called. May set request.note.
  virtual std::optional<Response> OnHeaders(Request& /*request*/) { return std::nullopt; }
  // Runs before the answer to a request with a note is written, whoever made it. May add header fields.
  virtual void OnAnswer(const Request& /*request*/, Response& /*response*/) {}
  // Runs when the loop has done what was ready and is about to wait for more: the end of a turn.
  virtual void OnTurnEnd() {}
  // Null, or an observer that lives as long as the service.
  virtual Observer* observer() { return nullptr; }
};

// Called once for each loop, on that loop's thread; a failure makes Server::Start fail with it.
using ServiceFactory = std::function<Result<std::unique_ptr<Service>>(Loop&)>;

}  // namespace stemedb::http
