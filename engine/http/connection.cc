// SPDX-License-Identifier: Apache-2.0
// The socket side of a connection: accepting, reading, writing, time-outs and the ways to end. What is read
// is understood in connection_input.cc.
//
// Everything that happens in one go (a read, a batch of posted answers) collects its output in out_ and is
// written by one Flush at the end: a burst of pipelined requests costs one read and one write.
#include "http/connection.h"

#include <arpa/inet.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>

#include "http/socket_queue.h"

namespace stemedb::http {
namespace {

constexpr size_t kDroppedBytesMax = 64 * 1024 * 1024;
constexpr size_t kKeptOutputBytes = 256 * 1024;
constexpr size_t kKeptWhenIdleBytes = 4 * 1024;  // of one buffer, by a connection that rests

std::atomic<uint64_t> connections_made{0};  // by all loops

template <typename Handle>
Connection& ConnectionOf(Handle* handle) {
  return *static_cast<Connection*>(handle->data);
}

bool IsLoopback(std::string_view address) {
  return address.substr(0, 4) == "127." || address == "::1" || address.substr(0, 11) == "::ffff:127.";
}

}  // namespace

Connection::Connection(LoopThread& loop)
    : loop_(loop),
      number_(connections_made.fetch_add(1, std::memory_order_relaxed) + 1),
      scanner_(loop.options().limits),
      pace_(loop.options().timeouts, loop.now_ms()) {
  uv_tcp_init(loop.uv(), &tcp_);
  tcp_.data = write_request_.data = shutdown_request_.data = this;
  idle_since_ms_ = loop.now_ms();
}

void Connection::Accept(LoopThread& loop, int fd) {
  auto* connection = new Connection(loop);
  bool has_room = loop.Add(connection);
  if (uv_tcp_open(&connection->tcp_, fd) != 0) {
    close(fd);
    return connection->Close();
  }
  uv_tcp_nodelay(&connection->tcp_, 1);
  connection->ReadPeer();
  if (!has_room) {
    connection->BeginRequest();
    connection->Refuse({503, "overloaded", "too many connections; try again later"});
    connection->WriteOut();
    return connection->Close();
  }
  connection->StartReading();
}

void Connection::ReadPeer() {
  sockaddr_storage address{};
  int size = sizeof address;
  if (uv_tcp_getpeername(&tcp_, reinterpret_cast<sockaddr*>(&address), &size) != 0) return;
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET6) {
    uv_ip6_name(reinterpret_cast<sockaddr_in6*>(&address), text.data(), text.size());
  } else {
    uv_ip4_name(reinterpret_cast<sockaddr_in*>(&address), text.data(), text.size());
  }
  peer_address_ = text.data();
  peer_is_loopback_ = IsLoopback(peer_address_);
}

void Connection::StartReading() {
  if (reading_ || peer_ended_) return;
  auto allocate = [](uv_handle_t* handle, size_t, uv_buf_t* buffer) {
    *buffer = ConnectionOf(handle).loop_.read_buffer();
  };
  auto read = [](uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) {
    ConnectionOf(stream).OnRead(count, buffer->base);
  };
  reading_ = uv_read_start(reinterpret_cast<uv_stream_t*>(&tcp_), allocate, read) == 0;
  if (!reading_) Close();
}

void Connection::StopReading() {
  uv_read_stop(reinterpret_cast<uv_stream_t*>(&tcp_));
  reading_ = false;
}

void Connection::OnRead(ssize_t count, const char* bytes) {
  if (count == 0 || life_ == Life::kClosing) return;
  if (count == UV_EOF) return OnEnd();
  if (count < 0) return Close();
  if (life_ == Life::kLingering || stream_ != nullptr) {
    dropped_bytes_ += static_cast<size_t>(count);
    if (dropped_bytes_ > kDroppedBytesMax) Close();
    return;
  }
  in_batch_ = true;
  Consume(bytes, static_cast<size_t>(count));
  Flush();
}

void Connection::OnEnd() {
  peer_ended_ = true;
  reading_ = false;
  if (streams()) return Close();
  if (life_ == Life::kLingering) {  // the next tick looks again
    if (UntakenBytes() == 0) Close();
    return;
  }
  // A peer may shut down its side after its last request and still wait for answers.
  if (current_ != nullptr) loop_.Recycle(std::exchange(current_, nullptr));
  input_ = Input::kDiscard;
  close_after_ = true;
  Flush();
}

void Connection::Flush() {
  if (life_ != Life::kOpen) return;
  in_batch_ = true;
  for (;;) {
    SendContinueIfDue();
    WriteOut();
    bool held_back = life_ == Life::kOpen && !reading_ && !peer_ended_;
    if (!held_back || !MayStartRequest()) break;
    ReadOn();
  }
  in_batch_ = false;
  if (write_pending_ || (waiting_bytes_ | charged_output_bytes_) != 0) ChargeOutput();
  if (life_ == Life::kOpen) EndIfDone();
}

// An answer that the socket took at once is never charged. May close any connection, this one as well.
void Connection::ChargeOutput() {
  if (life_ == Life::kClosing) return;
  size_t bytes = waiting_bytes_ + (write_pending_ ? writing_.capacity() + out_.capacity() : 0);
  loop_.ChargeOutput(bytes, std::exchange(charged_output_bytes_, bytes));
}

void Connection::WriteOut() {
  if (write_pending_ || out_.empty()) return;
  sent_bytes_ += out_.size();
  uv_buf_t buffer = uv_buf_init(out_.data(), static_cast<unsigned>(out_.size()));
  auto* stream = reinterpret_cast<uv_stream_t*>(&tcp_);
  int result = uv_try_write(stream, &buffer, 1);
  if (result < 0 && result != UV_EAGAIN) return Close();
  size_t sent = static_cast<size_t>(std::max(result, 0));
  if (sent == out_.size()) {
    out_.clear();
    if (out_.capacity() > kKeptOutputBytes) out_.shrink_to_fit();
    return;
  }
  writing_.clear();
  writing_.swap(out_);
  buffer = uv_buf_init(writing_.data() + sent, static_cast<unsigned>(writing_.size() - sent));
  auto written = [](uv_write_t* request, int status) { ConnectionOf(request).OnWritten(status); };
  if (uv_write(&write_request_, stream, &buffer, 1, written) != 0) return Close();
  write_pending_ = true;
}

void Connection::OnWritten(int status) {
  write_pending_ = false;
  if (life_ == Life::kClosing) return;
  if (status != 0) return Close();
  writing_.clear();
  if (writing_.capacity() > kKeptOutputBytes) writing_.shrink_to_fit();
  idle_since_ms_ = loop_.now_ms();
  Flush();
}

size_t Connection::unsent_bytes() const { return out_.size() + queued_bytes() + waiting_bytes_; }

// By libuv.
size_t Connection::queued_bytes() const {
  return write_pending_ ? uv_stream_get_write_queue_size(reinterpret_cast<const uv_stream_t*>(&tcp_)) : 0;
}

bool Connection::IsIdle() const {
  bool between = current_ == nullptr || (input_ == Input::kHead && current_->head_.size() == 0);
  return between && queue_head_ == nullptr && out_.empty() && !write_pending_ && held_back_.empty();
}

void Connection::Tick(uint64_t now_ms) {
  const Timeouts& timeouts = loop_.options().timeouts;
  if (life_ == Life::kClosing) return;
  if (!ReaderKeepsUp(now_ms)) return Drop();
  if (life_ == Life::kLingering) return CheckLingering(now_ms);
  if (IsIdle()) {
    if (pace_.waits()) idle_since_ms_ = now_ms;  // it still reads its last answer
    if (now_ms - idle_since_ms_ > timeouts.idle_ms) return Close();
    FreeIdleBuffers();
  }
  if (streams()) CheckStream(now_ms);
  if (life_ == Life::kOpen && current_ != nullptr) CheckSender(now_ms);
}

int Connection::fd() const {
  uv_os_fd_t fd = -1;
  uv_fileno(reinterpret_cast<const uv_handle_t*>(&tcp_), &fd);
  return fd;
}

// Where the kernel doesn't say what the peer has acknowledged, what the socket has taken must do: that comes
// in far larger lumps, since a socket is writable again only when a third of its buffer is free.
uint64_t Connection::UntakenBytes() const {
  size_t in_kernel = UnacknowledgedBytes(fd()).value_or(0);
  if (life_ == Life::kLingering && in_kernel > 0) --in_kernel;  // the FIN
  return std::min<uint64_t>(sent_bytes_, in_kernel + queued_bytes());
}

// The kernel is asked only about connections that have sent something since the last tick, or had something
// waiting then.
bool Connection::ReaderKeepsUp(uint64_t now_ms) {
  const uint64_t waiting = pace_.taken_bytes() == sent_bytes_ ? 0 : UntakenBytes();
  const auto rule = streams() ? ReaderPace::Rule::kProgress : ReaderPace::Rule::kRate;
  return pace_.Look({.now_ms = now_ms, .taken_bytes = sent_bytes_ - waiting, .waiting_bytes = waiting}, rule);
}

// A peer that has closed its side needs no time to close. Nothing is read from it any more, so a reset has to
// be asked for.
void Connection::CheckLingering(uint64_t now_ms) {
  if (peer_ended_ && HasFailed(fd())) return Close();
  if (pace_.waits() && !loop_.draining()) {
    phase_started_ms_ = now_ms;
  } else if (peer_ended_ || now_ms - phase_started_ms_ > loop_.options().timeouts.linger_ms) {
    Close();
  }
}

// A busy connection keeps its buffers from one answer to the next; thousands that rest must not.
void Connection::FreeIdleBuffers() {
  for (std::string* buffer : {&out_, &writing_, &held_back_}) {
    if (buffer->capacity() > kKeptWhenIdleBytes) std::string().swap(*buffer);
  }
}

// One whose peer takes nothing of what waits is ReaderKeepsUp's business.
void Connection::CheckStream(uint64_t now_ms) {
  if (write_pending_ || !out_.empty()) return;
  if (now_ms - idle_since_ms_ > loop_.options().timeouts.idle_ms) return Close();
  FreeIdleBuffers();
}

void Connection::CheckSender(uint64_t now_ms) {
  const Timeouts& timeouts = loop_.options().timeouts;
  uint64_t elapsed = now_ms - phase_started_ms_;
  if (input_ == Input::kHead) {
    if (current_->head_.size() > 0 && elapsed > timeouts.header_ms) {
      Refuse({408, "request_timeout", "the request's head took too long"});
    }
    return;
  }
  uint64_t earned = current_->body_.size() * 1000 / std::max<uint64_t>(timeouts.body_bytes_per_second, 1);
  if (elapsed > timeouts.body_ms + earned)
    Refuse({408, "request_timeout", "the request's body took too long"});
}

void Connection::Drain() {
  if (life_ != Life::kOpen) return;
  if (IsIdle()) return Close();
  if (!streams()) return;  // one that waits for earlier answers ends when it begins
  FinishStream();
  Flush();
}

void Connection::EndIfDone() {
  bool answered = queue_head_ == nullptr && out_.empty() && !write_pending_;
  bool drained = loop_.draining() && IsIdle();
  if (!drained && !(close_after_ && answered)) return;
  // The kernel isn't left alone with what the peer has yet to read: it would hold it as long as that likes.
  const bool may_close = peer_ended_ && (loop_.draining() || UntakenBytes() == 0);
  may_close ? Close() : Linger();
}

// Closing a socket with unread input resets the connection, and the reset may overtake the answer. So we say
// that we are done and wait for the peer to close first.
void Connection::Linger() {
  life_ = Life::kLingering;
  phase_started_ms_ = loop_.now_ms();
  held_back_.clear();
  auto done = [](uv_shutdown_t* request, int status) { ConnectionOf(request).OnShutdown(status); };
  if (uv_shutdown(&shutdown_request_, reinterpret_cast<uv_stream_t*>(&tcp_), done) != 0) return Close();
  StartReading();
}

void Connection::OnShutdown(int status) {
  if (status != 0 || (peer_ended_ && UntakenBytes() == 0)) Close();
}

void Connection::Close() {
  if (LetGo()) uv_close(reinterpret_cast<uv_handle_t*>(&tcp_), OnClosed);
}

void Connection::Drop() {
  if (!LetGo()) return;
  // Fails while a shutdown is under way.
  if (uv_tcp_close_reset(&tcp_, OnClosed) != 0) uv_close(reinterpret_cast<uv_handle_t*>(&tcp_), OnClosed);
}

// False when the connection is closing already.
bool Connection::LetGo() {
  if (life_ == Life::kClosing) return false;
  life_ = Life::kClosing;
  while (queue_head_ != nullptr) Detach(std::exchange(queue_head_, queue_head_->next_));
  queue_tail_ = stream_ = nullptr;
  loop_.ReleaseOutput(std::exchange(charged_output_bytes_, 0));
  if (current_ != nullptr) loop_.Recycle(std::exchange(current_, nullptr));
  return true;
}

void Connection::OnClosed(uv_handle_t* handle) {
  Connection& connection = ConnectionOf(handle);
  connection.loop_.Remove(&connection);
}

}  // namespace stemedb::http
