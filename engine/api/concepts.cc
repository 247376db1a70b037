// SPDX-License-Identifier: Apache-2.0
// GET /v1/concepts?prefix=&cursor=&limit=: the children of a concept path, with how many claims stand there
// and below. POST /v1/concepts/alias: a path that stands for another.
#include <charconv>

#include "api/operations.h"
#include "api/routes.h"
#include "model/text_rules.h"
#include "query/question.h"

namespace stemedb::api {
namespace {

struct Listing {
  std::string prefix;
  std::string after;
  size_t limit = query::kLimitDefault;
};

// Empty, or what is wrong.
std::string SetPrefix(Listing& listing, std::string value) {
  const bool is_scheme = value.ends_with("://");
  if (!is_scheme && value.ends_with('/')) value.pop_back();
  listing.prefix = std::move(value);
  // Whether something can stand below it.
  return listing.prefix.empty() ? "" : model::ConceptPathFault(listing.prefix + (is_scheme ? "x" : "/x"));
}

std::string SetLimit(Listing& listing, std::string_view value) {
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), listing.limit);
  const bool is_whole = error == std::errc() && end == value.data() + value.size();
  if (is_whole && listing.limit >= 1 && listing.limit <= query::kLimitMax) return "";
  return "must be a whole number from 1 to " + std::to_string(query::kLimitMax);
}

std::string SetField(Listing& listing, std::string_view name, std::string value) {
  if (name == "prefix") return SetPrefix(listing, std::move(value));
  if (name == "limit") return SetLimit(listing, value);
  if (name != "cursor") return "unknown parameter; allowed are prefix, cursor, limit";
  listing.after = std::move(value);
  return listing.after.empty() ? "" : model::NameFault(listing.after, model::kConceptPathBytesMax);
}

http::Response Concepts(LoopContext& context, const http::Request& request) {
  auto params = http::ParseQuery(request.query);
  if (!params) return context.Refusal(request, params.error());
  Listing listing;
  for (auto& [name, value] : *params) {
    const std::string fault = SetField(listing, name, std::move(value));
    if (fault.empty()) continue;
    const http::FieldError error{name, fault};
    return context.Refusal(
        request,
        Status(Code::kInvalidArgument, "invalid_request", std::string(name).append(" ").append(fault)),
        {&error, 1});
  }
  http::Response response;
  const Status listed =
      context.engine().Concepts(listing.prefix, listing.after, listing.limit, response.body);
  return listed.ok() ? std::move(response) : context.Refusal(request, listed);
}

}  // namespace

void AddConceptsRoutes(http::Router& router, LoopContext& context) {
  AddOperationRoute(router, context, "/v1/concepts/alias", model::OperationKind::kAlias);
  router.Add({.path = "/v1/concepts",
              .methods = {http::Method::kGet},
              .handler =
                  [&context](http::ExchangePtr exchange) {
                    exchange->Respond(Concepts(context, exchange->request()));
                  },
              .param_names = {}});
}

}  // namespace stemedb::api
