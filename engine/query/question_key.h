// SPDX-License-Identifier: Apache-2.0
// QuestionKey: what an answer depends on besides the database's records and the clock, as bytes: two
// questions with one key have, of the same records at the same time, the same answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "query/plan.h"
#include "query/question.h"
#include "script/lens.h"

namespace stemedb::query {

// Makes `key` the question's. The lens is the one that is bound, with its parameters; the viewpoint is the
// question's at a reader whose view ends at `sequence_end`. Names and times are in it as what they stood for:
// aliases as paths, `since` as a sequence. `as_of` is in it unless that is the view's end, so that questions
// about now share a key while the log goes on.
// `candidates_max` is the engine's own (EngineOptions). Not in it: `fallback`, which answers that aren't kept
// come from, and how stale the answer may be.
void MakeQuestionKey(const Question& question, const script::ScriptInfo& lens, const script::Params& params,
                     const Viewpoint& viewpoint, uint64_t sequence_end, size_t candidates_max,
                     std::string& key);

// Which question a page belongs to: of all that the client asked for, but how many it wants to see (`limit`),
// how old that may be, and where the page begins, `as_of` included: a cursor has the moment of the first
// page. The same in every process. Two questions share one by a chance of 2^-32.
uint32_t FingerprintOf(const Question& question);

}  // namespace stemedb::query
