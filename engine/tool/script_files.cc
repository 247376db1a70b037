// SPDX-License-Identifier: Apache-2.0
#include "tool/script_files.h"

#include <filesystem>

#include "script/script_files.h"
#include "script/spec.h"

namespace stemedb::tool {
namespace {

namespace fs = std::filesystem;

void Append(std::vector<NamedFile>& files, const std::string& directory,
            std::vector<script::ScriptFile> read) {
  for (auto& file : read) {
    NamedFile& named = files.emplace_back();
    named.path = (fs::path(directory) / file.name).string();
    named.is_spec = script::IsSpecFile(file.name);
    named.file = std::move(file);
  }
}

Result<std::vector<NamedFile>> ReadDirectory(const std::string& path) {
  auto scripts = script::ReadScripts(path);
  if (!scripts) return scripts.error();
  auto specs = script::ReadSpecs(path);
  if (!specs) return specs.error();
  std::vector<NamedFile> files;
  Append(files, path, std::move(*scripts));
  Append(files, path, std::move(*specs));
  if (files.empty()) {
    return Status(Code::kNotFound, "scripts_missing", path + ": no *.lua in it: give a directory of scripts");
  }
  return files;
}

}  // namespace

std::string ScriptNameOf(const NamedFile& named) { return script::ScriptNameOf(named.file.name); }

std::string OtherHalf(const NamedFile& named) {
  const std::string_view ending = named.is_spec ? script::kScriptEnding : script::kSpecEnding;
  return (fs::path(named.path).parent_path() / (ScriptNameOf(named) + std::string(ending))).string();
}

Result<NamedFile> ReadNamed(const std::string& path) {
  std::error_code error;
  if (!fs::exists(path, error)) {
    return Status(Code::kNotFound, "script_unreadable", path + ": No such file or directory");
  }
  auto read = script::ReadScriptFile(path);
  if (!read) return read.error();
  NamedFile named;
  named.path = path;
  named.file = {fs::path(path).filename().string(), std::move(read->text)};
  named.is_spec = script::IsSpecFile(named.file.name);
  return named;
}

Result<std::vector<NamedFile>> ReadPath(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return ReadDirectory(path);
  auto named = ReadNamed(path);
  if (!named) return named.error();
  const std::string other = OtherHalf(*named);
  std::vector<NamedFile> files;
  files.push_back(std::move(*named));
  if (fs::exists(other, error)) {
    auto beside = ReadNamed(other);
    if (!beside) return beside.error();
    files.push_back(std::move(*beside));
  }
  return files;
}

}  // namespace stemedb::tool
