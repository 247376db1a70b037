// SPDX-License-Identifier: Apache-2.0
// /v1/admin/scripts: what is live and what was, and an operator's hand on it. The lists are written on the
// loop; everything that compiles, runs or compares a script is done on the scripts thread.
#include <algorithm>
#include <array>

#include "api/admin.h"
#include "api/query_string.h"
#include "api/question_reader.h"
#include "api/routes.h"
#include "deploy/report_json.h"
#include "script/script_files.h"

namespace stemedb::api {
namespace {

using Kind = deploy::Deployer::Kind;

constexpr size_t kSmallBodyMax = 4 * 1024;
constexpr size_t kSourceBodyMax =
    2 * 1024 * 1024;  // 256 KiB, at six bytes for each escaped one, and a question
constexpr size_t kNameBytesMax = 64;

Status InvalidField(std::string_view name, const std::string& what) {
  return Status(Code::kInvalidArgument, "invalid_request", std::string(name) + " " + what);
}

void Refuse(LoopContext& context, const http::ExchangePtr& exchange, const Status& status,
            std::span<const http::FieldError> errors = {}) {
  if (exchange->request().method == http::Method::kPost)
    AuditBadRequest(context, exchange->request(), status);
  exchange->Respond(context.Refusal(exchange->request(), status, errors));
}

void RefuseField(LoopContext& context, const http::ExchangePtr& exchange, const std::string& name,
                 const std::string& what) {
  const http::FieldError error{name, what};
  Refuse(context, exchange, InvalidField(name, what), {&error, 1});
}

// The script of the path; empty, and answered, when there can't be such a one.
std::string NameOf(LoopContext& context, const http::ExchangePtr& exchange) {
  const std::string_view name = exchange->request().param("name");
  const bool is_name =
      !name.empty() && name.size() <= kNameBytesMax && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
      });
  if (is_name) return std::string(name);
  Refuse(context, exchange,
         Status(Code::kNotFound, "unknown_script", "a script's name is made of a-z, 0-9 and _"));
  return "";
}

void List(LoopContext& context, const http::ExchangePtr& exchange) {
  const Status parameters = NoParameters(exchange->request().query);
  if (!parameters.ok()) return Refuse(context, exchange, parameters);
  http::Response response;
  context.backend().deployer->deployment().AppendList(response.body);
  exchange->Respond(std::move(response));
}

Result<deploy::Deployment::Wanted> WantedOf(std::string_view query) {
  auto params = http::ParseQuery(query);
  if (!params) return params.error();
  deploy::Deployment::Wanted wanted;
  for (const auto& [name, value] : *params) {
    if (name == "source") {
      if (value != "true" && value != "false") return InvalidField(name, "must be true or false");
      wanted.source = value == "true";
    } else if (name == "diff") {
      if (!FromHex(value, wanted.diff_from.emplace())) {
        return InvalidField(name, "must be the SHA-256 of a version: 64 lower-case hex digits");
      }
    } else {
      return InvalidField(name, "unknown parameter; allowed are source, diff");
    }
  }
  return wanted;
}

void Get(LoopContext& context, http::ExchangePtr exchange) {
  const auto wanted = WantedOf(exchange->request().query);
  if (!wanted) return Refuse(context, exchange, wanted.error());
  const std::string name = NameOf(context, exchange);
  if (name.empty()) return;
  const auto describe = [name, wanted = *wanted](const deploy::Deployment& from) -> Result<http::Response> {
    http::Response response;
    const Status found = from.AppendScript(name, wanted, response.body);
    if (!found.ok()) return found;
    return response;
  };
  if (wanted->diff_from) return RunOnScriptsThread(context, Kind::kInquiry, std::move(exchange), describe);
  auto response = describe(context.backend().deployer->deployment());
  if (!response) return Refuse(context, exchange, response.error());
  exchange->Respond(std::move(*response));
}

// 200; 202 for a version that waits; a failure for one that was refused.
Result<http::Response> ResponseOf(const Result<deploy::Report>& report) {
  if (!report) return report.error();
  if (deploy::IsFailure(report->outcome)) {
    return Status(Code::kInvalidArgument, "script_refused",
                  std::string(deploy::NameOf(report->outcome)) + ": " + std::string(report->why.message()));
  }
  http::Response response;
  response.status = report->outcome == deploy::Outcome::kHeld ? 202 : 200;
  deploy::AppendReport(response.body, *report);
  return response;
}

void Reload(LoopContext& context, http::ExchangePtr exchange) {
  constexpr std::array<std::string_view, 2> kAllowed = {"accept", "sha256"};
  const http::Request& request = exchange->request();
  const AdminBody body = ReadAdminBody(context.json_parser(), request, kAllowed);
  if (!body.status.ok()) return Refuse(context, exchange, body.status, body.errors);
  const std::string name = NameOf(context, exchange);
  if (name.empty()) return;
  const auto accept = body.accept.value_or(false) ? deploy::Accept::kYes : deploy::Accept::kNo;
  std::optional<Hash256> accepted;
  if (body.sha256 && accept == deploy::Accept::kNo)
    return RefuseField(context, exchange, "/sha256", "is what \"accept\": true is for: send both");
  if (body.sha256 && !FromHex(*body.sha256, accepted.emplace())) {
    return RefuseField(context, exchange, "/sha256",
                       "must be the SHA-256 of the version that waits: 64 lower-case hex digits");
  }
  RunOnScriptsThread(context, Kind::kChange, std::move(exchange),
                     [name, accept, accepted, actor = ActorOf(request)](deploy::Deployment& deployment) {
                       return ResponseOf(deployment.Reload(name, accept, actor, accepted));
                     });
}

void RollBack(LoopContext& context, http::ExchangePtr exchange) {
  constexpr std::array<std::string_view, 1> kAllowed = {"to_version_sha256"};
  const http::Request& request = exchange->request();
  const AdminBody body = ReadAdminBody(context.json_parser(), request, kAllowed);
  if (!body.status.ok()) return Refuse(context, exchange, body.status, body.errors);
  const std::string name = NameOf(context, exchange);
  if (name.empty()) return;
  std::optional<Hash256> to;
  if (body.to_version_sha256 && !FromHex(*body.to_version_sha256, to.emplace())) {
    return RefuseField(context, exchange, "/to_version_sha256",
                       "must be the SHA-256 of a version: 64 lower-case hex digits");
  }
  RunOnScriptsThread(context, Kind::kRollback, std::move(exchange),
                     [name, to, actor = ActorOf(request)](deploy::Deployment& deployment) {
                       return ResponseOf(deployment.RollBack(name, to, actor));
                     });
}

// Answered, and false, when the source is beyond what a file may have.
bool SourceFits(LoopContext& context, const http::ExchangePtr& exchange,
                const std::optional<std::string>& source) {
  if (!source || source->size() <= script::kScriptBytesMax) return true;
  Refuse(context, exchange, Status(Code::kTooLarge, "value_too_large", "/source is larger than 256 KiB"));
  return false;
}

void Shadow(LoopContext& context, http::ExchangePtr exchange) {
  constexpr std::array<std::string_view, 1> kAllowed = {"source"};
  const http::Request& request = exchange->request();
  AdminBody body = ReadAdminBody(context.json_parser(), request, kAllowed);
  if (!body.status.ok()) return Refuse(context, exchange, body.status, body.errors);
  const std::string name = NameOf(context, exchange);
  if (name.empty() || !SourceFits(context, exchange, body.source)) return;
  RunOnScriptsThread(context, Kind::kInquiry, std::move(exchange),
                     [name, source = std::move(body.source),
                      actor = ActorOf(request)](deploy::Deployment& deployment) -> Result<http::Response> {
                       const auto report = deployment.Shadow(name, source, actor);
                       if (!report) return report.error();
                       http::Response response;
                       deploy::AppendShadow(response.body, name, *report);
                       return response;
                     });
}

// What messages call a draft's file.
std::string LabelOf(const std::optional<std::string>& name) {
  if (!name || name->empty()) return "draft.lua";
  return name->ends_with(".lua") ? *name : *name + ".lua";
}

void Try(LoopContext& context, http::ExchangePtr exchange) {
  constexpr std::array<std::string_view, 3> kAllowed = {"source", "name", "question"};
  const http::Request& request = exchange->request();
  AdminBody body = ReadAdminBody(context.json_parser(), request, kAllowed);
  if (!body.status.ok()) return Refuse(context, exchange, body.status, body.errors);
  if (!body.source) return RefuseField(context, exchange, "/source", "is required: the text of a lens");
  if (!body.question) return RefuseField(context, exchange, "/question", "is required: as in POST /v1/query");
  if (!SourceFits(context, exchange, body.source)) return;
  const std::string label = LabelOf(body.name);
  if (label.size() > kNameBytesMax || label.find_first_of("/ :\n") != std::string::npos) {
    return RefuseField(context, exchange, "/name", "must be a file's name of at most 64 bytes");
  }
  ReadQuestion read = ReadQuestionElement(*body.question, {}, "/question");
  if (!read.status.ok()) return Refuse(context, exchange, read.status, read.errors);
  RunOnScriptsThread(context, Kind::kInquiry, std::move(exchange),
                     [source = std::move(*body.source), label, question = std::move(read.question),
                      actor = ActorOf(request)](deploy::Deployment& deployment) -> Result<http::Response> {
                       http::Response response;
                       const Status answered = deployment.Try(source, label, question, response.body, actor);
                       if (!answered.ok()) return answered;
                       return response;
                     });
}

}  // namespace

void AddAdminScriptsRoutes(http::Router& router, LoopContext& context) {
  using Handle = void (*)(LoopContext&, http::ExchangePtr);
  const auto add = [&](const char* path, http::Method method, Handle handle, size_t body_max) {
    router.Add({.path = path,
                .methods = {method},
                .handler = AdminOnly(
                    context,
                    [&context, handle](http::ExchangePtr exchange) { handle(context, std::move(exchange)); }),
                .max_body_bytes = body_max,
                .param_names = {}});
  };
  add(
      "/v1/admin/scripts", http::Method::kGet,
      [](LoopContext& c, http::ExchangePtr exchange) { List(c, exchange); }, 0);
  add("/v1/admin/scripts/try", http::Method::kPost, Try, kSourceBodyMax);
  add("/v1/admin/scripts/{name}", http::Method::kGet, Get, 0);
  add("/v1/admin/scripts/{name}/reload", http::Method::kPost, Reload, kSmallBodyMax);
  add("/v1/admin/scripts/{name}/rollback", http::Method::kPost, RollBack, kSmallBodyMax);
  add("/v1/admin/scripts/{name}/shadow", http::Method::kPost, Shadow, kSourceBodyMax);
}

}  // namespace stemedb::api
