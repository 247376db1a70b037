// SPDX-License-Identifier: Apache-2.0
// Exchange: one request and the duty to answer it exactly once.
//
// A handler gets an ExchangePtr and may answer at once or keep the pointer, pass it to another thread, and
// answer later from a task posted to exchange->loop(). Answers of a pipelined connection leave in the order
// of the requests, whatever the order of Respond. When every ExchangePtr is gone without an answer, the peer
// gets 500.
//
// An answer may also come in pieces for as long as the peer listens: StartStream, Send, EndStream. It is the
// last one of its connection, which takes no further request: what the peer sends meanwhile is dropped, and
// its FIN, or a stop of the server, ends the stream. A stream that sends nothing for the idle time-out is cut
// off, and so is one whose peer doesn't read.
//
// All ExchangePtrs must be gone before the Server is destroyed; request().route is valid until Server::Stop.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "http/message.h"
#include "http/padded_buffer.h"

namespace stemedb::http {

class Connection;
class Loop;
class LoopThread;

class Exchange {
 public:
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // Any thread that holds an ExchangePtr may read it; nobody changes it after the handler was called.
  const Request& request() const { return request_; }
  // On the loop's thread, once. When the peer is gone the answer is dropped silently.
  void Respond(Response&& response);
  // Instead of Respond: the head of an answer whose body follows piece by piece; head.body is its first
  // piece. Chunked, or for HTTP/1.0 up to the connection's end; never compressed. A HEAD gets the head alone.
  // Like Respond and the three below, on the loop's thread.
  void StartStream(Response&& head);
  // One more piece, as one chunk. A peer that has Limits::stream_output_bytes_max unread bytes waiting, or
  // more, is dropped: look at unsent_bytes before. Dropped silently when the stream has ended or the peer is
  // gone.
  void Send(std::string_view piece);
  void EndStream();
  bool is_streaming() const { return streams_; }
  // What the connection holds and the peer's socket hasn't taken yet; 0 when the peer is gone.
  size_t unsent_bytes() const;
  Loop& loop() const;
  // Whether the peer still waits for an answer, or listens to its stream. Useful before costly work. Any
  // thread that holds an ExchangePtr; on others than the loop's it may have changed already.
  bool peer_waits() const { return connection() != nullptr; }

 private:
  friend class ExchangePtr;
  friend class Connection;
  friend class LoopThread;

  explicit Exchange(LoopThread& loop) : loop_(loop) {}
  ~Exchange() = default;

  Connection* connection() const { return connection_.load(std::memory_order_relaxed); }
  void AddHandle() { handles_.fetch_add(1, std::memory_order_relaxed); }
  void DropHandle();
  void HandlesGone();
  void Reset();

  LoopThread& loop_;
  std::atomic<uint32_t> handles_{0};
  // Null once answered or when the peer is gone. Written and followed on the loop's thread alone.
  std::atomic<Connection*> connection_{nullptr};

  // The loop's thread alone, from here on (request_ and the buffers are read by others while they hold a
  // handle).
  Exchange* next_ = nullptr;  // the connection's next request, or the pool's next spare
  bool handed_out_ = false;   // a handler may still hold it
  bool responded_ = false;
  bool waiting_ = false;  // response_ waits for an earlier request's answer
  bool streams_ = false;  // answered by StartStream
  bool stream_ended_ = false;
  bool keep_alive_ = true;  // the connection may go on after this answer
  bool http_1_0_ = false;
  bool accepts_gzip_ = false;
  bool readable_ = false;           // method and target are known; else the request was malformed
  bool refused_by_server_ = false;  // neither OnHeaders nor a handler was asked
  uint64_t started_ns_ = 0;         // uv_hrtime at the request's first byte
  size_t wire_bytes_ = 0;           // of the request, head and decoded body

  Request request_;
  PaddedBuffer head_;
  PaddedBuffer body_;
  size_t charged_bytes_ = 0;        // of the loop's budget, for body_
  std::string scratch_;             // decoded path parameters
  std::array<char, 32> made_id_{};  // the request id, if the server made it
  std::array<char, 48> peer_{};     // the peer's address: the connection may be gone before the exchange
  Response response_;
};

// A counted reference; copying and dropping are safe on any thread.
class ExchangePtr {
 public:
  ExchangePtr() = default;
  explicit ExchangePtr(Exchange* exchange) : exchange_(exchange) {
    if (exchange_) exchange_->AddHandle();
  }
  ExchangePtr(const ExchangePtr& other) : ExchangePtr(other.exchange_) {}
  ExchangePtr(ExchangePtr&& other) noexcept : exchange_(std::exchange(other.exchange_, nullptr)) {}
  ExchangePtr& operator=(ExchangePtr other) noexcept {
    std::swap(exchange_, other.exchange_);
    return *this;
  }
  ~ExchangePtr() {
    if (exchange_) exchange_->DropHandle();
  }

  Exchange* operator->() const { return exchange_; }
  Exchange& operator*() const { return *exchange_; }
  explicit operator bool() const { return exchange_ != nullptr; }

 private:
  Exchange* exchange_ = nullptr;
};

}  // namespace stemedb::http
