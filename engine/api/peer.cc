// SPDX-License-Identifier: Apache-2.0
#include "api/peer.h"

#include <algorithm>

namespace stemedb::api {

bool CameThroughProxy(const http::Request& request) {
  return request.has_header("forwarded") || request.has_header("x-forwarded-for");
}

bool CameFromForeignPage(const Backend& backend, const http::Request& request) {
  if (!request.has_header("origin")) return false;
  const auto& allowed = backend.allowed_origins;
  return std::find(allowed.begin(), allowed.end(), request.header("origin")) == allowed.end();
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
  return Status::Ok();
}

}  // namespace stemedb::api
