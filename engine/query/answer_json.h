// SPDX-License-Identifier: Apache-2.0
// The parts of answers that have no rule in them: what was asked, of which moment, which lens, and lists.
#pragma once

#include <string_view>
#include <vector>

#include "base/json_writer.h"
#include "query/plan.h"
#include "query/question.h"
#include "script/lens.h"
#include "store/reader.h"

namespace stemedb::query {

// The fields concept_path and predicate.
void WriteSubject(JsonWriter& json, const Question& question, const Viewpoint& viewpoint);
// The field as_of: the moment that the answer speaks of.
void WriteAsOf(JsonWriter& json, const Viewpoint& viewpoint);
void WriteAsOf(JsonWriter& json, uint64_t sequence, int64_t now_ms);
// The lens as an object: name, version, SHA-256, and the generation in which this version went live, so that
// an answer doesn't change with scripts that it has nothing to do with.
void WriteLens(JsonWriter& json, const script::ScriptSet& scripts, int script);
// The answer of GET /v1/concepts: the first `limit` of the children, and where to go on when there are more.
void WriteConcepts(JsonWriter& json, std::string_view prefix,
                   const std::vector<store::ConceptCount>& children, size_t limit);

}  // namespace stemedb::query
