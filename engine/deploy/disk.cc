// SPDX-License-Identifier: Apache-2.0
#include "deploy/disk.h"

namespace stemedb::deploy {
namespace {

void Add(DiskLook& look, const std::string& kind, const std::string& directory,
         const std::vector<script::ListedFile>& files) {
  for (const script::ListedFile& file : files) {
    DiskScript& script = look[script::ScriptNameOf(file.name)];
    if (!script.kind.empty() && script.kind != kind) {
      script.is_twice = script.is_twice || !script::IsSpecFile(file.name);
      continue;
    }
    script.kind = kind;
    script.directory = directory;
    (script::IsSpecFile(file.name) ? script.spec : script.script) = file.signature;
  }
}

void DropOrphans(DiskLook& look) {
  std::erase_if(look, [](const auto& entry) { return !entry.second.script; });
}

Result<std::string> ReadOne(const std::string& path, const script::FileSignature& expected) {
  auto read = script::ReadScriptFile(path);
  if (!read) return read.error();
  if (read->signature != expected) {
    return Status(Code::kUnavailable, "script_changing", path + ": is being changed");
  }
  return std::move(read->text);
}

}  // namespace

Result<DiskLook> LookAt(const Directories& directories, bool policies_must_exist) {
  auto lenses = script::ListScriptFiles(directories.lenses);
  if (!lenses) return lenses.error();
  DiskLook look;
  Add(look, "lens", directories.lenses, *lenses);
  DropOrphans(look);  // before a policy's name could meet a lens's forgotten spec
  if (directories.policies.empty()) return look;
  auto policies = script::ListScriptFiles(directories.policies);
  if (!policies && (policies.error().code() != Code::kNotFound || policies_must_exist))
    return policies.error();
  if (policies) Add(look, "policy", directories.policies, *policies);
  DropOrphans(look);
  return look;
}

Result<DiskText> ReadTexts(const std::string& name, const DiskScript& disk) {
  const std::string base = disk.directory + "/" + name;
  auto script = ReadOne(base + ".lua", *disk.script);
  if (!script) return script.error();
  DiskText text{{name + ".lua", std::move(*script)}, {}};
  if (!disk.spec) return text;
  auto spec = ReadOne(base + "_spec.lua", *disk.spec);
  if (!spec) return spec.error();
  text.spec = script::ScriptFile{name + "_spec.lua", std::move(*spec)};
  return text;
}

}  // namespace stemedb::deploy
