// SPDX-License-Identifier: Apache-2.0
#include "api/watch_events.h"

#include <unordered_set>
#include <utility>

#include "api/errors.h"
#include "base/json_writer.h"
#include "crypto/sha256.h"

namespace stemedb::api {
namespace {

constexpr size_t kResolutionBytesMax = 256 * 1024;

void BeginEvent(std::string& out, uint64_t sequence, std::string_view name) {
  out.append("id: ").append(std::to_string(sequence)).append("\n");
  out.append("event: ").append(name).append("\ndata: ");
}
void EndEvent(std::string& out) { out.append("\n\n"); }

// The objects of the answer's "resolutions", as they are written. The name can't stand earlier: quotes within
// strings are escaped.
std::vector<std::string_view> ResolutionTexts(std::string_view answer) {
  constexpr std::string_view kName = "\"resolutions\":[";
  std::vector<std::string_view> texts;
  const size_t name = answer.find(kName);
  if (name == std::string_view::npos) return texts;
  int depth = 0;
  bool in_string = false;
  for (size_t i = name + kName.size(), from = i; i < answer.size(); ++i) {
    const char c = answer[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (depth++ == 0) from = i;
    } else if (c == '}' || c == ']') {
      if (depth == 0) break;  // of the list
      if (--depth == 0) texts.push_back(answer.substr(from, i + 1 - from));
    }
  }
  return texts;
}

}  // namespace

void AppendHello(std::string& out, uint64_t sequence) {
  BeginEvent(out, sequence, "hello");
  out.append("{\"sequence\":").append(std::to_string(sequence)).append("}");
  EndEvent(out);
}

void AppendReset(std::string& out, uint64_t sequence) {
  BeginEvent(out, sequence, "reset");
  JsonWriter json(out);
  json.BeginObject();
  json.Key("sequence");
  json.Unsigned(sequence);
  json.Field("detail", "too much has come in since Last-Event-ID to be repeated; query again");
  json.EndObject();
  EndEvent(out);
}

void AppendRecordEvent(std::string& out, const store::Record& record, std::string_view status) {
  BeginEvent(out, record.sequence, record.is_operation() ? "operation" : "assertion");
  if (record.is_operation()) {
    model::AppendOperationJson(out, record.operation(), record.sequence, record.recorded_at_ms,
                               model::Content::kLeftOut);
  } else {
    model::AppendClaimJson(out, record.claim(), record.sequence, record.recorded_at_ms, status);
  }
  EndEvent(out);
}

// Without an id: nothing has been sent by it.
void AppendFailure(std::string& out, const Status& status) {
  const ErrorClass error = Classify(status);
  out.append("event: failure\ndata: ");
  JsonWriter json(out);
  json.BeginObject();
  json.Field("code", error.reason);
  json.Field("detail", status.message());
  json.EndObject();
  EndEvent(out);
}

ResolutionChanges::ResolutionChanges(simdjson::dom::parser& parser, const std::string& answer) {
  simdjson::dom::element root;
  simdjson::dom::array list;
  // The engine's own text: it is JSON.
  if (parser.parse(answer).get(root) != simdjson::SUCCESS) return;
  if (root["resolutions"].get(list) != simdjson::SUCCESS) return;
  const auto text_of = [](simdjson::dom::element object, std::string_view name) {
    simdjson::dom::element member;
    return object[name].get(member) == simdjson::SUCCESS ? simdjson::minify(member) : std::string();
  };
  lens_ = text_of(root, "lens");
  as_of_ = text_of(root, "as_of");
  const std::vector<std::string_view> texts = ResolutionTexts(answer);
  crypto::Sha256 state;
  size_t i = 0;
  for (const simdjson::dom::element object : list) {
    if (i == texts.size()) return;
    Resolution& resolution = resolutions_.emplace_back();
    resolution.text = texts[i++];
    std::string_view path, predicate;
    if (object["concept_path"].get(path) != simdjson::SUCCESS) continue;
    if (object["predicate"].get(predicate) != simdjson::SUCCESS) continue;
    resolution.key.append(path).push_back('\0');
    resolution.key.append(predicate);
    for (const char* name : {"winner", "value", "confidence", "status"})
      state.Update(text_of(object, name)).Update(",");
    resolution.state = state.Finish();
  }
}

std::string ResolutionChanges::EventOf(uint64_t sequence, std::string_view key,
                                       std::string_view resolution) const {
  const size_t end = key.find('\0');
  std::string event;
  BeginEvent(event, sequence, "resolution");
  JsonWriter json(event);
  json.BeginObject();
  json.Field("concept_path", key.substr(0, end));
  json.Field("predicate", key.substr(end + 1));
  json.Key("lens");
  json.Raw(lens_);
  json.Key("as_of");
  json.Raw(as_of_);
  json.Key("resolution");
  json.Raw(resolution);
  json.EndObject();
  EndEvent(event);
  return event;
}

bool ResolutionChanges::Tell(Told& told, uint64_t sequence,
                             const std::function<bool(std::string_view event)>& send) const {
  std::unordered_set<std::string_view> there;
  for (const Resolution& resolution : resolutions_) there.insert(resolution.key);
  // Nothing that counts is left of a pair.
  for (auto at = told.begin(); at != told.end();) {
    if (there.contains(at->first)) {
      ++at;
      continue;
    }
    const std::string event = EventOf(sequence, at->first, "null");
    at = told.erase(at);
    if (!send(event)) return false;
  }
  for (const Resolution& resolution : resolutions_) {
    Hash256& last = told[resolution.key];
    if (last == resolution.state) continue;
    last = resolution.state;
    std::string event;
    if (resolution.text.size() <= kResolutionBytesMax) {
      event = EventOf(sequence, resolution.key, resolution.text);
    } else {
      AppendFailure(event, Status(Code::kOutOfRange, "answer_too_large",
                                  "a resolution is too large to be sent as an event; query it"));
    }
    if (!send(event)) return false;
  }
  return true;
}

}  // namespace stemedb::api
