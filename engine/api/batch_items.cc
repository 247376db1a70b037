// SPDX-License-Identifier: Apache-2.0
// An array is parsed whole at once, which takes a few milliseconds for the largest; lines are parsed one by
// one.
#include "api/batch_items.h"

#include <string>
#include <utility>

#include "http/message.h"

namespace stemedb::api {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

std::string_view Trim(std::string_view text) {
  const size_t start = text.find_first_not_of(kBlanks);
  if (start == std::string_view::npos) return {};
  return text.substr(start, text.find_last_not_of(kBlanks) - start + 1);
}

}  // namespace

Result<BatchItems> BatchItems::Open(model::ClaimParser& parser, std::string_view body) {
  BatchItems items(parser);
  items.readable_end_ = body.data() + body.size() + http::kBodyPadding;
  const std::string_view content = Trim(body);
  if (content.empty()) {
    return Status(Code::kInvalidArgument, "invalid_json",
                  "the body is empty; a JSON array of claims, or one claim on each line, is expected");
  }
  if (content.front() == '[') {
    auto array =
        parser.ParseArray(content, static_cast<size_t>(items.readable_end_ - content.data()), kBatchItemsMax);
    if (!array) return array.error();
    items.array_ = std::move(*array);
    return items;
  }
  const Status split = items.SplitLines(content);
  if (!split.ok()) return split;
  return items;
}

Status BatchItems::SplitLines(std::string_view content) {
  const std::string_view first = Trim(content.substr(0, content.find('\n')));
  if (first.front() == '{' && first.back() != '}') {
    lines_.push_back(content);  // one claim, printed over several lines
    return Status::Ok();
  }
  while (!content.empty()) {
    const size_t end = content.find('\n');
    const std::string_view line = Trim(content.substr(0, end));
    if (!line.empty()) lines_.push_back(line);
    if (lines_.size() > kBatchItemsMax) {
      return Status(Code::kTooLarge, "batch_too_large",
                    "a batch holds at most " + std::to_string(kBatchItemsMax) + " claims; split it");
    }
    if (end == std::string_view::npos) break;
    content.remove_prefix(end + 1);
  }
  return Status::Ok();
}

std::optional<model::ParsedClaim> BatchItems::Next() {
  if (next_ == count()) return std::nullopt;
  const size_t index = next_++;
  if (!array_.empty()) return std::move(array_[index]);
  const std::string_view line = lines_[index];
  model::ParsedClaim parsed =
      parser_->ParseClaim(line, static_cast<size_t>(readable_end_ - line.data()), model::HeaderSignature{});
  if (!parsed.status.ok() && parsed.errors.empty()) {
    parsed.status = std::move(parsed.status).Annotate("line " + std::to_string(index + 1));
  }
  const std::string prefix = "/" + std::to_string(index);
  for (model::FieldError& error : parsed.errors) error.pointer.insert(0, prefix);
  return parsed;
}

}  // namespace stemedb::api
