// SPDX-License-Identifier: Apache-2.0
#include "script/prelude_text.h"

#include <random>
#include <string_view>

#include "script/embedded.h"

namespace stemedb::script {
namespace {

std::string Make() {
  constexpr std::string_view kPlaceholder = "SECRET", kDigits = "0123456789abcdef";
  std::random_device random;
  std::string secret;
  for (int i = 0; i < 32; ++i) secret += kDigits[random() % kDigits.size()];
  std::string text(kPreludeLua);
  for (size_t at = text.find(kPlaceholder); at != std::string::npos; at = text.find(kPlaceholder, at)) {
    text.replace(at, kPlaceholder.size(), secret);
    at += secret.size();
  }
  return text;
}

}  // namespace

const std::string& PreludeText() {
  static const std::string text = Make();
  return text;
}

}  // namespace stemedb::script
