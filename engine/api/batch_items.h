// SPDX-License-Identifier: Apache-2.0
// BatchItems: the claims of a batch, one after the other. A body that begins with '[' is a JSON array, one
// that begins with '{' is NDJSON (a claim on each line), or a single claim when its first line isn't whole by
// itself.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/claim_parser.h"

namespace stemedb::api {

inline constexpr size_t kBatchItemsMax = 10'000;

class BatchItems {
 public:
  // `body` is followed by http::kBodyPadding readable bytes and outlives the items, as does `parser`.
  // kInvalidArgument "invalid_json" or "invalid_request", kTooLarge "batch_too_large".
  static Result<BatchItems> Open(model::ClaimParser& parser, std::string_view body);

  // The next claim, with pointers that begin with its index; nothing at the end.
  std::optional<model::ParsedClaim> Next();
  size_t count() const { return array_.size() + lines_.size(); }

 private:
  explicit BatchItems(model::ClaimParser& parser) : parser_(&parser) {}
  Status SplitLines(std::string_view body);

  model::ClaimParser* parser_;
  const char* readable_end_ = nullptr;
  std::vector<model::ParsedClaim> array_;
  std::vector<std::string_view> lines_;
  size_t next_ = 0;
};

}  // namespace stemedb::api
