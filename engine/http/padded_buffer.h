// SPDX-License-Identifier: Apache-2.0
// PaddedBuffer: bytes that grow, always followed by kBodyPadding readable zero bytes once Seal was called. It
// keeps its memory over Clear, so that a pooled Exchange reads its next request without an allocation.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

#include "http/message.h"

namespace stemedb::http {

class PaddedBuffer {
 public:
  char* data() { return data_.get(); }
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  std::string_view view() const { return {data_.get(), size_}; }

  void Append(const char* bytes, size_t count) {
    if (count == 0) return;
    if (size_ + count + kBodyPadding > capacity_) Grow(size_ + count);
    std::memcpy(data_.get() + size_, bytes, count);
    size_ += count;
  }
  // Zeroes the padding; afterwards view().data() is not null.
  void Seal() {
    if (capacity_ < size_ + kBodyPadding) Grow(size_);
    std::memset(data_.get() + size_, 0, kBodyPadding);
  }
  void Clear() { size_ = 0; }
  void Release() {
    data_.reset();
    size_ = capacity_ = 0;
  }

 private:
  // Doubles, so that a body's cost is linear and memory follows what has arrived, not what was announced.
  void Grow(size_t needed) {
    size_t capacity = capacity_ < 512 ? 1024 : capacity_ * 2;
    while (capacity < needed + kBodyPadding) capacity *= 2;
    std::unique_ptr<char[]> grown(new char[capacity]);
    if (size_ > 0) std::memcpy(grown.get(), data_.get(), size_);
    data_ = std::move(grown);
    capacity_ = capacity;
  }

  std::unique_ptr<char[]> data_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace stemedb::http
