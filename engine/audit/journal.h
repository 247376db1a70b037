// SPDX-License-Identifier: Apache-2.0
// Journal: who changed what about the running server, durable, one JSON object on each line of a file that
// any tool can read. It grows to a bound, then becomes FILE.1 in place of the one before.
//
// A room of its own: the store keeps claims, which are everybody's; this is the operator's, belongs to no one
// room that acts (scripts today, quarantine and keys later), and must be there when the store is not.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "audit/entry.h"
#include "audit/tally.h"
#include "base/status.h"
#include "env/env.h"

namespace stemedb::audit {

// Any thread but the loops, as it waits for the disk; but for the tally.
class Journal {
 public:
  // Makes the file when it isn't there; cuts off a torn last line. kIoError "io_error" when something else
  // than a file is in its place, or in FILE.1's. `env` outlives the journal.
  static Result<std::unique_ptr<Journal>> Open(env::Env& env, const std::string& path,
                                               uint64_t bytes_max = 16u << 20);

  // On disk when it returns ok. After a failure the next call tries with the file opened anew. Of a detail's
  // JSON the first 512 bytes are kept, and how long the whole was. Looks after the file first, as CheckFile.
  Status Append(const Entry& entry);

  // Somebody may have moved, removed, replaced or cut short the file of a running server. Then a new one
  // begins, whose first line says so (action "audit.file", result "file_lost"), and so does the log. Fails
  // when it can't begin, and the next call tries again.
  Status CheckFile();

  // Appends {"entries":[…],"next_cursor":"…"?}, newest first, those with ids below `before`. Lines that make
  // no sense are left out.
  Status List(size_t limit, std::optional<uint64_t> before, std::string& out);

  // Of what isn't written one by one. WriteLine writes what comes from it; what it can't write counts for the
  // next line. WriteRest writes all that is left, when nothing follows any more; returns the first failure.
  Tally& tally() { return tally_; }
  Status WriteLine(const Tally::Line& line);
  Status WriteRest();

 private:
  Journal(env::Env& env, std::string path, uint64_t bytes_max)
      : env_(env), path_(std::move(path)), old_path_(path_ + ".1"), bytes_max_(bytes_max) {}
  Status OpenFile();
  Status Rotate();
  Status MindFile();
  Status Write(const Entry& entry);
  Result<uint64_t> NewestId(const env::File& file) const;

  env::Env& env_;
  const std::string path_;
  const std::string old_path_;
  const uint64_t bytes_max_;
  Tally tally_;
  std::mutex mutex_;  // guards the rest
  std::unique_ptr<env::File> file_;
  uint64_t next_id_ = 1;
  bool is_lost_ = false;  // the file was, and the new one doesn't say so yet
};

}  // namespace stemedb::audit
