// SPDX-License-Identifier: Apache-2.0
// ReaderPace: whether a connection's peer still takes what it is sent, judged by the bytes that its kernel
// has acknowledged.
//
// The peer has a credit of time. It begins with Timeouts::write_stall_ms, loses the time that goes by while
// something waits for the peer, and gains a second for each read_bytes_per_second that are acknowledged, up
// to read_credit_ms above its beginning. Whose credit is used up reads nothing, or too slowly. While nothing
// waits it goes back to its beginning.
//
// Why not simply a time without progress: kernels acknowledge in lumps. A receive buffer that is full stays
// shut until a good part of it is free again, so a program that reads 1 KB a second may show nothing for two
// minutes on end (95 KB at a time, measured on Linux with its default buffers). But it can't have read more
// than was acknowledged: the credit of whoever reads read_bytes_per_second steadily never ends, unless a lump
// is larger than read_credit_ms pays for.
//
// Holds no socket and reads no clock. Its loop's thread alone.
#pragma once

#include <cstdint>

#include "http/server.h"

namespace stemedb::http {

class ReaderPace {
 public:
  enum class Rule : uint8_t {
    kRate,      // an answer has to end: its credit is all there is
    kProgress,  // a stream may lag for ever: whoever takes anything has write_stall_ms again
  };
  // What is seen at one moment. Bytes are counted from the connection's beginning.
  struct Sight {
    uint64_t now_ms = 0;
    uint64_t taken_bytes = 0;    // acknowledged by the peer
    uint64_t waiting_bytes = 0;  // sent to it, and not acknowledged
  };

  // `timeouts` must outlive it.
  ReaderPace(const Timeouts& timeouts, uint64_t now_ms);

  // Looks again; the time since the last look counts if something waited then. False when the peer is to be
  // given up.
  [[nodiscard]] bool Look(const Sight& sight, Rule rule);

  // As at the last look.
  bool waits() const { return waits_; }
  uint64_t taken_bytes() const { return taken_bytes_; }
  // The last look at which the peer had taken something, or had nothing to take.
  uint64_t stalled_since_ms() const { return stalled_since_ms_; }

 private:
  const Timeouts& timeouts_;
  int64_t credit_ms_;
  uint64_t looked_at_ms_;
  uint64_t stalled_since_ms_;
  uint64_t taken_bytes_ = 0;
  bool waits_ = false;
};

}  // namespace stemedb::http
