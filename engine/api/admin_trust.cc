// SPDX-License-Identifier: Apache-2.0
// /v1/admin/trust: how far agents are trusted, why, and an operator's hand on it.
#include "api/admin.h"
#include "api/list_page.h"
#include "api/operations.h"
#include "api/routes.h"

namespace stemedb::api {
namespace {

constexpr size_t kKeyDigits = 64;

Status InvalidAgent() {
  return Status(
      Code::kInvalidArgument, "invalid_request",
      "agent_id must be an agent's public key: 64 lower-case hex digits, not all zero (who doesn't sign "
      "has no rank of its own)");
}

// False, and answered, when the URL names no agent.
bool ReadAgent(LoopContext& context, const http::ExchangePtr& exchange, model::AgentId& agent) {
  const http::Request& request = exchange->request();
  if (FromHex(request.param("agent_id"), agent) && agent != model::kAnonymousAgent) return true;
  const Status fault = InvalidAgent();
  if (request.method == http::Method::kPost) AuditBadRequest(context, request, fault);
  const http::FieldError error{"agent_id", "must be 64 lower-case hex digits, not all zero"};
  exchange->Respond(context.Refusal(request, fault, {&error, 1}));
  return false;
}

http::Response List(LoopContext& context, const http::Request& request) {
  ListPage page = ReadListPage(request.query, kKeyDigits);
  model::AgentId after{};
  if (page.status.ok() && !page.cursor.empty() && !FromHex(page.cursor, after)) {
    page.errors.push_back({"cursor", "must be the next_cursor of an earlier page"});
    page.status = Status(Code::kInvalidArgument, "invalid_request", "cursor " + page.errors.back().detail);
  }
  if (!page.status.ok()) return context.Refusal(request, page.status, page.errors);
  http::Response response;
  const std::string_view from = page.cursor.empty() ? std::string_view() : AsView(after);
  const Status listed = context.engine().Trusts(from, page.limit, response.body);
  return listed.ok() ? std::move(response) : context.Refusal(request, listed);
}

void Get(LoopContext& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  model::AgentId agent;
  if (!ReadAgent(context, exchange, agent)) return;
  uint64_t before = UINT64_MAX;
  const ListPage page = ReadLogPage(request.query, before);
  if (!page.status.ok()) return exchange->Respond(context.Refusal(request, page.status, page.errors));
  http::Response response;
  const Status found = context.engine().Trust(agent, before, page.limit, response.body);
  exchange->Respond(found.ok() ? std::move(response) : context.Refusal(request, found));
}

void Set(LoopContext& context, http::ExchangePtr exchange) {
  model::AgentId agent;
  if (!ReadAgent(context, exchange, agent)) return;
  const std::string id = ToHex(agent);
  TakeOperation(context, std::move(exchange), model::OperationKind::kTrust, id,
                OperatorsAct{"trust.set", id});
}

}  // namespace

void AddAdminTrustRoutes(http::Router& router, LoopContext& context) {
  router.Add({.path = "/v1/admin/trust",
              .methods = {http::Method::kGet},
              .handler = AdminOnly(context,
                                   [&context](http::ExchangePtr exchange) {
                                     exchange->Respond(List(context, exchange->request()));
                                   }),
              .param_names = {}});
  router.Add({.path = "/v1/admin/trust/{agent_id}",
              .methods = {http::Method::kGet, http::Method::kPost},
              .handler = AdminOnly(context,
                                   [&context](http::ExchangePtr exchange) {
                                     if (exchange->request().method == http::Method::kPost)
                                       return Set(context, std::move(exchange));
                                     Get(context, exchange);
                                   }),
              .max_body_bytes = kOperationBodyMax,
              .param_names = {}});
}

}  // namespace stemedb::api
