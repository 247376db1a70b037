// SPDX-License-Identifier: Apache-2.0
// What the scripts thread has to say, as the JSON of docs/openapi.yaml.
#pragma once

#include <string>

#include "base/json_writer.h"
#include "deploy/book.h"
#include "deploy/deployment.h"

namespace stemedb::deploy {

void AppendReport(std::string& out, const Report& report);
void AppendShadow(std::string& out, const std::string& name, const ShadowReport& report);

// For objects that are being written.
void WriteShadowFields(JsonWriter& json, const ShadowReport& report);
void WriteTrouble(JsonWriter& json, const Trouble& trouble);
void WriteGeneration(JsonWriter& json, const GenerationRecord& record);

}  // namespace stemedb::deploy
