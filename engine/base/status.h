// SPDX-License-Identifier: Apache-2.0
// Status and Result: how every room says that something went wrong.
//
// A Status carries a small, layer-free code (what a caller can do about it), a reason slug (stable, for
// programs: "disk_full") and a message (for people: place and remedy). Rooms add context on the way up with
// Annotate, so that the outermost message reads from the general to the particular. No exception crosses a
// room.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace stemedb {

enum class Code : unsigned char {
  kOk,
  kInvalidArgument,   // the caller's input is malformed
  kOutOfRange,        // well-formed, but a value is beyond its limit or impossible
  kUnauthenticated,   // a signature or key is wrong
  kPermissionDenied,  // known, but not allowed
  kNotFound,
  kConflict,           // the state of the database forbids it
  kTooLarge,           // a size limit
  kResourceExhausted,  // a queue, quota or disk is full; later may work
  kUnavailable,        // not ready, or shutting down; later may work
  kDeadlineExceeded,
  kCorruption,  // stored bytes are not what was written
  kIoError,     // the operating system refused
  kInternal,    // a bug
};

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string_view reason, std::string message);
  Status(Status&&) noexcept = default;
  Status& operator=(Status&&) noexcept = default;
  Status(const Status& other);
  Status& operator=(const Status& other);

  static Status Ok() { return Status(); }

  bool ok() const { return rep_ == nullptr; }
  Code code() const { return rep_ ? rep_->code : Code::kOk; }
  // A stable slug such as "disk_full"; empty when ok.
  std::string_view reason() const { return rep_ ? std::string_view(rep_->reason) : std::string_view(); }
  std::string_view message() const { return rep_ ? std::string_view(rep_->message) : std::string_view(); }

  // The same failure with "context: " put before its message. An ok status stays ok.
  Status Annotate(std::string_view context) const&;
  Status Annotate(std::string_view context) &&;

 private:
  struct Rep {
    Code code;
    std::string reason;
    std::string message;
  };
  std::unique_ptr<Rep> rep_;  // null means ok: success costs one pointer
};

// A value or the Status that explains its absence; spelled like C++23's std::expected<T, Status>.
template <typename T>
class [[nodiscard]] Result {
 public:
  // Implicit on purpose: a function returns either.
  // NOLINTBEGIN(google-explicit-constructor)
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Status failure) : state_(std::in_place_index<1>, std::move(failure)) {}
  // NOLINTEND(google-explicit-constructor)

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  // The failure; must not be called when there is a value.
  const Status& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, Status> state_;
};

}  // namespace stemedb

// Returns the failure from the enclosing function, if there is one.
#define STEMEDB_RETURN_IF_ERROR(expression)            \
  do {                                                 \
    ::stemedb::Status stemedb_status_ = (expression);  \
    if (!stemedb_status_.ok()) return stemedb_status_; \
  } while (false)
