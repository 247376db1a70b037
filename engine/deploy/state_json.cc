// SPDX-License-Identifier: Apache-2.0
#include "deploy/state_json.h"

#include <simdjson.h>

#include <algorithm>

#include "base/json_writer.h"
#include "crypto/sha256.h"

namespace stemedb::deploy {
namespace {

using simdjson::dom::element;

constexpr uint64_t kFormat = 1;
constexpr std::string_view kBegin = "{\"sha256\":\"", kMiddle = "\",\"state\":", kEnd = "}\n";
constexpr size_t kDigits = 64;

// ---------------------------------------------------------------- writing

void WriteUnsigned(JsonWriter& json, std::string_view name, uint64_t number) {
  json.Key(name);
  json.Unsigned(number);
}

void WriteMs(JsonWriter& json, std::string_view name, int64_t time_ms) {
  json.Key(name);
  json.Integer(time_ms);
}

void WriteHash(JsonWriter& json, std::string_view name, const std::optional<Hash256>& sha256) {
  json.Key(name);
  sha256 ? json.Hex(*sha256) : json.Null();
}

void WriteVersion(JsonWriter& json, const Version& version) {
  json.BeginObject();
  json.Field("version", version.info->version);
  WriteHash(json, "sha256", version.info->sha256);
  WriteUnsigned(json, "generation", version.info->generation);
  WriteMs(json, "time_ms", version.time_ms);
  json.Field("cause", NameOf(version.cause));
  json.Key("proven");
  json.Bool(version.is_proven);
  json.EndObject();
}

void WriteScript(JsonWriter& json, const std::string& name, const ScriptRecord& record,
                 const script::ScriptInfo* live) {
  json.BeginObject();
  json.Field("name", name);
  WriteHash(json, "live", live != nullptr ? std::optional<Hash256>(live->sha256) : std::nullopt);
  WriteHash(json, "file", record.disk_sha256);
  WriteHash(json, "pinned_against", record.pinned_against);
  WriteHash(json, "held", record.held ? std::optional<Hash256>(record.held->info->sha256) : std::nullopt);
  WriteMs(json, "held_since_ms", record.held ? record.held->since_ms : 0);
  json.Field("last_result", record.last_outcome ? NameOf(*record.last_outcome) : "");
  WriteMs(json, "last_result_ms", record.last_outcome_ms);
  json.Key("versions");
  json.BeginArray();
  for (const Version& version : record.versions) WriteVersion(json, version);
  json.EndArray();
  json.EndObject();
}

void WriteGeneration(JsonWriter& json, const GenerationRecord& record) {
  json.BeginObject();
  WriteUnsigned(json, "generation", record.generation);
  WriteMs(json, "time_ms", record.time_ms);
  json.Field("cause", NameOf(record.cause));
  json.Field("peer", record.actor.peer);
  json.Field("actor", record.actor.name);
  json.Key("changes");
  json.BeginArray();
  for (const Change& change : record.changes) {
    json.BeginObject();
    json.Field("name", change.name);
    json.Field("old_version", change.before_version);
    WriteHash(json, "old_sha256", change.before_sha256);
    json.Field("new_version", change.after_version);
    WriteHash(json, "new_sha256", change.after_sha256);
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
}

// ---------------------------------------------------------------- reading

// Takes members out of objects. One that isn't there, or is something else, makes the whole unusable.
class Taker {
 public:
  bool ok() const { return ok_; }

  uint64_t Unsigned(element from, std::string_view name) { return Take<uint64_t>(from, name); }
  int64_t Integer(element from, std::string_view name) { return Take<int64_t>(from, name); }
  bool Flag(element from, std::string_view name) { return Take<bool>(from, name); }
  std::string Text(element from, std::string_view name) {
    return std::string(Take<std::string_view>(from, name));
  }
  std::optional<Hash256> Hash(element from, std::string_view name) {
    const auto member = from[name];
    if (member.is_null()) return std::nullopt;
    Hash256 sha256{};
    if (!FromHex(Text(from, name), sha256)) ok_ = false;
    return sha256;
  }
  // One of the enumerators from 0 to `last`, by its name.
  template <typename Enum>
  Enum Name(element from, std::string_view name, Enum last) {
    const std::string text = Text(from, name);
    for (size_t i = 0; i <= static_cast<size_t>(last); ++i) {
      if (NameOf(static_cast<Enum>(i)) == text) return static_cast<Enum>(i);
    }
    ok_ = false;
    return last;
  }
  template <typename Visit>
  void ForEach(element from, std::string_view name, Visit visit) {
    simdjson::dom::array array;
    if (from[name].get(array) != simdjson::SUCCESS) {
      ok_ = false;
      return;
    }
    for (const element one : array) visit(one);
  }

 private:
  template <typename T>
  T Take(element from, std::string_view name) {
    T value{};
    if (from[name].get(value) != simdjson::SUCCESS) ok_ = false;
    return value;
  }

  bool ok_ = true;
};

Version TakeVersion(Taker& take, element from, const std::string& name) {
  auto info = std::make_shared<script::ScriptInfo>();
  info->name = name;
  info->file = name + ".lua";
  info->version = take.Text(from, "version");
  info->sha256 = take.Hash(from, "sha256").value_or(Hash256{});
  info->generation = take.Unsigned(from, "generation");
  return {std::move(info), take.Integer(from, "time_ms"), take.Name(from, "cause", Cause::kAutoRollback),
          take.Flag(from, "proven")};
}

SavedScript TakeScript(Taker& take, element from, const std::string& name) {
  SavedScript script;
  script.live = take.Hash(from, "live");
  script.record.disk_sha256 = take.Hash(from, "file");
  script.record.pinned_against = take.Hash(from, "pinned_against");
  script.held = take.Hash(from, "held");
  script.held_since_ms = take.Integer(from, "held_since_ms");
  if (!take.Text(from, "last_result").empty())
    script.record.last_outcome = take.Name(from, "last_result", Outcome::kFailedAtomic);
  script.record.last_outcome_ms = take.Integer(from, "last_result_ms");
  take.ForEach(from, "versions",
               [&](element version) { script.record.versions.push_back(TakeVersion(take, version, name)); });
  return script;
}

GenerationRecord TakeGeneration(Taker& take, element from) {
  GenerationRecord record;
  record.generation = take.Unsigned(from, "generation");
  record.time_ms = take.Integer(from, "time_ms");
  record.cause = take.Name(from, "cause", Cause::kAutoRollback);
  record.actor = {take.Text(from, "peer"), take.Text(from, "actor")};
  take.ForEach(from, "changes", [&](element change) {
    record.changes.push_back({take.Text(change, "name"), take.Text(change, "old_version"),
                              take.Text(change, "new_version"), take.Hash(change, "old_sha256"),
                              take.Hash(change, "new_sha256")});
  });
  return record;
}

Status Damaged(const std::string& why) { return Status(Code::kCorruption, "state_damaged", why); }

}  // namespace

std::string StateText(const Book& book, const script::ScriptSet& live) {
  std::string state;
  JsonWriter json(state);
  json.BeginObject();
  WriteUnsigned(json, "format", kFormat);
  WriteUnsigned(json, "generation", live.generation());
  json.Key("scripts");
  json.BeginArray();
  for (const auto& [name, record] : book.scripts) {
    const script::ScriptInfo* info = live.Get(name);
    if (info != nullptr || !record.versions.empty()) WriteScript(json, name, record, info);
  }
  json.EndArray();
  json.Key("generations");
  json.BeginArray();
  for (const GenerationRecord& record : book.generations) WriteGeneration(json, record);
  json.EndArray();
  json.EndObject();
  std::string text(kBegin);
  text.append(ToHex(crypto::Sha256::Of(state))).append(kMiddle).append(state).append(kEnd);
  return text;
}

Result<SavedState> ParseState(std::string_view text) {
  const size_t from = kBegin.size() + kDigits + kMiddle.size();
  const bool has_frame = text.size() > from + kEnd.size() && text.starts_with(kBegin) &&
                         text.substr(kBegin.size() + kDigits).starts_with(kMiddle) && text.ends_with(kEnd);
  if (!has_frame) return Damaged("it is not as it was written");
  const std::string_view state = text.substr(from, text.size() - from - kEnd.size());
  if (ToHex(crypto::Sha256::Of(state)) != text.substr(kBegin.size(), kDigits))
    return Damaged("its SHA-256 is another one than it says");
  simdjson::dom::parser parser;
  element root;
  if (const auto error = parser.parse(state.data(), state.size()).get(root); error != simdjson::SUCCESS)
    return Damaged(simdjson::error_message(error));
  Taker take;
  if (const uint64_t format = take.Unsigned(root, "format"); !take.ok() || format != kFormat)
    return Damaged("its format is not the one of this server");
  SavedState saved;
  saved.generation = take.Unsigned(root, "generation");
  take.ForEach(root, "scripts", [&](element script) {
    const std::string name = take.Text(script, "name");
    saved.scripts[name] = TakeScript(take, script, name);
  });
  take.ForEach(root, "generations",
               [&](element record) { saved.generations.push_back(TakeGeneration(take, record)); });
  if (!take.ok()) return Damaged("something is missing in it");
  return saved;
}

}  // namespace stemedb::deploy
