// SPDX-License-Identifier: Apache-2.0
// Reads operations from JSON and enforces every limit. The body of each kind, as in docs/http-api.md:
//   vote           {assertion_id, weight, …}
//   supersession   {target, replacement, reason?, …}
//   retraction     {assertion_id | concept_path (with /* at its end: all below it) | source_id, reason?,
//                  cascade? (false counts as absent), …}; the request's `dry_run` is no part of it
//   epoch          {name, supersedes?, supersession_type? ("replaces", "corrects", "expires"), …}
//   source         {id, class?, title?, url?, hash?, content?, …}
//   source_status  {id, status, reason?, …}; the request's `dry_run` is no part of it
//   alias          {alias, concept_path, …}: the first stands for the second
//   trust          {agent, trust (or `rank`, which is the same), reason?, …}
// and of all: agent_id, timestamp, and a signature in the three places where a claim's may stand.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/claim_parser.h"
#include "model/operation.h"

namespace stemedb::model {

struct ParsedOperation {
  Status status;                   // ok, or why `operation` must not be used
  std::vector<FieldError> errors;  // every wrong field, when the document could be read at all
  Operation operation;
  // Of a retraction or source status: what it would do, without doing it. Carries no signature, but may name
  // the agent that would sign.
  bool dry_run = false;
};

// One for each thread; keeps its buffers between calls. Statuses are those of ClaimParser.
class OperationParser {
 public:
  OperationParser();
  ~OperationParser();
  OperationParser(const OperationParser&) = delete;
  OperationParser& operator=(const OperationParser&) = delete;

  // `json` need not be padded; it is not kept. Reading in place is faster when `capacity` (bytes readable
  // from json.data()) is at least json.size() + 64. `url_id` stands in the URL, of a source_status the source
  // and of a trust the agent: the body may leave `id` or `agent` out, or must repeat it.
  ParsedOperation Parse(OperationKind kind, std::string_view json, size_t capacity,
                        const HeaderSignature& header, std::string_view url_id = {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stemedb::model
