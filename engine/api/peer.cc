// SPDX-License-Identifier: Apache-2.0
#include "api/peer.h"

#include <arpa/inet.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "api/sender.h"

namespace stemedb::api {
namespace {

// "good.example" of "Good.example:8443", "[::1]" of "[::1]:80".
std::string HostOf(std::string_view authority) {
  const size_t from = authority.starts_with('[') ? authority.find(']') : 0;
  if (from == std::string_view::npos) return {};
  std::string host(authority.substr(0, authority.find(':', from)));
  std::transform(host.begin(), host.end(), host.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  return host;
}

// Of a target in absolute form, "http://good.example:80/v1/health"; empty when it has none (RFC 9112 §3.2).
std::string_view AuthorityOf(std::string_view target) {
  const size_t scheme_end = target.find("://");
  if (target.starts_with('/') || scheme_end == std::string_view::npos) return {};
  const std::string_view rest = target.substr(scheme_end + 3);
  return rest.substr(0, rest.find_first_of("/?"));
}

bool IsLoopbackName(const std::string& host) {
  in_addr address{};
  const bool is_net_127 = host.starts_with("127.") && inet_pton(AF_INET, host.c_str(), &address) == 1;
  return is_net_127 || host == "[::1]" || host == "localhost";
}

bool IsOurs(const Backend& backend, const std::string& host) {
  if (IsLoopbackName(host)) return true;
  const auto& allowed = backend.allowed_origins;
  return std::any_of(allowed.begin(), allowed.end(), [&](std::string_view origin) {
    const size_t scheme = origin.find("://");
    return scheme != std::string_view::npos && !host.empty() && HostOf(origin.substr(scheme + 3)) == host;
  });
}

}  // namespace

bool CameThroughProxy(const http::Request& request) {
  return std::any_of(request.headers.begin(), request.headers.end(),
                     [](const http::Header& header) { return IsProxyField(header.name); });
}

bool CameFromForeignPage(const Backend& backend, const http::Request& request) {
  if (!request.has_header("origin")) return false;
  const auto& allowed = backend.allowed_origins;
  return std::find(allowed.begin(), allowed.end(), request.header("origin")) == allowed.end();
}

bool CameFromAnotherSite(const Backend& backend, const http::Request& request) {
  if (!request.has_header("sec-fetch-site")) return false;
  const std::string_view site = request.header("sec-fetch-site");
  if (site == "none" || site == "same-origin") return false;
  return !request.has_header("origin") || CameFromForeignPage(backend, request);
}

bool IsHostOfOurs(const Backend& backend, const http::Request& request) {
  const std::string_view authority = AuthorityOf(request.target);
  return IsOurs(backend, HostOf(request.header("host"))) &&
         (authority.empty() || IsOurs(backend, HostOf(authority)));
}

Status AdminFault(const Backend& backend, const http::Request& request) {
  if (!request.peer_is_loopback || CameThroughProxy(request)) {
    return Status(Code::kPermissionDenied, "forbidden",
                  "operators' calls are taken from the server's own machine only, and not through a proxy");
  }
  if (CameFromForeignPage(backend, request)) {
    return Status(Code::kPermissionDenied, "forbidden",
                  "operators' calls are not taken from web pages of this origin; name the origin in "
                  "STEMEDB_ALLOWED_ORIGINS");
  }
  if (CameFromAnotherSite(backend, request)) {
    return Status(
        Code::kPermissionDenied, "forbidden",
        "operators' calls are not taken from pages of another site (Sec-Fetch-Site); name the page's "
        "origin in STEMEDB_ALLOWED_ORIGINS");
  }
  if (!IsHostOfOurs(backend, request)) {
    return Status(
        Code::kPermissionDenied, "forbidden",
        "operators' calls must be addressed to this machine: Host must be localhost, an address of "
        "127.0.0.0/8, [::1], or the host of an origin in STEMEDB_ALLOWED_ORIGINS; and so must the host "
        "of a target that names one");
  }
  return Status::Ok();
}

}  // namespace stemedb::api
