// SPDX-License-Identifier: Apache-2.0
// Content negotiation for the one coding that the server can make (RFC 9110 §12.5.3).
#pragma once

#include <string_view>

namespace stemedb::http {

// Whether gzip is acceptable by `field` and not liked less than the plain text. "*" stands for codings not
// named. Elements that can't be read count as absent.
bool AcceptsGzip(std::string_view field);

}  // namespace stemedb::http
