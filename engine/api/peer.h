// SPDX-License-Identifier: Apache-2.0
// Where a request came from, as far as its sender can't choose: what unsigned claims and operators' calls are
// judged by.
#pragma once

#include "api/backend.h"
#include "base/status.h"
#include "http/message.h"

namespace stemedb::api {

// Somebody between us and who asked, as IsProxyField (sender.h) knows them: then "from this machine" says
// nothing about who asked.
bool CameThroughProxy(const http::Request& request);

// Browsers let any page post to this machine and name the page's origin: without this check a web page could
// write. True for an origin that STEMEDB_ALLOWED_ORIGINS doesn't name.
bool CameFromForeignPage(const Backend& backend, const http::Request& request);

// Browsers say of every request what sent it, also of those without Origin (an image, a link, a form's GET).
// True unless it was a page of this server or the browser's user (same-origin, none), or a page of an allowed
// origin, which then names itself in Origin. Programs that are no browsers don't send Sec-Fetch-Site.
bool CameFromAnotherSite(const Backend& backend, const http::Request& request);

// Whether Host, and the authority of a target in absolute form, name this machine (an address of 127.0.0.0/8,
// [::1], localhost) or the host of an allowed origin, with any port. A web page whose own name was made to
// resolve to this machine (DNS rebinding) reads from here as from its own origin and sends no Origin; but
// Host is the page's name.
bool IsHostOfOurs(const Backend& backend, const http::Request& request);

// Why an operator's call (/v1/admin/*) must be refused; ok when it may be made. kPermissionDenied
// "forbidden".
Status AdminFault(const Backend& backend, const http::Request& request);

}  // namespace stemedb::api
