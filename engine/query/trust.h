// SPDX-License-Identifier: Apache-2.0
// Trust: the rank that an agent has, from 0 to 1: what the latest statement about it says, kTrustAtStart when
// there is none. As JSON, of the reader's view.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "model/assertion.h"
#include "store/reader.h"

namespace stemedb::query {

// Agents of whom there is a statement, in the order of their keys, after `after` (32 bytes; empty: from the
// first): the rank that each has, since when, and who said so.
Status AppendTrusts(std::string& out, std::string_view after, size_t limit, store::Reader& reader);

// One agent's rank, the statement that it follows from, and all statements below the sequence `before`, the
// newest first.
Status AppendTrust(std::string& out, const model::AgentId& agent, uint64_t before, size_t limit,
                   store::Reader& reader);

}  // namespace stemedb::query
