// SPDX-License-Identifier: Apache-2.0
// What all calls that record an operation have in common: reading and checking it, who may make it unsigned,
// payment, and the way through the store, which starts again when a name's meaning has changed meanwhile.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/loop_context.h"
#include "http/exchange.h"
#include "model/operation.h"
#include "query/operation_rules.h"

namespace stemedb::api {

inline constexpr size_t kOperationBodyMax = 64 * 1024;

// Adds a POST route for operations of one kind.
void AddOperationRoute(http::Router& router, LoopContext& context, std::string path,
                       model::OperationKind kind, size_t body_max = kOperationBodyMax);

// What makes a call an operator's: AdminOnly has let it through. It may say what it says unsigned whatever
// the settings are, and is told of in the audit, "ACTION of SUBJECT".
struct OperatorsAct {
  std::string_view action;
  std::string subject;
};

// Answers the exchange: takes the operation in its body in, or says why not. `url_id` is what the URL names,
// as OperationParser has it.
void TakeOperation(LoopContext& context, http::ExchangePtr exchange, model::OperationKind kind,
                   std::string_view url_id = {}, std::optional<OperatorsAct> act = {});

}  // namespace stemedb::api
