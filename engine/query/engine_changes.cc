// SPDX-License-Identifier: Apache-2.0
// The part of an answer that only questions with `since` have.
#include <utility>

#include "query/changes.h"
#include "query/cursor.h"
#include "query/engine_impl.h"
#include "query/question_key.h"

namespace stemedb::query {

// One cursor goes on with both lists, each from where it is.
Status Engine::Impl::WriteChanges(JsonWriter& json, const Question& question, const Viewpoint& viewpoint,
                                  const AnswerBound& bound, std::string& out, std::string& next_cursor) {
  const ChangesBounds bounds{.listing = options.listing, .lineage_max = options.lineage_max};
  ChangesPage found;
  json.Key("changes");
  Status status = FindChanges(question, viewpoint, bounds, *reader, standing, found);
  if (status.ok()) status = AppendChanges(out, json, found, viewpoint, *reader, standing, bound);
  if (!status.ok()) return OrHandOver(std::move(status));
  if (!found.has_more && page.next_before == 0) return Status::Ok();
  next_cursor = EncodeCursor({.before_sequence = page.next_before,
                              .as_of_sequence = viewpoint.sequence_max,
                              .now_ms = viewpoint.weighing.now_ms,
                              .changes_after = found.has_more ? found.next_after : UINT64_MAX,
                              .question = FingerprintOf(question)});
  return Status::Ok();
}

}  // namespace stemedb::query
