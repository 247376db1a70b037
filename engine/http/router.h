// SPDX-License-Identifier: Apache-2.0
// Router: from method and path to a Route. Templates are paths whose segments are text or a whole "{name}":
// "/v1/items/{id}/reload". Text wins over a name at the same place. Paths match exactly: no trailing slash,
// no "//".
//
// Filled once before the server runs, then only read; each loop has a router of its own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/exchange.h"
#include "http/message.h"

namespace stemedb::http {

using Handler = std::function<void(ExchangePtr)>;

struct Route {
  std::string path;                      // the template; also the route's name in metrics and logs
  std::vector<Method> methods;           // kGet serves HEAD as well; kOptions belongs to the server
  Handler handler;                       // on the loop's thread; answers now or later
  size_t max_body_bytes = 0;             // 0 means the server's default
  std::vector<std::string> param_names;  // filled in by Router::Add
};

class Router {
 public:
  enum class Outcome { kFound, kUnknownPath, kOtherMethod, kBadEscape };

  // CHECKs that the template is well-formed and that no other route has its path and one of its methods.
  void Add(Route route);

  // Finds the route and fills request.route and request.params; decoded text goes to `scratch`, which must
  // live as long as the request. With kOtherMethod, request.route is another route of the path, for its name
  // alone, and Allow(request.path) names the methods that would do.
  Outcome Match(Request& request, std::string& scratch) const;
  // "GET, HEAD, OPTIONS, POST"; empty for an unknown path. For "*": every method of every route.
  std::string Allow(std::string_view path) const;

  // In the order of Add; for documents and tests that list what is served.
  const std::deque<Route>& routes() const { return routes_; }

 private:
  struct Node {
    std::vector<std::pair<std::string, std::unique_ptr<Node>>> children;  // sorted by text
    std::unique_ptr<Node> param;
    std::array<const Route*, kMethodCount> routes{};
    const Route* any = nullptr;  // the first that was added here
  };
  struct Segments;

  static const Node* Descend(const Node& node, const Segments& segments, size_t at, Request& request,
                             size_t param);
  const Node* Find(std::string_view path, Request& request, std::string& scratch, bool& bad_escape) const;
  static Node& Child(Node& node, std::string_view text);

  std::deque<Route> routes_;  // stable addresses
  Node root_;
};

}  // namespace stemedb::http
