// SPDX-License-Identifier: Apache-2.0
// Refusals by the protocol itself (unknown path, malformed request) never reach a handler, so they are
// counted here.
#include "api/request_observer.h"

#include "api/admin.h"
#include "telemetry/log.h"

namespace stemedb::api {

void RequestObserver::OnRequestDone(const http::RequestRecord& record) {
  const KeyView key(record.method, record.route, record.status);
  auto found = series_.find(key);
  if (found == series_.end()) {
    found = series_.emplace(Key(key), metrics_.Series(record.method, record.route, record.status)).first;
  }
  found->second.requests.Increment();
  found->second.duration_seconds.Observe(record.duration_seconds);
  if (record.refused_by_server && record.status >= 400) {
    metrics_.Error("http_" + std::to_string(record.status), "http").Increment();
    // What the server is short of is nobody's bad request.
    if (record.status < 500 && IsAdminPost(record.request))
      AuditRefusedByServer(backend_, record.request, record.status);
  }
  if (!telemetry::LogEnabled(telemetry::Level::kDebug)) return;
  telemetry::LogDebug("api", "request",
                      {{"method", record.method},
                       {"route", record.route},
                       {"target", record.request.target},
                       {"status", record.status},
                       {"ms", record.duration_seconds * 1000},
                       {"bytes", record.response_bytes},
                       {"peer", record.request.peer_address},
                       {"request_id", record.request.request_id},
                       {"traceparent", record.request.traceparent}});
}

}  // namespace stemedb::api
