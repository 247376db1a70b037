// SPDX-License-Identifier: Apache-2.0
// An Exchange is pooled by its loop. It may be reused when the connection has let go of it (answered or gone)
// and the handler has too. The second is noticed on any thread, but acted on only by the loop's.
#include "http/exchange.h"

#include "base/check.h"
#include "http/connection.h"
#include "http/loop_thread.h"
#include "http/problem.h"

namespace stemedb::http {

Loop& Exchange::loop() const { return loop_; }

void Exchange::Respond(Response&& response) {
  STEMEDB_CHECK(loop_.InThread());
  STEMEDB_CHECK(!responded_);
  responded_ = true;
  if (Connection* peer = connection(); peer != nullptr) {
    peer->Answer(this, std::move(response));
  } else {
    loop_.Record(*this, response.status, 0);
  }
}

void Exchange::StartStream(Response&& head) {
  STEMEDB_CHECK(loop_.InThread());
  STEMEDB_CHECK(!responded_);
  responded_ = streams_ = true;
  if (Connection* peer = connection(); peer != nullptr) {
    peer->StartStream(this, std::move(head));
  } else {
    loop_.Record(*this, head.status, 0);
  }
}

void Exchange::Send(std::string_view piece) {
  STEMEDB_CHECK(loop_.InThread());
  STEMEDB_CHECK(streams_);
  if (Connection* peer = connection(); peer != nullptr && !stream_ended_) peer->SendPiece(this, piece);
}

void Exchange::EndStream() {
  STEMEDB_CHECK(loop_.InThread());
  STEMEDB_CHECK(streams_);
  if (std::exchange(stream_ended_, true)) return;
  if (Connection* peer = connection(); peer != nullptr) peer->EndStream(this);
}

size_t Exchange::unsent_bytes() const {
  const Connection* peer = connection();
  return peer == nullptr ? 0 : peer->unsent_bytes();
}

void Exchange::DropHandle() {
  // Release, then acquire: whoever reuses the memory sees all that other holders did with it.
  if (handles_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (loop_.InThread()) {
    HandlesGone();
  } else if (!loop_.Post([this] { HandlesGone(); })) {
    delete this;  // the loop has ended, and with it the connection and the pool
  }
}

void Exchange::HandlesGone() {
  if (!responded_ && connection() != nullptr) {
    Respond(Problem(500, "internal_error", "the request was dropped without an answer"));
  }
  if (streams_) EndStream();
  handed_out_ = false;  // only now, or the connection would have recycled it
  if (connection() == nullptr) loop_.Recycle(this);
}

void Exchange::Reset() {
  connection_.store(nullptr, std::memory_order_relaxed);
  next_ = nullptr;
  handed_out_ = responded_ = waiting_ = http_1_0_ = accepts_gzip_ = readable_ = refused_by_server_ = false;
  streams_ = stream_ended_ = false;
  keep_alive_ = true;
  started_ns_ = 0;
  wire_bytes_ = 0;
  head_.Clear();
  scratch_.clear();
  std::vector<Header> headers = std::move(request_.headers);
  headers.clear();
  request_ = Request();
  request_.headers = std::move(headers);
  response_ = Response();
}

}  // namespace stemedb::http
