// SPDX-License-Identifier: Apache-2.0
// Connection: one TCP connection. It reads requests one after the other, hands each to its route's handler,
// and writes the answers in the requests' order, as many at once as are ready.
//
// Input goes through these states:
//   kHead -> (kBody | kChunked) -> kHead ...   and to kDiscard after the last request that will be answered.
// An answer that comes in pieces (a stream) is the connection's last one. From its start on, input is
// dropped, and requests behind it are forgotten; it stays at the head of the queue until it ends.
//
// The connection ends by Linger (shut down our side, read and drop until the peer closes, so that it can read
// its answer), when nothing is owed by Close, and by Drop when the peer is given up.
//
// It belongs to its loop's thread and deletes itself when libuv has closed its handle.
#pragma once

#include <uv.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/chunked_decoder.h"
#include "http/exchange.h"
#include "http/head_parser.h"
#include "http/head_scanner.h"
#include "http/loop_thread.h"
#include "http/reader_pace.h"

namespace stemedb::http {

class Connection {
 public:
  // Takes over `fd`, an accepted socket, and starts to read; on failure the connection goes away by itself.
  static void Accept(LoopThread& loop, int fd);

  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The answer for `exchange`, which is one of ours.
  void Answer(Exchange* exchange, Response&& response);
  // As the functions of the Exchange, which is one of ours.
  void StartStream(Exchange* exchange, Response&& head);
  void SendPiece(Exchange* exchange, std::string_view piece);
  void EndStream(Exchange* exchange);
  size_t unsent_bytes() const;
  // Writes what is ready, goes on with input that was held back, ends the connection when that is due.
  void Flush();
  // Enforces the time-outs.
  void Tick(uint64_t now_ms);
  // No further requests: closes at once when idle, else after the last answer. A stream ends.
  void Drain();
  // Memory of the answers that wait, as it was when the connection was last flushed.
  size_t charged_output_bytes() const { return charged_output_bytes_; }
  // The last tick at which the peer had taken something of what waits, or had nothing to take.
  uint64_t stalled_since_ms() const { return pace_.stalled_since_ms(); }
  // Closes without more ado. What was in flight is answered into the void; what the kernel still has for the
  // peer it goes on delivering.
  void Close();
  // Closes by a reset, which throws away what the kernel has for the peer: it doesn't read, and is told that
  // its answer is no whole one.
  void Drop();

  Connection* next = nullptr;  // LoopThread's list
  Connection* prev = nullptr;
  bool dirty = false;

 private:
  enum class Input : uint8_t { kHead, kBody, kChunked, kDiscard };
  enum class Life : uint8_t { kOpen, kLingering, kClosing };

  explicit Connection(LoopThread& loop);
  ~Connection() = default;
  friend class LoopThread;

  void ReadPeer();
  void StartReading();
  void StopReading();
  void OnRead(ssize_t count, const char* bytes);
  void OnEnd();
  void OnWritten(int status);
  void OnShutdown(int status);

  void Consume(const char* bytes, size_t count);
  size_t ConsumeHead(const char* bytes, size_t count);
  size_t ConsumeBody(const char* bytes, size_t count);
  size_t ConsumeChunks(const char* bytes, size_t count);
  void BeginRequest();
  void HeadDone();
  void IdentifyRequest();
  // The answer that the request gets on account of its head alone, if any.
  std::optional<Response> JudgeHead();
  Response OptionsAnswer();
  void BeginBody(const Framing& framing);
  void BodyDone();
  void Dispatch();
  // Answers the request being read with a problem and reads no further one.
  void Refuse(const Refusal& refusal);
  // Answers without a handler, after the body if that is short, so that the connection can go on.
  void RefuseSoftly(Response&& response, const Framing& framing);
  void RefuseForWantOfMemory();
  void AnswerCurrent(Response&& response);
  Exchange* Enqueue();

  bool MayStartRequest() const;
  void HoldBack(const char* bytes, size_t count);
  void ReadOn();
  void SendContinueIfDue();

  void Send(Exchange* exchange, Response& response);
  void AppendAnswer(Exchange* exchange, Response& response, BodyFraming framing);
  void Dequeue(Exchange* exchange);
  void ForgetRequestsBehind(Exchange* exchange);
  void BeginStream();
  void AppendPiece(std::string_view piece);
  void FinishStream();
  bool streams() const;
  void SendReadyAnswers();
  void WriteOut();
  void ChargeOutput();
  void FreeIdleBuffers();
  void EndIfDone();
  int fd() const;
  size_t queued_bytes() const;
  // Those that were sent, and that the peer hasn't acknowledged.
  uint64_t UntakenBytes() const;
  // False when the peer is to be given up.
  bool ReaderKeepsUp(uint64_t now_ms);
  void CheckLingering(uint64_t now_ms);
  void CheckStream(uint64_t now_ms);
  void CheckSender(uint64_t now_ms);
  void Linger();
  bool LetGo();
  static void OnClosed(uv_handle_t* handle);
  void Detach(Exchange* exchange);
  bool IsIdle() const;

  LoopThread& loop_;
  uv_tcp_t tcp_{};
  uv_write_t write_request_{};
  uv_shutdown_t shutdown_request_{};
  const uint64_t number_;
  std::string peer_address_;
  bool peer_is_loopback_ = false;

  Life life_ = Life::kOpen;
  Input input_ = Input::kHead;
  bool in_batch_ = false;  // OnRead or Flush is at work and will write
  bool reading_ = false;
  bool peer_ended_ = false;    // it sent FIN
  bool close_after_ = false;   // when the queue and the output are empty
  bool continue_due_ = false;  // 100 Continue is owed to the request being read

  HeadScanner scanner_;
  ChunkedDecoder chunks_;
  uint64_t body_left_ = 0;       // of a body with Content-Length
  Exchange* current_ = nullptr;  // the request being read
  bool refused_ = false;         // current_ has its answer in response_ already; its body is dropped
  std::string held_back_;        // input that waits for room

  Exchange* queue_head_ = nullptr;  // requests without an answer on its way, oldest first
  Exchange* queue_tail_ = nullptr;
  Exchange* stream_ = nullptr;  // the last of the queue, whose answer comes in pieces
  size_t in_flight_ = 0;
  size_t waiting_bytes_ = 0;  // in answers that wait for earlier ones
  size_t charged_output_bytes_ = 0;

  std::string out_;      // ready to be written
  std::string writing_;  // owned by libuv until OnWritten
  bool write_pending_ = false;
  uint64_t sent_bytes_ = 0;  // handed to libuv since the beginning
  ReaderPace pace_;

  uint64_t phase_started_ms_ = 0;  // of the head, the body, or lingering
  uint64_t idle_since_ms_ = 0;     // the last answer, or piece of one, was taken; or the beginning
  size_t dropped_bytes_ = 0;       // of input, while lingering or streaming
};

}  // namespace stemedb::http
