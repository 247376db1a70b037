// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "console/text.h"
#include "script/spec.h"
#include "tool/diagnostic.h"
#include "tool/script_commands.h"
#include "tool/script_files.h"
#include "tool/self_check.h"

namespace stemedb::tool {
namespace {

using console::Visible;

// Compiled, described and self-checked.
Result<script::ScriptInfo> CheckAsAServer(const script::ScriptFile& file) {
  auto info = script::CheckScript(file);
  if (!info) return info.error();
  STEMEDB_RETURN_IF_ERROR(SelfCheck(*info));
  return info;
}

// As a server warns of it (GET /v1/admin/scripts): it is no fault of the file.
void WarnOfMissingHalf(const NamedFile& named) {
  const std::string other = OtherHalf(named);
  std::error_code error;
  if (std::filesystem::exists(other, error)) return;
  const std::string name = other.substr(other.rfind('/') + 1);
  const std::string text = named.is_spec
                               ? "there is no " + name + " beside this spec: a server runs it once " +
                                     "there is; put it there, or remove the spec"
                               : "there is no spec: write " + name + " beside it";
  std::fprintf(stderr, "%s: warning: %s\n", Visible(named.path).c_str(), Visible(text).c_str());
}

// False after having said what is wrong.
bool Check(const std::string& path) {
  auto named = ReadNamed(path);
  if (!named) {
    std::fprintf(stderr, "%s\n", Visible(named.error().message()).c_str());
    return false;
  }
  Status failure;
  std::string good;
  if (named->is_spec) {
    auto cases = script::CheckSpec(named->file);
    if (cases)
      good = std::to_string(*cases) + (*cases == 1 ? " case" : " cases");
    else
      failure = cases.error();
  } else {
    auto info = CheckAsAServer(named->file);
    if (info)
      good = info->kind + " " + info->name + " " + info->version;
    else
      failure = info.error();
  }
  if (failure.ok()) {
    std::printf("%s: %s, good\n", Visible(path).c_str(), Visible(good).c_str());
    std::fflush(stdout);  // which may be the same terminal or file
    WarnOfMissingHalf(*named);
    return true;
  }
  std::fputs(Format(Diagnose(path, failure.message(), named->file.text)).c_str(), stderr);
  return false;
}

}  // namespace

int CheckScripts(const std::vector<std::string>& files) {
  bool all_good = true;
  for (const std::string& path : files) all_good = Check(path) && all_good;
  return all_good ? 0 : 1;
}

}  // namespace stemedb::tool
