// SPDX-License-Identifier: Apache-2.0
// What all operators' calls have in common: who may make them, who made them, and how work that a loop must
// not do is done on the scripts thread and answered on the loop.
#pragma once

#include <simdjson.h>

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/loop_context.h"
#include "deploy/deployer.h"
#include "http/exchange.h"

namespace stemedb::api {

// A handler of operators' calls: refuses what AdminFault refuses, and calls `handle` with the rest. What was
// refused is audited, in lines that count the refusals since the line before (audit::Tally).
http::Handler AdminOnly(LoopContext& context, std::function<void(http::ExchangePtr)> handle);

// For a call that AdminOnly let through and whose own words are refused before it comes to the scripts
// thread: audited likewise. For POST alone, also where it changes nothing (try, shadow); not for GET.
void AuditBadRequest(LoopContext& context, const http::Request& request, const Status& fault);

// Answers what an operator has done, behind its line in the audit; time, peer and actor of `entry` are filled
// in. A line that finds no place there is in the log, and the answer is given all the same: it is done.
void RespondAudited(LoopContext& context, http::ExchangePtr exchange, audit::Entry entry,
                    http::Response response);

// Whether it is a POST to a path of operators' calls, whatever was wrong with it: it would change something,
// or make the server work (try, shadow).
bool IsAdminPost(const http::Request& request);
// For such a one that the HTTP server itself has refused with this status (a body that is too large, a length
// that makes no sense): audited like one that AdminOnly refuses or lets through.
void AuditRefusedByServer(Backend& backend, const http::Request& request, int status);

// The peer's address, and X-Actor if it is there.
deploy::Actor ActorOf(const http::Request& request);

// Calls `work` on the scripts thread, and answers with what it gives. 503 when too much of its kind waits
// there.
using ScriptWork = std::function<Result<http::Response>(deploy::Deployment& deployment)>;
void RunOnScriptsThread(LoopContext& context, deploy::Deployer::Kind kind, http::ExchangePtr exchange,
                        ScriptWork work);

// The members of a small JSON body; an empty one has none.
struct AdminBody {
  Status status;  // ok, or kInvalidArgument "invalid_json", "invalid_request"
  std::vector<http::FieldError> errors;
  std::optional<bool> accept;
  std::optional<std::string> sha256;
  std::optional<std::string> to_version_sha256;
  std::optional<std::string> source;
  std::optional<std::string> name;
  std::optional<simdjson::dom::element> question;  // lives as long as the parser's document
};
// `allowed` are names of members above; another one is refused.
AdminBody ReadAdminBody(simdjson::dom::parser& parser, const http::Request& request,
                        std::span<const std::string_view> allowed);

}  // namespace stemedb::api
