// SPDX-License-Identifier: Apache-2.0
// As in claim_parser.cc: simdjson parses the document whole, OperationReader walks the result.
#include "model/operation_parser.h"

#include <simdjson.h>

#include "base/check.h"
#include "model/field_reader.h"
#include "model/json_parse.h"
#include "model/operation_reader.h"

namespace stemedb::model {

struct OperationParser::Impl {
  simdjson::dom::parser parser;
};

OperationParser::OperationParser() : impl_(std::make_unique<Impl>()) {}
OperationParser::~OperationParser() = default;

ParsedOperation OperationParser::Parse(OperationKind kind, std::string_view json, size_t capacity,
                                       const HeaderSignature& header, std::string_view url_id) {
  STEMEDB_CHECK(url_id.empty() || kind == OperationKind::kSourceStatus || kind == OperationKind::kTrust);
  simdjson::dom::element root;
  const auto problem = ParseJson(impl_->parser, json, capacity, root);
  if (!problem) return OperationReader(kind, url_id).Read(root, header);
  ParsedOperation parsed;
  parsed.operation.kind = kind;
  parsed.status = Unreadable(json, "", *problem, parsed.errors);
  return parsed;
}

}  // namespace stemedb::model
