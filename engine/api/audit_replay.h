// SPDX-License-Identifier: Apache-2.0
// Asking a question of the trail again: at its moment, of the lens versions that answered it.
#pragma once

#include "audit/query_record.h"
#include "base/json_writer.h"
#include "deploy/deployment.h"

namespace stemedb::api {

// Writes an object: {"possible", "same"?, "answer"?, "reason"?, "detail"?}. On the scripts thread, for as
// long as a question takes in the slow lane.
void WriteReplay(JsonWriter& json, const audit::TrailEntry& entry, const deploy::Deployment& deployment);

}  // namespace stemedb::api
