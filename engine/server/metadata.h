// SPDX-License-Identifier: Apache-2.0
// data/metadata.json: what the data directory holds, for people, backup scripts and the next start. Written
// at start and at a clean stop; never needed to recover anything.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "env/env.h"

namespace stemedb::server {

struct Metadata {
  uint64_t assertion_count = 0;
  uint64_t sequence = 0;
  uint64_t wal_segment_count = 0;
  uint64_t starts = 0;  // of a server on this directory, this one included
};

// Beside the log's directory: data/wal has data/metadata.json.
std::string MetadataPath(const std::string& wal_dir);
// Likewise: data/audit.jsonl, what operators did.
std::string AuditPath(const std::string& wal_dir);
// Likewise: the directory data/audit, what everybody asked.
std::string QueryTrailPath(const std::string& wal_dir);

// The starts that the file tells of; 0 when it isn't there or tells of none. An error of the disk is none of
// that: a count that began again would hide how often the server has been started.
Result<uint64_t> ReadStarts(env::Env& env, const std::string& path);

// Replaces the file in one step.
Status WriteMetadata(env::Env& env, const std::string& path, const Metadata& metadata);

}  // namespace stemedb::server
