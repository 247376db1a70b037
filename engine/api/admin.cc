// SPDX-License-Identifier: Apache-2.0
#include "api/admin.h"

#include <algorithm>
#include <memory>

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
  if (name == "sha256") return TakeText(body, name, value, body.sha256);
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

// The journal waits for the disk, so it is written on the scripts thread. What finds no place there counts
// for the next line.
void AddToTally(Backend& backend, audit::Tally::Kind kind, std::string_view action,
                const http::Request& request, const Status& fault) {
  audit::Journal* journal = backend.journal;
  if (journal == nullptr) return;
  const deploy::Actor actor = ActorOf(request);
  auto line = journal->tally().Add(
      kind,
      {.time_ms = backend.clock->NowMs(),
       .peer = actor.peer,
       .actor = actor.name,
       .action = std::string(action),
       .subject = std::string(http::MethodName(request.method)) + " " + request.route->path,
       .result = std::string(fault.reason()),
       .detail = std::string(fault.message())},
      backend.clock->MonotonicNs());
  if (!line) return;
  const Status posted = backend.deployer->Post(
      deploy::Deployer::Kind::kChange, [journal, line = *line](deploy::Deployment&, const Status&) {
        const Status written = journal->WriteLine(line);
        if (written.ok()) return;
        telemetry::LogError("api", "a refusal is missing from the audit file; it counts for its next line",
                            {{"subject", line.last.subject}, {"cause", written.message()}});
      });
  if (!posted.ok()) journal->tally().Return(*line);
}

}  // namespace

http::Handler AdminOnly(LoopContext& context, std::function<void(http::ExchangePtr)> handle) {
  return [&context, handle = std::move(handle)](http::ExchangePtr exchange) {
    const http::Request& request = exchange->request();
    const Status fault = AdminFault(context.backend(), request);
    if (!fault.ok()) {
      AddToTally(context.backend(), audit::Tally::Kind::kRefused, "admin.refused", request, fault);
      return exchange->Respond(context.Refusal(request, fault));
    }
    handle(std::move(exchange));
  };
}

void AuditBadRequest(LoopContext& context, const http::Request& request, const Status& fault) {
  AddToTally(context.backend(), audit::Tally::Kind::kBadRequest, "admin.bad_request", request, fault);
}

// Written on the scripts thread, as what is refused.
void RespondAudited(LoopContext& context, http::ExchangePtr exchange, audit::Entry entry,
                    http::Response response) {
  audit::Journal* journal = context.backend().journal;
  if (journal == nullptr) return exchange->Respond(std::move(response));
  deploy::Actor actor = ActorOf(exchange->request());
  entry.time_ms = context.backend().clock->NowMs();
  entry.peer = std::move(actor.peer);
  entry.actor = std::move(actor.name);
  const auto told = std::make_shared<const audit::Entry>(std::move(entry));
  const auto answer = std::make_shared<http::Response>(std::move(response));
  const auto tell_log = [told](const Status& fault) {
    telemetry::LogError("api", "an action is missing from the audit file",
                        {{"action", told->action},
                         {"subject", told->subject},
                         {"result", told->result},
                         {"detail", told->detail},
                         {"cause", fault.message()}});
  };
  const Status posted = context.backend().deployer->Post(
      deploy::Deployer::Kind::kChange, [=](deploy::Deployment&, const Status&) {
        const Status written = journal->Append(*told);
        if (!written.ok()) tell_log(written);
        exchange->loop().Post([exchange, answer] { exchange->Respond(std::move(*answer)); });
      });
  if (posted.ok()) return;
  tell_log(posted);
  exchange->Respond(std::move(*answer));
}

bool IsAdminPost(const http::Request& request) {
  return request.method == http::Method::kPost && request.route != nullptr &&
         request.route->path.starts_with("/v1/admin/");
}

void AuditRefusedByServer(Backend& backend, const http::Request& request, int status) {
  const Status fault = AdminFault(backend, request);
  if (!fault.ok()) return AddToTally(backend, audit::Tally::Kind::kRefused, "admin.refused", request, fault);
  const std::string code = std::to_string(status);
  AddToTally(backend, audit::Tally::Kind::kBadRequest, "admin.bad_request", request,
             Status(Code::kInvalidArgument, "http_" + code,
                    "the HTTP server refused it with status " + code + " before it was read"));
}

deploy::Actor ActorOf(const http::Request& request) {
  std::string name = telemetry::ToValidUtf8(request.header("x-actor").substr(0, kActorBytesMax));
  return {std::string(request.peer_address), std::move(name)};
}

void RunOnScriptsThread(LoopContext& context, deploy::Deployer::Kind kind, http::ExchangePtr exchange,
                        ScriptWork work) {
  auto task = [&context, exchange, work = std::move(work)](deploy::Deployment& deployment,
                                                           const Status& ready) {
    auto result = ready.ok() ? work(deployment) : Result<http::Response>(ready);
    exchange->loop().Post([&context, exchange, result = std::move(result)]() mutable {
      exchange->Respond(result ? std::move(*result) : context.Refusal(exchange->request(), result.error()));
    });
  };
  const Status posted = context.backend().deployer->Post(kind, std::move(task));
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
