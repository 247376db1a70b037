// SPDX-License-Identifier: Apache-2.0
// Answers that are no questions to a lens: a claim, a trace, the feed, the sources. What turns out to need
// more than a loop may spend, in time or since a claim rests on very many others, is looked up again in the
// slow lane.
#pragma once

#include <functional>
#include <string>

#include "api/loop_context.h"
#include "http/exchange.h"
#include "query/engine.h"

namespace stemedb::api {

using Look = std::function<Status(query::Engine& engine, std::string& out)>;

// Answers the exchange with what `look` writes. It may be called twice, on two threads.
void AnswerLook(LoopContext& context, http::ExchangePtr exchange, Look look);

}  // namespace stemedb::api
