// SPDX-License-Identifier: Apache-2.0
// LoopThread: a Loop with its libuv loop, its thread, its service and its connections.
//
// Thread: Start, Drain and Join belong to the server's thread; everything else to the loop's own.
#pragma once

#include <uv.h>

#include <array>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "http/exchange.h"
#include "http/loop.h"
#include "http/response_writer.h"
#include "http/server.h"

namespace stemedb::http {

class Connection;

class LoopThread final : public Loop {
 public:
  // `options` must outlive the loop. Owns `listen_fd`.
  LoopThread(int index, const Options& options, int listen_fd);
  ~LoopThread() override;

  // Starts the thread, which makes its service and accepts connections; returns when it does or has failed
  // to.
  Status Start(const ServiceFactory& factory);
  // Begins to drain; any thread, repeats do nothing.
  void Drain();
  // Waits for the thread's end.
  void Join();

  // --- The loop's thread alone ---
  const Options& options() const { return options_; }
  ResponseWriter& writer() { return writer_; }
  Service& service() { return *service_; }
  Observer* observer() const { return observer_; }
  uv_loop_t* uv() { return &uv_; }
  uint64_t now_ms() const { return uv_now(&uv_); }
  bool draining() const { return draining_; }
  // One buffer for all connections: libuv reads into it and hands it over before the next read.
  uv_buf_t read_buffer() { return uv_buf_init(read_buffer_.get(), kReadBufferBytes); }

  Exchange* NewExchange();
  void Recycle(Exchange* exchange);
  // 32 hex digits, unlike any other of this process and most likely of any.
  void MakeRequestId(std::array<char, 32>& out);
  // Counts the memory of `exchange`'s body as it is now. False when the loop's bodies are beyond the budget.
  bool ChargeBody(Exchange& exchange);
  // Whether the budget has room for a body of that many bytes, as announced.
  bool HasRoomForBody(uint64_t bytes) const;
  // Gives the memory of `exchange`'s body back.
  void ReleaseBody(Exchange& exchange);
  // A connection's waiting answers take `now` bytes instead of `before`. Closes connections when the loop's
  // are beyond the budget.
  void ChargeOutput(size_t now, size_t before);
  void ReleaseOutput(size_t bytes) { output_bytes_ -= bytes; }
  // Tells the observer, if there is one.
  void Record(const Exchange& exchange, int status, size_t response_bytes);

  // Has connection->Flush called before the loop sleeps again.
  void MarkDirty(Connection* connection);
  // False when there are as many as the limits allow; it is added all the same and must close itself.
  bool Add(Connection* connection);
  // The connection is closed: forgets and deletes it.
  void Remove(Connection* connection);

 private:
  static constexpr size_t kReadBufferBytes = 64 * 1024;

  struct Starting;
  void Run(Starting& starting);
  Status Open(const ServiceFactory& factory);
  Status InitHandles();
  void AbandonHandles();
  Status StartThread(Starting& starting);
  int WatchListener();
  void OnListenerReadable();
  void StopListening();
  void CloseHandles();
  void Wake() override { uv_async_send(&wake_); }
  void EndTurn();
  void FlushDirty();
  void CloseLargestOutput();
  void Tick();
  void BeginDrain();
  void AwaitArrived(int rounds);
  void CloseIdle();
  void EndIfDrained();

  const Options& options_;
  int listen_fd_;  // -1 once closed
  std::thread thread_;

  uv_loop_t uv_{};
  uv_async_t wake_{};
  uv_prepare_t prepare_{};
  uv_timer_t timer_{};
  uv_poll_t listener_{};
  bool listening_ = false;
  bool accepting_ = false;  // false while listening: no descriptor was left; the next tick tries again
  bool ending_ = false;     // the handles are being closed
  bool draining_ = false;
  uint64_t drain_deadline_ms_ = 0;

  ResponseWriter writer_;
  std::unique_ptr<Service> service_;
  Observer* observer_ = nullptr;
  std::unique_ptr<char[]> read_buffer_;

  Connection* connections_ = nullptr;  // a doubly linked list
  size_t connection_count_ = 0;
  std::vector<Connection*> dirty_;
  size_t body_bytes_ = 0;    // memory of all requests' bodies
  size_t output_bytes_ = 0;  // memory of all waiting answers
  Exchange* spare_ = nullptr;
  size_t spare_count_ = 0;
  std::array<char, 32> next_request_id_{};  // random prefix, then a counter
};

}  // namespace stemedb::http
