// SPDX-License-Identifier: Apache-2.0
// What lies in the two directories of scripts, as far as it can be told without reading a file.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "script/lens.h"
#include "script/script_files.h"

namespace stemedb::deploy {

struct Directories {
  std::string lenses;
  std::string policies;  // may be empty, and may not be there
};

// One script with its spec; without `script` there is none.
struct DiskScript {
  std::string kind;       // "lens" or "policy", by the directory
  std::string directory;  // where its files are
  std::optional<script::FileSignature> script;
  std::optional<script::FileSignature> spec;
  // Of the script or its spec: the link's path and why it leads to no file; empty for all that are none. The
  // link's own signature stands for the file's then.
  std::string broken_link;
  bool is_twice = false;  // both directories have the name
  bool operator==(const DiskScript&) const = default;
};

// What somebody may not have meant, though nothing is refused for it: a spec without its script, which nobody
// runs, or a script without a spec.
struct Warning {
  std::string file;    // its path
  std::string detail;  // what is missing, and what to do
  bool operator==(const Warning&) const = default;
};

struct DiskLook {
  std::map<std::string, DiskScript, std::less<>> scripts;  // by name; a spec without its script isn't in it
  std::vector<Warning> warnings;                           // by file

  // An empty one when there is none.
  const DiskScript& Get(std::string_view name) const;
  bool Has(std::string_view name) const { return scripts.find(name) != scripts.end(); }
};

// `policies_must_exist`: their directory was there before, so its absence is a fault and not a choice.
Result<DiskLook> LookAt(const Directories& directories, bool policies_must_exist);

// Both files of one script.
struct DiskText {
  script::ScriptFile script;
  std::optional<script::ScriptFile> spec;
};
// The failures of ReadScriptFile, and kIoError "script_unreadable" for a link that leads to no file.
// kUnavailable "script_changing" when what is read isn't what was looked at: look again.
Result<DiskText> ReadTexts(const std::string& name, const DiskScript& disk);

}  // namespace stemedb::deploy
