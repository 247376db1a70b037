// SPDX-License-Identifier: Apache-2.0
// GET /v1/trace/{id}: where a claim comes from and what was said about it. GET /v1/feed: what came in last.
#include <utility>
#include <vector>

#include "api/list_page.h"
#include "api/looking.h"
#include "api/query_string.h"
#include "api/routes.h"

namespace stemedb::api {
namespace {

// What they asked, and from where, is for operators: /v1/audit/query/{id}.
void WriteAskers(JsonWriter& json, const std::vector<audit::ClaimQuery>& queries) {
  json.Key("queried_by");
  json.BeginArray();
  for (const audit::ClaimQuery& query : queries) {
    json.BeginObject();
    json.Key("query_id");
    json.Unsigned(query.id);
    json.Key("time");
    json.Time(query.time_ms);
    json.Key("agent_id");
    if (query.agent) {
      json.String(*query.agent);
    } else {
      json.Null();
    }
    json.EndObject();
  }
  json.EndArray();
}

void Trace(LoopContext& context, http::ExchangePtr exchange) {
  const http::Request& request = exchange->request();
  const Status parameters = NoParameters(request.query);
  if (!parameters.ok()) return exchange->Respond(context.Refusal(request, parameters));
  Hash256 id;
  if (!FromHex(request.param("id"), id)) {
    const http::FieldError error{"id", "must be an assertion id: 64 lower-case hex digits"};
    return exchange->Respond(context.Refusal(
        request, Status(Code::kInvalidArgument, "invalid_request", "id " + error.detail), {&error, 1}));
  }
  query::TraceMore more;
  if (const audit::QueryTrail* trail = context.backend().trail; trail != nullptr) {
    more = [trail](JsonWriter& json, uint64_t sequence) { WriteAskers(json, trail->AskedAbout(sequence)); };
  }
  AnswerLook(context, std::move(exchange),
             [id, more = std::move(more)](query::Engine& engine, std::string& out) {
               return engine.Trace(id, out, more);
             });
}

void Feed(LoopContext& context, http::ExchangePtr exchange) {
  const http::Request& request = exchange->request();
  uint64_t before = UINT64_MAX;
  const ListPage page = ReadLogPage(request.query, before);
  if (!page.status.ok()) return exchange->Respond(context.Refusal(request, page.status, page.errors));
  AnswerLook(context, std::move(exchange),
             [before, limit = page.limit](query::Engine& engine, std::string& out) {
               return engine.Feed(before, limit, out);
             });
}

}  // namespace

void AddTraceRoutes(http::Router& router, LoopContext& context) {
  router.Add({.path = "/v1/trace/{id}",
              .methods = {http::Method::kGet},
              .handler = [&context](http::ExchangePtr exchange) { Trace(context, std::move(exchange)); },
              .param_names = {}});
  router.Add({.path = "/v1/feed",
              .methods = {http::Method::kGet},
              .handler = [&context](http::ExchangePtr exchange) { Feed(context, std::move(exchange)); },
              .param_names = {}});
}

}  // namespace stemedb::api
