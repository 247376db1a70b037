// SPDX-License-Identifier: Apache-2.0
// How a question gets its answer: on the loop that got it when its turn comes, and, if it takes long, in the
// slow lane.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/loop_context.h"
#include "http/exchange.h"
#include "query/question.h"

namespace stemedb::api {

struct Asking {
  query::Question question;
  std::vector<std::string> lenses;  // to be compared; none: the question's own lens answers
  std::string_view endpoint;        // what it counts as; a literal
};

// Answers the exchange at once: a question that is short.
void AnswerNow(LoopContext& context, const http::ExchangePtr& exchange, const Asking& asking);
// Answers it in turn.
void AnswerInTurn(LoopContext& context, http::ExchangePtr exchange, std::shared_ptr<const Asking> asking);

}  // namespace stemedb::api
