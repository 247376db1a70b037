// SPDX-License-Identifier: Apache-2.0
#include "base/status.h"

namespace stemedb {

Status::Status(Code code, std::string_view reason, std::string message)
    : rep_(std::make_unique<Rep>(Rep{code, std::string(reason), std::move(message)})) {}

Status::Status(const Status& other) : rep_(other.rep_ ? std::make_unique<Rep>(*other.rep_) : nullptr) {}

Status& Status::operator=(const Status& other) {
  if (this != &other) rep_ = other.rep_ ? std::make_unique<Rep>(*other.rep_) : nullptr;
  return *this;
}

Status Status::Annotate(std::string_view context) const& { return Status(*this).Annotate(context); }

Status Status::Annotate(std::string_view context) && {
  if (rep_) rep_->message = std::string(context) + ": " + rep_->message;
  return std::move(*this);
}

}  // namespace stemedb
