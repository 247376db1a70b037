// SPDX-License-Identifier: Apache-2.0
#include "tool/script_files.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "script/spec.h"

namespace stemedb::tool {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kSpecEnding = "_spec.lua";
constexpr size_t kBytesMax = 256 << 10;

void Append(std::vector<NamedFile>& files, const std::string& directory, std::vector<script::ScriptFile> read) {
  for (auto& file : read) {
    NamedFile& named = files.emplace_back();
    named.path = (fs::path(directory) / file.name).string();
    named.is_spec = file.name.ends_with(kSpecEnding);
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

std::string ScriptNameOf(const NamedFile& named) {
  const std::string& name = named.file.name;
  const size_t ending = named.is_spec ? kSpecEnding.size() : sizeof(".lua") - 1;
  return name.size() > ending ? name.substr(0, name.size() - ending) : name;
}

Result<NamedFile> ReadNamed(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    return Status(Code::kInvalidArgument, "not_a_file", path + ": is a directory: name the files, as in " + path + "/*.lua");
  }
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return Status(Code::kIoError, "unreadable", path + ": " + std::strerror(errno));
  NamedFile named;
  named.path = path;
  named.file.name = fs::path(path).filename().string();
  named.is_spec = named.file.name.ends_with(kSpecEnding) && named.file.name.size() > kSpecEnding.size();
  std::string& text = named.file.text;
  text.resize(kBytesMax + 1);
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(stream.gcount()));
  if (text.size() > kBytesMax) {
    return Status(Code::kTooLarge, "script_invalid", path + ": larger than 256 KiB: is it a script?");
  }
  return named;
}

Result<std::vector<NamedFile>> ReadPath(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return ReadDirectory(path);
  auto named = ReadNamed(path);
  if (!named) return named.error();
  const std::string name = ScriptNameOf(*named);
  const fs::path other = fs::path(path).parent_path() /
                         (name + (named->is_spec ? std::string(".lua") : std::string(kSpecEnding)));
  std::vector<NamedFile> files;
  files.push_back(std::move(*named));
  if (fs::exists(other, error)) {
    auto beside = ReadNamed(other.string());
    if (!beside) return beside.error();
    files.push_back(std::move(*beside));
  }
  return files;
}

}  // namespace stemedb::tool
