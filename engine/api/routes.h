// SPDX-License-Identifier: Apache-2.0
// Every resource of the API, one file each. A function adds its resource's routes; the handlers keep a
// reference to `context`, which must outlive the router and is touched only when a request comes.
#pragma once

#include "api/loop_context.h"
#include "http/router.h"

namespace stemedb::api {

void AddAssertRoutes(http::Router& router, LoopContext& context);        // assert.cc
void AddBatchRoutes(http::Router& router, LoopContext& context);         // batch.cc
void AddAssertionsRoutes(http::Router& router, LoopContext& context);    // assertions.cc
void AddQueryRoutes(http::Router& router, LoopContext& context);         // query.cc
void AddLensesRoutes(http::Router& router, LoopContext& context);        // lenses.cc
void AddOpinionsRoutes(http::Router& router, LoopContext& context);      // opinions.cc
void AddSourcesRoutes(http::Router& router, LoopContext& context);       // sources.cc
void AddTraceRoutes(http::Router& router, LoopContext& context);         // trace.cc
void AddWatchRoutes(http::Router& router, LoopContext& context);         // watch.cc
void AddConceptsRoutes(http::Router& router, LoopContext& context);      // concepts.cc
void AddHealthRoutes(http::Router& router, LoopContext& context);        // health.cc
void AddMetricsRoutes(http::Router& router, LoopContext& context);       // metrics.cc
void AddAdminScriptsRoutes(http::Router& router, LoopContext& context);  // admin_scripts.cc
void AddAdminAuditRoutes(http::Router& router, LoopContext& context);    // admin_audit.cc
void AddAdminTrustRoutes(http::Router& router, LoopContext& context);    // admin_trust.cc
void AddAuditQueriesRoutes(http::Router& router, LoopContext& context);  // audit_queries.cc
void AddDescriptionRoutes(http::Router& router, LoopContext& context);   // description.cc

}  // namespace stemedb::api
