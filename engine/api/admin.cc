// SPDX-License-Identifier: Apache-2.0
#include "api/admin.h"

#include <algorithm>

#include "api/peer.h"
#include "api/query_string.h"
#include "api/question_fields.h"
#include "http/loop.h"
#include "http/router.h"
#include "telemetry/log.h"
#include "telemetry/log_text.h"

namespace stemedb::api {
namespace {

using simdjson::dom::element;

constexpr size_t kActorBytesMax = 128;

void Complain(AdminBody& body, std::string pointer, std::string detail) {
  body.errors.push_back({std::move(pointer), std::move(detail)});
}

void TakeText(AdminBody& body, std::string_view name, element value, std::optional<std::string>& out) {
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS) {
    out = std::string(text);
  } else {
    Complain(body, PointerTo(name), "must be a text");
  }
}

void TakeMember(AdminBody& body, std::string_view name, element value) {
  if (name == "source") return TakeText(body, name, value, body.source);
  if (name == "name") return TakeText(body, name, value, body.name);
  if (name == "to_version_sha256") return TakeText(body, name, value, body.to_version_sha256);
  if (name == "question") {
    body.question = value;
    return;
  }
  bool yes = false;
  if (value.get(yes) == simdjson::SUCCESS) {
    body.accept = yes;
  } else {
    Complain(body, PointerTo(name), "must be true or false");
  }
}

// The journal waits for the disk, so it is written on the scripts thread. What finds no place there, or comes
// within a second of another one, is counted in the next line.
void AuditRefusal(Backend& backend, const http::Request& request, const Status& fault) {
  constexpr int64_t kSecondNs = 1'000'000'000;
  audit::Journal* journal = backend.journal;
  if (journal == nullptr) return;
  backend.admin_refusals.fetch_add(1, std::memory_order_relaxed);
  if (!backend.admin_refusal_audited.IsDue(backend.clock->MonotonicNs(), kSecondNs)) return;
  const uint64_t refused = backend.admin_refusals.exchange(0, std::memory_order_relaxed);
  const deploy::Actor actor = ActorOf(request);
  audit::Entry entry{.time_ms = backend.clock->NowMs(),
                     .peer = actor.peer,
                     .actor = actor.name,
                     .action = "admin.refused",
                     .subject = std::string(http::MethodName(request.method)) + " " + request.route->path,
                     .result = std::string(fault.reason()),
                     .detail = std::to_string(refused) + " refused since the last such line; this one: " +
                               std::string(fault.message())};
  const Status posted =
      backend.deployer->Post([journal, entry = std::move(entry)](deploy::Deployment&, const Status& ready) {
        const Status written = ready.ok() ? journal->Append(entry) : ready;
        if (written.ok()) return;
        telemetry::LogError("api", "a refusal is missing from the audit file",
                            {{"subject", entry.subject}, {"cause", written.message()}});
      });
  if (!posted.ok()) backend.admin_refusals.fetch_add(refused, std::memory_order_relaxed);
}

}  // namespace

http::Handler AdminOnly(LoopContext& context, std::function<void(http::ExchangePtr)> handle) {
  return [&context, handle = std::move(handle)](http::ExchangePtr exchange) {
    const http::Request& request = exchange->request();
    const Status fault = AdminFault(context.backend(), request);
    if (!fault.ok()) {
      AuditRefusal(context.backend(), request, fault);
      return exchange->Respond(context.Refusal(request, fault));
    }
    handle(std::move(exchange));
  };
}

deploy::Actor ActorOf(const http::Request& request) {
  std::string name = telemetry::ToValidUtf8(request.header("x-actor").substr(0, kActorBytesMax));
  return {std::string(request.peer_address), std::move(name)};
}

void RunOnScriptsThread(LoopContext& context, http::ExchangePtr exchange, ScriptWork work) {
  auto task = [&context, exchange, work = std::move(work)](deploy::Deployment& deployment,
                                                           const Status& ready) {
    auto result = ready.ok() ? work(deployment) : Result<http::Response>(ready);
    exchange->loop().Post([&context, exchange, result = std::move(result)]() mutable {
      exchange->Respond(result ? std::move(*result) : context.Refusal(exchange->request(), result.error()));
    });
  };
  const Status posted = context.backend().deployer->Post(std::move(task));
  if (!posted.ok()) exchange->Respond(context.Refusal(exchange->request(), posted));
}

AdminBody ReadAdminBody(simdjson::dom::parser& parser, const http::Request& request,
                        std::span<const std::string_view> allowed) {
  AdminBody body;
  body.status = NoParameters(request.query);
  if (!body.status.ok() || request.body.empty()) return body;
  element root;
  simdjson::dom::object object;
  if (const auto error = parser.parse(request.body.data(), request.body.size(), false).get(root);
      error != simdjson::SUCCESS) {
    body.status = Status(Code::kInvalidArgument, "invalid_json",
                         std::string("the body is not JSON: ") + simdjson::error_message(error));
    return body;
  }
  std::string names;
  for (const std::string_view name : allowed) names.append(names.empty() ? "" : ", ").append(name);
  if (root.get(object) != simdjson::SUCCESS) {
    Complain(body, "", "must be a JSON object; its members may be " + names);
  } else {
    for (const auto member : object) {
      if (std::find(allowed.begin(), allowed.end(), member.key) != allowed.end()) {
        TakeMember(body, member.key, member.value);
      } else if (body.errors.size() < 16) {
        Complain(body, PointerTo(member.key), "unknown field; allowed are " + names);
      }
    }
  }
  if (!body.errors.empty()) {
    body.status = Status(Code::kInvalidArgument, "invalid_request",
                         body.errors.front().pointer + " " + body.errors.front().detail);
  }
  return body;
}

}  // namespace stemedb::api
