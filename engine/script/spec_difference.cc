// SPDX-License-Identifier: Apache-2.0
#include "script/spec_difference.h"

#include <cmath>

#include "script/details.h"

namespace stemedb::script {

bool IsNear(double a, double b) {
  constexpr double kTolerance = 1e-9;
  return std::abs(a - b) <= kTolerance;
}

void Differences::Add(const std::string& what, const std::string& expected, const std::string& got) {
  if (!text_.empty()) text_ += "; ";
  text_ += what + ": expected " + expected + ", got " + got;
}

void Differences::Compare(const std::string& what, std::optional<double> expected, double got) {
  if (expected && !IsNear(*expected, got)) Add(what, NumberText(*expected), NumberText(got));
}

std::string Unexpected(const CaseBase& one, const Status& failure) {
  const std::string message(failure.message());
  return one.fails && message.find(*one.fails) != std::string::npos ? "" : message;
}

}  // namespace stemedb::script
