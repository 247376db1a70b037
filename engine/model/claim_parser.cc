// SPDX-License-Identifier: Apache-2.0
// The document is parsed once, by simdjson, whole (so that all of it is known to be valid); ClaimReader walks
// the result. Only a document that simdjson refuses is walked again, slowly, to say where it is wrong.
#include "model/claim_parser.h"

#include <simdjson.h>

#include "model/claim_reader.h"
#include "model/json_parse.h"

namespace stemedb::model {
namespace {

ParsedClaim UnreadableClaim(std::string_view json, std::string_view pointer, const JsonProblem& problem) {
  ParsedClaim parsed;
  parsed.status = Unreadable(json, pointer, problem, parsed.errors);
  return parsed;
}

Status NotAnArray() {
  return Status(Code::kInvalidArgument, "invalid_request",
                "a batch is a JSON array of claims, or one claim on each line");
}

Status BatchTooLarge(size_t items_max) {
  return Status(Code::kTooLarge, "batch_too_large",
                "a batch holds at most " + std::to_string(items_max) + " claims; split it");
}

}  // namespace

struct ClaimParser::Impl {
  // The way for an array of which some item can't be kept: each item is read by itself.
  Result<std::vector<ParsedClaim>> ParseItems(std::string_view json, size_t items_max);

  simdjson::dom::parser parser;
};

ClaimParser::ClaimParser() : impl_(std::make_unique<Impl>()) {}
ClaimParser::~ClaimParser() = default;

ParsedClaim ClaimParser::ParseClaim(std::string_view json, size_t capacity, const HeaderSignature& header) {
  simdjson::dom::element root;
  if (const auto problem = ParseJson(impl_->parser, json, capacity, root))
    return UnreadableClaim(json, "", *problem);
  return ClaimReader("").Read(root, header);
}

Result<std::vector<ParsedClaim>> ClaimParser::ParseArray(std::string_view json, size_t capacity,
                                                         size_t items_max) {
  simdjson::dom::element root;
  if (const auto problem = ParseJson(impl_->parser, json, capacity, root)) {
    return problem->readable ? impl_->ParseItems(json, items_max) : NotJson(json, *problem);
  }
  simdjson::dom::array array;
  if (root.get(array) != simdjson::SUCCESS) {
    return NotAnArray();
  }
  if (array.size() > items_max) return BatchTooLarge(items_max);
  std::vector<ParsedClaim> items;
  for (simdjson::dom::element element : array) {
    items.push_back(ClaimReader("/" + std::to_string(items.size())).Read(element, {}));
  }
  return items;
}

Result<std::vector<ParsedClaim>> ClaimParser::Impl::ParseItems(std::string_view json, size_t items_max) {
  const auto slices = SplitJsonArray(json, items_max);
  if (!slices) return NotAnArray();
  if (slices->size() > items_max) return BatchTooLarge(items_max);
  std::vector<ParsedClaim> items;
  for (std::string_view slice : *slices) {
    const std::string pointer = "/" + std::to_string(items.size());
    simdjson::dom::element root;
    const auto problem = ParseJson(parser, slice, slice.size(), root);
    items.push_back(problem ? UnreadableClaim(slice, pointer, *problem)
                            : ClaimReader(pointer).Read(root, {}));
  }
  return items;
}

}  // namespace stemedb::model
