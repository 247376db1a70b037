// SPDX-License-Identifier: Apache-2.0
// GET /v1/audit/queries and /v1/audit/query/{id}: who asked what, and what the answers rested on. For
// operators. They read files, so not on the loop.
#include <charconv>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "api/admin.h"
#include "api/audit_replay.h"
#include "api/routes.h"
#include "api/slow_lane.h"
#include "audit/query_trail.h"
#include "base/time.h"
#include "http/loop.h"
#include "model/assertion.h"

namespace stemedb::api {
namespace {

constexpr size_t kLimitMax = 1000;
constexpr size_t kAgentBytesMax = audit::kTextBytesMax;
constexpr size_t kLensBytesMax = 128;
constexpr size_t kPathBytesMax = model::kConceptPathBytesMax + 2;  // with /*
constexpr std::string_view kAllowed = "agent_id, lens, concept_path, contributed, from, to, limit, cursor";

template <typename Number>
bool ReadWhole(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

std::string TakeText(const std::string& value, size_t bytes_max, std::optional<std::string>& out) {
  if (value.empty() || value.size() > bytes_max)
    return "must be a text of 1 to " + std::to_string(bytes_max) + " bytes";
  out = value;
  return "";
}

// RFC 3339, or milliseconds since 1970.
std::string TakeTime(const std::string& value, std::optional<int64_t>& out) {
  int64_t time_ms = 0;
  if (ReadWhole(value, time_ms) && time_ms >= kTimeMin && time_ms <= kTimeMax) {
    out = time_ms;
  } else {
    out = ParseTime(value);
  }
  return out ? "" : "must be an RFC 3339 time such as 2026-02-11T10:00:00.000Z, or milliseconds since 1970";
}

struct ReadPage {
  Status status;
  std::vector<http::FieldError> errors;
  audit::TrailPage page;
};

// Empty, or what is wrong.
std::string SetField(audit::TrailPage& page, std::string_view name, const std::string& value) {
  if (name == "agent_id") return TakeText(value, kAgentBytesMax, page.filter.agent);
  if (name == "lens") return TakeText(value, kLensBytesMax, page.filter.lens);
  if (name == "concept_path") return TakeText(value, kPathBytesMax, page.filter.concept_path);
  if (name == "from") return TakeTime(value, page.filter.from_ms);
  if (name == "to") return TakeTime(value, page.filter.to_ms);
  uint64_t number = 0;
  const bool is_whole = ReadWhole(value, number);
  if (name == "contributed") {
    page.filter.claim = number;
    return is_whole ? "" : "must be the sequence of an assertion";
  }
  if (name == "limit") {
    page.limit = number;
    return is_whole && number >= 1 && number <= kLimitMax
               ? ""
               : "must be a whole number from 1 to " + std::to_string(kLimitMax);
  }
  if (name != "cursor") return "unknown parameter; allowed are " + std::string(kAllowed);
  page.before = number;
  return is_whole && number > 0 ? "" : "must be the next_cursor of an earlier page";
}

ReadPage PageOf(std::string_view query) {
  ReadPage read;
  auto params = http::ParseQuery(query);
  if (!params) {
    read.status = params.error();
    return read;
  }
  for (size_t i = 0; i < params->size(); ++i) {
    const auto& [name, value] = (*params)[i];
    std::string fault = SetField(read.page, name, value);
    for (size_t other = 0; other < i; ++other)
      if ((*params)[other].first == name) fault = "is given twice";
    if (!fault.empty()) read.errors.push_back({name, std::move(fault)});
  }
  const audit::TrailFilter& filter = read.page.filter;
  if (read.errors.empty() && filter.from_ms && filter.to_ms && *filter.from_ms >= *filter.to_ms)
    read.errors.push_back({"from", "must be before to"});
  if (!read.errors.empty()) {
    const http::FieldError& first = read.errors.front();
    read.status = Status(Code::kInvalidArgument, "invalid_request", first.pointer + " " + first.detail);
  }
  return read;
}

Status OffFault() {
  return Status(Code::kConflict, "audit_off", "the trail of queries is off: STEMEDB_AUDIT_QUERIES is false");
}

// Answers with what `read` writes, which waits for the disk.
using Read = std::function<Status(std::string& out)>;
void AnswerBeside(LoopContext& context, http::ExchangePtr exchange, Read read) {
  const auto finish = [&context](http::Exchange& answered, const Status& status, std::string&& body) {
    if (!status.ok()) return answered.Respond(context.Refusal(answered.request(), status));
    http::Response response;
    response.body = std::move(body);
    answered.Respond(std::move(response));
  };
  std::string body;
  if (context.backend().slow_lane == nullptr) {
    const Status status = read(body);
    return finish(*exchange, status, std::move(body));
  }
  auto work = [exchange, finish, read = std::move(read)](query::Engine* engine, const Status& ready) {
    std::string out;
    Status status = engine != nullptr ? read(out) : ready;
    exchange->loop().Post([exchange, finish, status = std::move(status), out = std::move(out)]() mutable {
      finish(*exchange, status, std::move(out));
    });
  };
  const Status posted = context.backend().slow_lane->Post("audit/queries", exchange, std::move(work));
  if (!posted.ok()) finish(*exchange, posted, {});
}

void ListQueries(LoopContext& context, http::ExchangePtr exchange) {
  const http::Request& request = exchange->request();
  ReadPage read = PageOf(request.query);
  if (read.status.ok() && context.backend().trail == nullptr) read.status = OffFault();
  if (!read.status.ok()) return exchange->Respond(context.Refusal(request, read.status, read.errors));
  AnswerBeside(context, std::move(exchange),
               [trail = context.backend().trail, page = std::move(read.page)](std::string& out) {
                 trail->AppendPage(out, page);
                 return Status::Ok();
               });
}

struct Wanted {
  Status status;
  std::vector<http::FieldError> errors;
  uint64_t id = 0;
  bool replay = false;
};

Wanted WantedOf(const http::Request& request) {
  Wanted wanted;
  const auto complain = [&](std::string name, std::string detail) {
    wanted.status = Status(Code::kInvalidArgument, "invalid_request", name + " " + detail);
    wanted.errors = {{std::move(name), std::move(detail)}};
  };
  const auto params = http::ParseQuery(request.query);
  if (!params) {
    wanted.status = params.error();
    return wanted;
  }
  if (!ReadWhole(request.param("id"), wanted.id) || wanted.id == 0)
    complain("id", "must be the id of a query: a whole number from 1");
  bool is_given = false;
  for (const auto& [name, value] : *params) {
    if (name != "replay") {
      complain(name, "unknown parameter; allowed is replay");
    } else if (std::exchange(is_given, true)) {
      complain(name, "is given twice");
    } else if (value != "true" && value != "false") {
      complain(name, "must be true or false");
    } else {
      wanted.replay = value == "true";
    }
  }
  return wanted;
}

// The entry, and what asking it again came to when there is a deployment to ask.
Status AppendOne(audit::QueryTrail& trail, uint64_t id, const deploy::Deployment* replayed,
                 std::string& out) {
  auto stored = trail.Read(id);
  if (!stored) return stored.error();
  JsonWriter json(out);
  json.BeginObject();
  audit::WriteEntry(json, id, stored->entry);
  if (replayed != nullptr) {
    json.Key("replay");
    WriteReplay(json, stored->entry, *replayed);
  }
  json.EndObject();
  return Status::Ok();
}

void ShowQuery(LoopContext& context, http::ExchangePtr exchange) {
  const http::Request& request = exchange->request();
  Wanted wanted = WantedOf(request);
  if (wanted.status.ok() && context.backend().trail == nullptr) wanted.status = OffFault();
  if (!wanted.status.ok()) return exchange->Respond(context.Refusal(request, wanted.status, wanted.errors));
  audit::QueryTrail& trail = *context.backend().trail;
  const uint64_t id = wanted.id;
  if (!wanted.replay) {
    return AnswerBeside(context, std::move(exchange),
                        [&trail, id](std::string& out) { return AppendOne(trail, id, nullptr, out); });
  }
  RunOnScriptsThread(context, deploy::Deployer::Kind::kInquiry, std::move(exchange),
                     [&trail, id](deploy::Deployment& deployment) -> Result<http::Response> {
                       http::Response response;
                       const Status shown = AppendOne(trail, id, &deployment, response.body);
                       if (!shown.ok()) return shown;
                       return response;
                     });
}

}  // namespace

void AddAuditQueriesRoutes(http::Router& router, LoopContext& context) {
  const auto add = [&](const char* path, void (*handle)(LoopContext&, http::ExchangePtr)) {
    router.Add({.path = path,
                .methods = {http::Method::kGet},
                .handler = AdminOnly(
                    context,
                    [&context, handle](http::ExchangePtr exchange) { handle(context, std::move(exchange)); }),
                .param_names = {}});
  };
  add("/v1/audit/queries", ListQueries);
  add("/v1/audit/query/{id}", ShowQuery);
}

}  // namespace stemedb::api
