// SPDX-License-Identifier: Apache-2.0
// RequestObserver: counts and times every request by method, route and status, and writes the access log
// (level debug). One for each loop.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <tuple>

#include "http/service.h"
#include "telemetry/metrics.h"

namespace stemedb::api {

class RequestObserver final : public http::Observer {
 public:
  explicit RequestObserver(telemetry::Metrics& metrics) : metrics_(metrics) {}
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

  telemetry::Metrics& metrics_;
  std::map<Key, telemetry::HttpSeries, Less> series_;  // a few for each route
};

}  // namespace stemedb::api
