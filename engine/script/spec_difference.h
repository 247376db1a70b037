// SPDX-License-Identifier: Apache-2.0
// How an answer differs from what a case expects, in words.
#pragma once

#include <optional>
#include <string>

#include "base/status.h"
#include "script/spec_fields.h"

namespace stemedb::script {

// Whether they are equal to 1e-9.
bool IsNear(double a, double b);

class Differences {
 public:
  void Add(const std::string& what, const std::string& expected, const std::string& got);
  // Nothing when nothing is expected.
  void Compare(const std::string& what, std::optional<double> expected, double got);
  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
};

// The message of a failure; empty when it is the one that the case expects.
std::string Unexpected(const CaseBase& one, const Status& failure);

}  // namespace stemedb::script
