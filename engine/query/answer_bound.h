// SPDX-License-Identifier: Apache-2.0
// AnswerBound: how large an answer may become. An answer is made whole in memory, on an event loop; so
// writers look at the bound before each thing that they add, stop when it is reached, and leave it to their
// caller to refuse the question. The text may be one item (at most some hundred KiB) larger than the bound.
#pragma once

#include <cstddef>
#include <string>

#include "base/status.h"

namespace stemedb::query {

class AnswerBound {
 public:
  // `out` outlives the bound. `bytes_elsewhere` have been written to another part of the same answer.
  AnswerBound(const std::string& out, size_t bytes_max, size_t bytes_elsewhere = 0)
      : out_(out), bytes_max_(bytes_max), bytes_elsewhere_(bytes_elsewhere) {}

  bool exceeded() const { return out_.size() + bytes_elsewhere_ > bytes_max_; }

  // kOutOfRange "answer_too_large" when it is exceeded.
  Status Check() const {
    if (!exceeded()) return Status::Ok();
    return Status(Code::kOutOfRange, "answer_too_large",
                  "the answer would be larger than " + std::to_string(bytes_max_) +
                      " bytes; ask with a smaller limit, without include, or for a narrower concept path");
  }

 private:
  const std::string& out_;
  const size_t bytes_max_;
  const size_t bytes_elsewhere_;
};

}  // namespace stemedb::query
