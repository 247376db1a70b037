// SPDX-License-Identifier: Apache-2.0
// Scripts as files: what lies in a directory, and a bounded read of one file. Nothing here waits: whatever
// somebody puts among the scripts (a FIFO, a device, a directory, a file without end) is refused, not
// read. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace stemedb::script {

inline constexpr std::string_view kScriptEnding = ".lua";
inline constexpr std::string_view kSpecEnding = "_spec.lua";

inline constexpr size_t kScriptBytesMax = 256 << 10;
inline constexpr size_t kScriptsMax = 256;  // of a directory, specs apart

// What tells one state of a file from another without reading it: of the file that a link leads to. ctime is
// in it because a copy may keep size and mtime, but never ctime.
struct FileSignature {
  uint64_t device = 0;
  uint64_t inode = 0;
  uint64_t size = 0;
  int64_t mtime_ns = 0;
  int64_t ctime_ns = 0;
  bool operator==(const FileSignature&) const = default;
};

struct ListedFile {
  std::string name;  // base name
  FileSignature signature;
};

// "recency_spec.lua" is a spec, "recency.lua" is none; "recency" is the script's name of both.
bool IsSpecFile(std::string_view name);
std::string ScriptNameOf(std::string_view file_name);

// The *.lua files of a directory, specs included, sorted by name; hidden ones are left out, as are links that
// lead nowhere. kNotFound "scripts_unreadable" when there is no such directory, kIoError when it can't be
// read, kTooLarge "script_invalid" when it has more than twice kScriptsMax.
Result<std::vector<ListedFile>> ListScriptFiles(const std::string& directory);

struct FileText {
  std::string text;
  FileSignature signature;  // of what was read
};
// kIoError "script_unreadable" when it isn't a regular file or can't be read; kUnavailable "script_changing"
// when it has just gone, or was changed while it was read: look again; kTooLarge "script_invalid" beyond
// kScriptBytesMax. The message begins with the path.
Result<FileText> ReadScriptFile(const std::string& path);

}  // namespace stemedb::script
