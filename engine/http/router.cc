// SPDX-License-Identifier: Apache-2.0
// A tree of path segments. A request's path is cut into segments first and each is decoded by itself, so that
// an encoded slash (%2F) stays inside its segment.
#include "http/router.h"

#include <algorithm>

#include "base/check.h"

namespace stemedb::http {
namespace {

constexpr size_t kMaxSegments = 16;  // longer paths are unknown

bool IsParam(std::string_view segment) {
  return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

// Cuts "/a/b" into "a", "b"; false when there are too many segments.
bool Split(std::string_view path, std::array<std::string_view, kMaxSegments>& out, size_t& count) {
  count = 0;
  path.remove_prefix(1);
  for (;;) {
    if (count == kMaxSegments) return false;
    size_t slash = path.find('/');
    out[count++] = path.substr(0, slash);
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

}  // namespace

struct Router::Segments {
  std::array<std::string_view, kMaxSegments> text;
  size_t count = 0;

  // Decodes where there is an escape; views then point into `scratch`, which was given room for all
  // beforehand.
  bool Decode(size_t path_bytes, std::string& scratch) {
    std::string decoded;
    scratch.clear();
    scratch.reserve(path_bytes);
    for (size_t i = 0; i < count; ++i) {
      if (text[i].find('%') == std::string_view::npos) continue;
      if (!PercentDecode(text[i], decoded)) return false;
      size_t start = scratch.size();
      scratch += decoded;
      text[i] = std::string_view(scratch).substr(start);
    }
    return true;
  }
};

Router::Node& Router::Child(Node& node, std::string_view text) {
  if (IsParam(text)) {
    if (!node.param) node.param = std::make_unique<Node>();
    return *node.param;
  }
  auto at = std::lower_bound(node.children.begin(), node.children.end(), text,
                             [](const auto& child, std::string_view wanted) { return child.first < wanted; });
  if (at == node.children.end() || at->first != text) {
    at = node.children.insert(at, {std::string(text), std::make_unique<Node>()});
  }
  return *at->second;
}

void Router::Add(Route route) {
  STEMEDB_CHECK(!route.path.empty() && route.path.front() == '/');
  STEMEDB_CHECK(!route.methods.empty() && route.handler);
  Route& kept = routes_.emplace_back(std::move(route));
  Segments segments;
  STEMEDB_CHECK(Split(kept.path, segments.text, segments.count));
  Node* node = &root_;
  kept.param_names.clear();
  for (size_t i = 0; i < segments.count; ++i) {
    std::string_view text = segments.text[i];
    node = &Child(*node, text);
    if (IsParam(text)) kept.param_names.emplace_back(text.substr(1, text.size() - 2));
  }
  STEMEDB_CHECK(kept.param_names.size() <= kMaxPathParams);
  if (node->any == nullptr) node->any = &kept;
  for (Method method : kept.methods) {
    STEMEDB_CHECK(method != Method::kOptions && method != Method::kHead);
    const Route*& slot = node->routes[static_cast<size_t>(method)];
    STEMEDB_CHECK(slot == nullptr);
    slot = &kept;
    if (method == Method::kGet) node->routes[static_cast<size_t>(Method::kHead)] = &kept;
  }
}

const Router::Node* Router::Descend(const Node& node, const Segments& segments, size_t at, Request& request,
                                    size_t param) {
  if (at == segments.count) return node.any != nullptr ? &node : nullptr;
  std::string_view text = segments.text[at];
  auto child = std::lower_bound(node.children.begin(), node.children.end(), text,
                                [](const auto& c, std::string_view wanted) { return c.first < wanted; });
  if (child != node.children.end() && child->first == text) {
    const Node* found = Descend(*child->second, segments, at + 1, request, param);
    if (found != nullptr) return found;
  }
  if (!node.param || text.empty()) return nullptr;
  // Add has made sure that no template has more names than there are places.
  request.params[param] = text;
  return Descend(*node.param, segments, at + 1, request, param + 1);
}

const Router::Node* Router::Find(std::string_view path, Request& request, std::string& scratch,
                                 bool& bad_escape) const {
  bad_escape = false;
  Segments segments;
  if (path.empty() || path.front() != '/' || !Split(path, segments.text, segments.count)) return nullptr;
  if (path.find('%') != std::string_view::npos && !segments.Decode(path.size(), scratch)) {
    bad_escape = true;
    return nullptr;
  }
  return Descend(root_, segments, 0, request, 0);
}

Router::Outcome Router::Match(Request& request, std::string& scratch) const {
  request.route = nullptr;
  bool bad_escape = false;
  const Node* node = Find(request.path, request, scratch, bad_escape);
  if (bad_escape) return Outcome::kBadEscape;
  if (node == nullptr) return Outcome::kUnknownPath;
  request.route = node->routes[static_cast<size_t>(request.method)];
  if (request.route != nullptr) return Outcome::kFound;
  request.route = node->any;
  return Outcome::kOtherMethod;
}

std::string Router::Allow(std::string_view path) const {
  std::array<bool, kMethodCount> allowed{};
  auto add = [&](Method method) { allowed[static_cast<size_t>(method)] = true; };
  if (path == "*") {
    for (const Route& route : routes_) {
      for (Method method : route.methods) add(method);
    }
    if (allowed[static_cast<size_t>(Method::kGet)]) add(Method::kHead);
  } else {
    Request ignored;
    std::string scratch;
    bool bad_escape = false;
    const Node* node = Find(path, ignored, scratch, bad_escape);
    if (node == nullptr) return {};
    for (size_t i = 0; i < kMethodCount; ++i) allowed[i] = node->routes[i] != nullptr;
  }
  add(Method::kOptions);
  std::string list;
  for (size_t i = 0; i < kMethodCount; ++i) {
    if (allowed[i]) list.append(list.empty() ? "" : ", ").append(MethodName(static_cast<Method>(i)));
  }
  return list;
}

}  // namespace stemedb::http
