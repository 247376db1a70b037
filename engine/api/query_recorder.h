// SPDX-License-Identifier: Apache-2.0
// QueryRecorder: puts every question that one loop has answered, or failed to answer, into the trail of
// queries. Some microseconds for each, and never a wait. One for each loop, used on its thread alone.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "audit/query_trail.h"
#include "base/bytes.h"
#include "base/status.h"
#include "env/clock.h"
#include "http/message.h"
#include "query/account.h"
#include "query/question.h"

namespace stemedb::api {

class QueryRecorder {
 public:
  // Both outlive it. Without a trail nothing is recorded.
  QueryRecorder(audit::QueryTrail* trail, const env::Clock& clock);
  QueryRecorder(const QueryRecorder&) = delete;
  QueryRecorder& operator=(const QueryRecorder&) = delete;

  struct Asked {
    const http::Request& request;  // of the client that gets the answer
    const query::Question& question;
    std::span<const std::string> lenses;  // of a comparison
    std::string_view endpoint;
    double seconds = 0;  // that the answer took
  };
  // `account` is the answer's own, also when it was kept from an earlier question; of a failure as far as it
  // came, and `answer` is worth nothing then. `sha256` is the answer's where another thread has made it: that
  // of a long answer takes the time of many short ones.
  void Record(const Asked& asked, const query::Account& account, const Status& status,
              std::string_view answer, const std::optional<Hash256>& sha256 = std::nullopt);

 private:
  void Begin(const Asked& asked, const query::Account& account);
  void SetAnswer(const query::Account& account, std::string_view answer, const Hash256& sha256);
  void SetFailure(const Status& why);
  void Add();

  audit::QueryTrail* const trail_;
  audit::TrailBuffer* const buffer_;
  const env::Clock& clock_;
  // Reused.
  audit::QueryRecord record_;
  std::string question_;
  std::string frame_;
};

}  // namespace stemedb::api
