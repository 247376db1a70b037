// SPDX-License-Identifier: Apache-2.0
// The document is parsed once, by simdjson, whole (so that all of it is known to be valid); ClaimReader walks the
// result. Only a document that simdjson refuses is walked again, slowly, to say where it is wrong.
#include "model/claim_parser.h"

#include <simdjson.h>

#include "model/claim_reader.h"
#include "model/json_scan.h"

namespace stemedb::model {
namespace {

// Buffers of a thread that once read a huge batch are given back.
constexpr size_t kBufferKeptMax = 4 * 1024 * 1024;

ParsedClaim Unreadable(std::string_view json, std::string_view pointer, simdjson::error_code error) {
  ParsedClaim parsed;
  const std::optional<JsonProblem> problem = FindJsonProblem(json);
  if (problem && problem->readable) {
    const std::string at = std::string(pointer) + problem->pointer;
    parsed.status = Status(Code::kInvalidArgument, "invalid_request", at + " " + problem->detail);
    parsed.errors.push_back({at, problem->detail});
    return parsed;
  }
  std::string message = "the body is not JSON: ";
  message += problem ? "byte " + std::to_string(problem->offset) + ": " + problem->detail : simdjson::error_message(error);
  if (json.empty()) message = "the body is empty; a JSON object is expected";
  parsed.status = Status(Code::kInvalidArgument, "invalid_json", std::move(message));
  return parsed;
}

Status BatchTooLarge(size_t items_max) {
  return Status(Code::kTooLarge, "batch_too_large",
                "a batch holds at most " + std::to_string(items_max) + " claims; split it");
}

}  // namespace

struct ClaimParser::Impl {
  simdjson::error_code Parse(std::string_view json, size_t capacity, simdjson::dom::element& root) {
    if (parser.capacity() > kBufferKeptMax && json.size() <= kBufferKeptMax) parser = simdjson::dom::parser();
    const bool is_padded = capacity >= json.size() + simdjson::SIMDJSON_PADDING;
    return parser.parse(json.data(), json.size(), !is_padded).get(root);
  }

  // The way for an array of which some item can't be kept: each item is read by itself.
  Result<std::vector<ParsedClaim>> ParseItems(std::string_view json, size_t items_max);

  simdjson::dom::parser parser;
};

ClaimParser::ClaimParser() : impl_(std::make_unique<Impl>()) {}
ClaimParser::~ClaimParser() = default;

ParsedClaim ClaimParser::ParseClaim(std::string_view json, size_t capacity, const HeaderSignature& header) {
  simdjson::dom::element root;
  const auto error = impl_->Parse(json, capacity, root);
  if (error != simdjson::SUCCESS) return Unreadable(json, "", error);
  return ClaimReader("").Read(root, header);
}

Result<std::vector<ParsedClaim>> ClaimParser::ParseArray(std::string_view json, size_t capacity, size_t items_max) {
  simdjson::dom::element root;
  const auto error = impl_->Parse(json, capacity, root);
  if (error != simdjson::SUCCESS) return impl_->ParseItems(json, items_max);
  simdjson::dom::array array;
  if (root.get(array) != simdjson::SUCCESS) {
    return Status(Code::kInvalidArgument, "invalid_request", "a batch is a JSON array of claims, or one claim on each line");
  }
  std::vector<ParsedClaim> items;
  for (simdjson::dom::element element : array) {
    if (items.size() == items_max) return BatchTooLarge(items_max);
    items.push_back(ClaimReader("/" + std::to_string(items.size())).Read(element, {}));
  }
  return items;
}

Result<std::vector<ParsedClaim>> ClaimParser::Impl::ParseItems(std::string_view json, size_t items_max) {
  const auto slices = SplitJsonArray(json, items_max);
  if (!slices) return Unreadable(json, "", simdjson::TAPE_ERROR).status;
  if (slices->size() > items_max) return BatchTooLarge(items_max);
  std::vector<ParsedClaim> items;
  for (std::string_view slice : *slices) {
    const std::string pointer = "/" + std::to_string(items.size());
    simdjson::dom::element root;
    const auto error = Parse(slice, slice.size(), root);
    items.push_back(error != simdjson::SUCCESS ? Unreadable(slice, pointer, error) : ClaimReader(pointer).Read(root, {}));
  }
  return items;
}

}  // namespace stemedb::model
