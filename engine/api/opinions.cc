// SPDX-License-Identifier: Apache-2.0
// POST /v1/vote, /v1/supersede, /v1/retract, /v1/epoch: what agents say about claims and epochs.
#include "api/operations.h"
#include "api/routes.h"

namespace stemedb::api {

void AddOpinionsRoutes(http::Router& router, LoopContext& context) {
  AddOperationRoute(router, context, "/v1/vote", model::OperationKind::kVote);
  AddOperationRoute(router, context, "/v1/supersede", model::OperationKind::kSupersession);
  AddOperationRoute(router, context, "/v1/retract", model::OperationKind::kRetraction);
  AddOperationRoute(router, context, "/v1/epoch", model::OperationKind::kEpoch);
}

}  // namespace stemedb::api
