// SPDX-License-Identifier: Apache-2.0
// GET /v1/health: figures for people. /livez: the process answers. /readyz: it can do its work, check by
// check. They take no lock that a write or a question could hold.
#include <array>

#include "api/routes.h"
#include "base/json_writer.h"

namespace stemedb::api {
namespace {

struct Check {
  std::string_view name;
  std::string fault;  // empty: passed
};

std::string_view PhaseFault(Phase phase) {
  if (phase == Phase::kServing) return {};
  return phase == Phase::kStarting ? "the server is starting" : "the server is shutting down";
}

std::array<Check, 4> Checks(const Backend& backend) {
  const store::Stats stats = backend.store->stats();
  return {
      Check{"serving", std::string(PhaseFault(backend.phase.load(std::memory_order_relaxed)))},
      Check{"writes", stats.accepting_writes ? "" : "writes are refused: " + stats.not_accepting_reason},
      Check{"index",
            stats.index_failure.empty() ? "" : "claims don't reach the index: " + stats.index_failure},
      Check{"scripts", backend.deployer->deployment().live().generation() == 0 ? "no lens is loaded" : ""},
  };
}

http::Response Health(const Backend& backend) {
  const store::Stats stats = backend.store->stats();
  const int64_t uptime_s = (backend.clock->MonotonicNs() - backend.started_ns) / 1'000'000'000;
  http::Response response;
  JsonWriter json(response.body);
  json.BeginObject();
  json.Field("status", stats.accepting_writes ? "healthy" : "degraded");
  json.Field("version", STEMEDB_VERSION);
  json.Key("uptime_seconds");
  json.Integer(uptime_s);
  json.Key("assertion_count");
  json.Unsigned(stats.assertions);
  json.Key("sequence");
  json.Unsigned(stats.sequence);
  json.Key("checkpoint");
  json.Unsigned(stats.checkpoint);
  json.Key("wal_segments");
  json.Unsigned(stats.wal_segments);
  json.Key("wal_bytes");
  json.Unsigned(stats.wal_bytes);
  json.Key("script_generation");
  json.Unsigned(backend.deployer->deployment().live().generation());
  if (!stats.accepting_writes) json.Field("reason", stats.not_accepting_reason);
  json.EndObject();
  return response;
}

http::Response Live() {
  http::Response response;
  response.body = R"({"status":"alive"})";
  return response;
}

bool WantsDetail(const http::Request& request) {
  const auto params = http::ParseQuery(request.query);
  if (!params) return false;
  for (const auto& [name, value] : *params) {
    if (name == "verbose") return value != "false" && value != "0";
  }
  return false;
}

http::Response Ready(const Backend& backend, const http::Request& request) {
  const auto checks = Checks(backend);
  bool is_ready = true;
  for (const Check& check : checks) is_ready = is_ready && check.fault.empty();
  http::Response response;
  response.status = is_ready ? 200 : 503;
  if (!is_ready) response.headers.emplace_back("Retry-After", "1");
  JsonWriter json(response.body);
  json.BeginObject();
  json.Field("status", is_ready ? "ready" : "not_ready");
  if (!is_ready || WantsDetail(request)) {
    json.Key("checks");
    json.BeginArray();
    for (const Check& check : checks) {
      json.BeginObject();
      json.Field("name", check.name);
      json.Field("status", check.fault.empty() ? "ok" : "failed");
      if (!check.fault.empty()) json.Field("detail", check.fault);
      json.EndObject();
    }
    json.EndArray();
  }
  json.EndObject();
  return response;
}

}  // namespace

void AddHealthRoutes(http::Router& router, LoopContext& context) {
  const auto get = [&](const char* path, http::Handler handler) {
    router.Add(
        {.path = path, .methods = {http::Method::kGet}, .handler = std::move(handler), .param_names = {}});
  };
  get("/v1/health", [&context](http::ExchangePtr exchange) { exchange->Respond(Health(context.backend())); });
  get("/livez", [](http::ExchangePtr exchange) { exchange->Respond(Live()); });
  get("/readyz", [&context](http::ExchangePtr exchange) {
    exchange->Respond(Ready(context.backend(), exchange->request()));
  });
}

}  // namespace stemedb::api
