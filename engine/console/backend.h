// SPDX-License-Identifier: Apache-2.0
// Backend: where the console's answers come from: a running server (remote.h) or a data directory at rest
// (local.h). Answers are the JSON of docs/http-api.md; questions are the JSON that POST /v1/query takes. One
// thread.
//
// Failures: `reason` is the server's code ("unknown_lens"), or "unreachable", "interrupted"; the message says
// it with the remedy.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace stemedb::console {

class Backend {
 public:
  virtual ~Backend() = default;

  // What is asked here, in a line.
  virtual std::string Banner() = 0;

  virtual Result<std::string> Query(std::string_view question) = 0;
  virtual Result<std::string> Compare(std::string_view question) = 0;
  // `source` is a lens's text, `name` its name.
  virtual Result<std::string> Try(std::string_view source, std::string_view name,
                                  std::string_view question) = 0;
  virtual Result<std::string> Assertion(std::string_view id) = 0;
  virtual Result<std::string> Concepts(std::string_view prefix) = 0;
  virtual Result<std::string> Lenses() = 0;
  // Empty `name`: all scripts.
  virtual Result<std::string> Scripts(std::string_view name) = 0;
  virtual Result<std::string> Health() = 0;
};

}  // namespace stemedb::console
