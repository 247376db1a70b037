// SPDX-License-Identifier: Apache-2.0
// RequestObserver: counts and times every request by method, route and status, and writes the access log
// (level debug). Operators' calls that the HTTP server itself refused come into the audit from here, since no
// handler sees them. One for each loop.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <tuple>

#include "api/backend.h"
#include "http/service.h"
#include "telemetry/metrics.h"

namespace stemedb::api {

class RequestObserver final : public http::Observer {
 public:
  // `backend` outlives it.
  explicit RequestObserver(Backend& backend) : backend_(backend), metrics_(*backend.metrics) {}
  void OnRequestDone(const http::RequestRecord& record) override;

 private:
  using Key = std::tuple<std::string, std::string, int>;
  using KeyView = std::tuple<std::string_view, std::string_view, int>;
  struct Less {
    using is_transparent = void;
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return KeyView(a) < KeyView(b);
    }
  };

  Backend& backend_;
  telemetry::Metrics& metrics_;
  std::map<Key, telemetry::HttpSeries, Less> series_;  // a few for each route
};

}  // namespace stemedb::api
