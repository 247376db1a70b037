// SPDX-License-Identifier: Apache-2.0
// GET /v1/admin/audit: who did what to the server, newest first. It reads a file, so not on the loop.
#include <charconv>

#include "api/admin.h"
#include "api/routes.h"
#include "audit/journal.h"

namespace stemedb::api {
namespace {

constexpr size_t kLimitDefault = 100;
constexpr size_t kLimitMax = 1000;

struct Page {
  size_t limit = kLimitDefault;
  std::optional<uint64_t> before;
};

bool IsWhole(std::string_view text, uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

Result<Page> PageOf(std::string_view query) {
  auto params = http::ParseQuery(query);
  if (!params) return params.error();
  Page page;
  for (const auto& [name, value] : *params) {
    uint64_t number = 0;
    const bool is_whole = IsWhole(value, number);
    if (name == "limit" && is_whole && number >= 1 && number <= kLimitMax) {
      page.limit = number;
    } else if (name == "cursor" && is_whole) {
      page.before = number;
    } else {
      return Status(Code::kInvalidArgument, "invalid_request",
                    name == "limit"    ? "limit must be a whole number from 1 to " + std::to_string(kLimitMax)
                    : name == "cursor" ? std::string("cursor is no cursor of this server")
                                       : name + " unknown parameter; allowed are limit, cursor");
    }
  }
  return page;
}

void Audit(LoopContext& context, http::ExchangePtr exchange) {
  const auto page = PageOf(exchange->request().query);
  if (!page) return exchange->Respond(context.Refusal(exchange->request(), page.error()));
  audit::Journal* journal = context.backend().journal;
  RunOnScriptsThread(context, deploy::Deployer::Kind::kInquiry, std::move(exchange),
                     [journal, page = *page](deploy::Deployment&) -> Result<http::Response> {
                       http::Response response;
                       const Status listed = journal->List(page.limit, page.before, response.body);
                       if (!listed.ok()) return listed;
                       return response;
                     });
}

}  // namespace

void AddAdminAuditRoutes(http::Router& router, LoopContext& context) {
  router.Add({.path = "/v1/admin/audit",
              .methods = {http::Method::kGet},
              .handler = AdminOnly(
                  context, [&context](http::ExchangePtr exchange) { Audit(context, std::move(exchange)); }),
              .param_names = {}});
}

}  // namespace stemedb::api
