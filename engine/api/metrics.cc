// SPDX-License-Identifier: Apache-2.0
// GET /metrics: every family as text. Gauges that mirror the store are set at the moment of the scrape.
#include "telemetry/metrics.h"

#include "api/routes.h"
#include "telemetry/exposition.h"

namespace stemedb::api {
namespace {

void MirrorStore(const Backend& backend) {
  const store::Stats stats = backend.store->stats();
  const telemetry::WalMetrics& wal = backend.metrics->wal();
  wal.segments_count.Set(static_cast<double>(stats.wal_segments));
  wal.disk_usage_bytes.Set(static_cast<double>(stats.wal_bytes));
  const telemetry::StorageMetrics& storage = backend.metrics->storage();
  storage.map_used_bytes.Set(static_cast<double>(stats.map_used_bytes));
  storage.map_size_bytes.Set(static_cast<double>(stats.map_size_bytes));
  const uint64_t lag = stats.sequence > stats.checkpoint ? stats.sequence - stats.checkpoint : 0;
  storage.checkpoint_lag_records.Set(static_cast<double>(lag));
}

http::Response Metrics(const Backend& backend, const http::Request& request) {
  MirrorStore(backend);
  const telemetry::ExpositionFormat format = telemetry::NegotiateFormat(request.header("accept"));
  http::Response response;
  response.content_type = telemetry::ContentType(format);
  response.body = telemetry::Expose(backend.metrics->Collect(), format);
  return response;
}

}  // namespace

void AddMetricsRoutes(http::Router& router, LoopContext& context) {
  router.Add({.path = "/metrics",
              .methods = {http::Method::kGet},
              .handler =
                  [&context](http::ExchangePtr exchange) {
                    exchange->Respond(Metrics(context.backend(), exchange->request()));
                  },
              .param_names = {}});
}

}  // namespace stemedb::api
