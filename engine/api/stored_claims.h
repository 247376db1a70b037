// SPDX-License-Identifier: Apache-2.0
// What a client is told of claims that were just stored.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/loop_context.h"
#include "base/bytes.h"
#include "store/store.h"

namespace stemedb::api {

// Appends for each item the status that its claim has now: a claim may be retracted when it comes, and a
// repeat may be anything. An empty one where that can't be told in passing. Worth its price, some
// microseconds for each, only if there are operations (store::CommitResult::has_operations).
void AppendStatusesNow(LoopContext& context, std::span<const store::ItemResult> items,
                       std::vector<std::string_view>& statuses);

// Appends `"id":…,"hash":…,"status":…,"sequence":…,"recorded_at":…` of one stored claim as an object, and
// `"status_now"` when the claim isn't active; `index` is its place in a batch.
void AppendStored(std::string& out, std::optional<size_t> index, const Hash256& id,
                  const store::ItemResult& item, std::string_view status_now);

}  // namespace stemedb::api
