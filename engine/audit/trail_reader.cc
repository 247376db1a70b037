// SPDX-License-Identifier: Apache-2.0
#include "audit/trail_reader.h"

#include <simdjson.h>

#include <algorithm>
#include <utility>

namespace stemedb::audit {
namespace {

constexpr std::string_view kPathKey = "{\"concept_path\":\"";

// What can't be read is told as a gap with this reason; none is written with it.
constexpr std::string_view kUnreadable = "unreadable";

// The concept path of a question as its JSON spells it: it comes first there, and is never cut.
std::string_view SpelledPathOf(std::string_view question) {
  if (!question.starts_with(kPathKey)) return {};
  question.remove_prefix(kPathKey.size());
  size_t end = 0;
  while (end < question.size() && question[end] != '"') end += question[end] == '\\' ? 2 : 1;
  return question.substr(0, end);
}

std::string Spelled(std::string_view text) {
  std::string spelled;
  AppendJsonString(spelled, text);
  return spelled.substr(1, spelled.size() - 2);
}

// Whether a path that was asked for, as it is spelled, is the wanted one or one below.
bool IsWithin(std::string_view path, std::string_view wanted) {
  if (!wanted.ends_with("/*") && wanted != "*") return path == wanted;
  const std::string_view below = wanted.substr(0, wanted.size() - 1);
  if (path.starts_with(below)) return true;
  return !below.empty() && !below.ends_with("://") && path == below.substr(0, below.size() - 1);
}

bool IsJson(std::string_view text) {
  static thread_local simdjson::dom::parser parser;
  simdjson::dom::element root;
  return parser.parse(text.data(), text.size()).get(root) == simdjson::SUCCESS;
}

void WriteCount(JsonWriter& json, std::string_view name, uint64_t count) {
  json.Key(name);
  json.Unsigned(count);
}

void WriteTime(JsonWriter& json, std::string_view name, int64_t time_ms) {
  json.Key(name);
  json.Time(time_ms);
}

void WriteQuestion(JsonWriter& json, const QueryRecord& record) {
  if (record.is_question_whole() && IsJson(record.question)) {
    json.Key("question");
    json.Raw(record.question);
  } else {
    json.Field("question_beginning", record.question);
    WriteCount(json, "question_bytes", record.question_bytes);
  }
}

void WriteLenses(JsonWriter& json, const QueryRecord& record) {
  json.Key("lenses");
  json.BeginArray();
  for (const LensUsed& lens : record.lenses) {
    json.BeginObject();
    json.Field("name", lens.name);
    json.Field("version", lens.version);
    json.Key("sha256");
    json.Hex(lens.sha256);
    json.Key("generation");
    if (lens.generation != 0) {
      json.Unsigned(lens.generation);
    } else {
      json.Null();
    }
    json.EndObject();
  }
  json.EndArray();
  for (const auto& [name, is_so] :
       {std::pair("fell_back", record.fell_back), std::pair("stale", record.is_stale)}) {
    if (!is_so) continue;
    json.Key(name);
    json.Bool(true);
  }
}

void WriteClaims(JsonWriter& json, const QueryRecord& record) {
  json.Key("contributions");
  json.BeginArray();
  for (const ClaimUsed& claim : record.claims) {
    json.BeginObject();
    WriteCount(json, "sequence", claim.sequence);
    json.Field("role", NameOf(claim.role));
    if (claim.lens < record.lenses.size()) {
      json.Field("lens", record.lenses[claim.lens].name);
      WriteCount(json, "resolution", claim.resolution);
      json.Key("weight");
      json.Number(claim.weight);
      json.Key("share");
      json.Number(claim.share);
    }
    json.EndObject();
  }
  json.EndArray();
  WriteCount(json, "contributions_not_told", record.claims_not_told);
}

void WriteQuery(JsonWriter& json, const QueryRecord& record) {
  WriteTime(json, "time", record.time_ms);
  json.Key("agent_id");
  if (record.agent) {
    json.String(*record.agent);
  } else {
    json.Null();
  }
  json.Key("client");
  json.BeginObject();
  json.Field("kind", NameOf(record.client));
  json.Field("address", record.address);
  json.EndObject();
  json.Field("request_id", record.request_id);
  json.Field("endpoint", record.endpoint);
  WriteQuestion(json, record);
  WriteLenses(json, record);
  if (record.has_moment) {
    json.Key("as_of");
    json.BeginObject();
    WriteCount(json, "sequence", record.sequence);
    WriteTime(json, "time", record.now_ms);
    json.EndObject();
  }
  json.Field("status", record.answered ? "answered" : "failed");
  if (!record.answered) json.Field("code", record.code);
  WriteCount(json, "duration_us", record.duration_us);
  WriteCount(json, "resolutions_count", record.resolutions);
  WriteCount(json, "candidates_count", record.candidates);
  WriteCount(json, "assertions_count", record.assertions);
  if (record.answered) {
    json.Key("answer");
    json.BeginObject();
    WriteCount(json, "bytes", record.answer_bytes);
    json.Key("sha256");
    json.Hex(record.answer_sha256);
    json.EndObject();
  }
  WriteClaims(json, record);
}

void WriteGap(JsonWriter& json, int64_t time_ms, std::string_view reason, const Gap& gap) {
  WriteTime(json, "time", time_ms);
  json.Key("gap");
  json.BeginObject();
  json.Field("reason", reason);
  WriteTime(json, "from", gap.from_ms);
  WriteTime(json, "to", gap.to_ms);
  json.Key("queries");
  if (gap.queries > 0) {
    json.Unsigned(gap.queries);
  } else {
    json.Null();
  }
  if (gap.bytes > 0) WriteCount(json, "torn_bytes", gap.bytes);
  json.EndObject();
}

void WriteMembers(JsonWriter& json, const TrailEntry& entry) {
  if (const auto* gap = std::get_if<Gap>(&entry)) {
    WriteGap(json, gap->time_ms, NameOf(gap->reason), *gap);
  } else if (const auto* query = std::get_if<QueryRecord>(&entry)) {
    WriteQuery(json, *query);
  }
}

// The entries of a segment, none of a file that is another one by now.
std::vector<std::string_view> EntriesOf(const SegmentInfo& info, std::string_view bytes) {
  SegmentInfo found;
  const bool is_same =
      ParseTrailHeader(bytes, found).ok() && found.number == info.number && found.first_id == info.first_id;
  return is_same ? FramesOf(bytes).frames : std::vector<std::string_view>();
}

// One page in the making.
class Page {
 public:
  Page(std::string& out, env::Env& env, const TrailPage& wanted)
      : json_(out), env_(env), wanted_(wanted), filter_(wanted.filter), below_(wanted.before) {
    if (filter_.concept_path) path_ = Spelled(*filter_.concept_path);
  }

  void Append(const std::vector<SegmentInfo>& segments) {
    json_.BeginObject();
    json_.Key("entries");
    json_.BeginArray();
    const SegmentInfo* newer = nullptr;
    bool goes_on = false;
    for (auto info = segments.rbegin(); info != segments.rend() && !goes_on; ++info) {
      if (!info->is_readable) continue;
      if (newer != nullptr) AppendHole(*info, *newer);
      newer = &*info;
      if (told_ < wanted_.limit && info->first_id < below_ && MayHold(*info)) {
        if (scanned_ > 0 && scanned_ + info->bytes > wanted_.scan_bytes_max) {
          goes_on = true;
          continue;
        }
        scanned_ += info->bytes;
        AppendSegment(*info);
      }
      goes_on = told_ == wanted_.limit;
      if (!goes_on) below_ = std::min(below_, info->first_id);
    }
    json_.EndArray();
    const bool has_older = std::any_of(segments.begin(), segments.end(), [&](const SegmentInfo& info) {
      return info.is_readable && info.first_id < below_;
    });
    if (goes_on && has_older) json_.Field("next_cursor", std::to_string(below_));
    json_.EndObject();
  }

 private:
  bool IsInTime(int64_t from_ms, int64_t to_ms) const {
    return (!filter_.from_ms || to_ms >= *filter_.from_ms) && (!filter_.to_ms || from_ms < *filter_.to_ms);
  }
  bool MayHold(const SegmentInfo& info) const { return IsInTime(info.time_min_ms, info.time_max_ms); }

  bool IsWanted(const QueryRecord& record) const {
    if (!IsInTime(record.time_ms, record.time_ms)) return false;
    if (filter_.agent && record.agent != std::string_view(*filter_.agent)) return false;
    if (filter_.concept_path && !IsWithin(SpelledPathOf(record.question), path_)) return false;
    if (filter_.lens && std::none_of(record.lenses.begin(), record.lenses.end(),
                                     [&](const LensUsed& lens) { return lens.name == *filter_.lens; })) {
      return false;
    }
    return !filter_.claim ||
           std::any_of(record.claims.begin(), record.claims.end(),
                       [&](const ClaimUsed& claim) { return claim.sequence == *filter_.claim; });
  }

  // What was between two segments was asked behind the last of the one and before the other began, whatever
  // either of them speaks of; so neither has to be read for it.
  void AppendHole(const SegmentInfo& older, const SegmentInfo& newer) {
    const uint64_t from = older.end_id();
    if (from >= newer.first_id || from >= below_) return;
    const int64_t from_ms = older.entries > 0 ? older.time_max_ms : older.begun_ms;
    const int64_t to_ms = std::max({from_ms, newer.begun_ms, newer.time_min_ms});
    if (IsInTime(from_ms, to_ms)) TellUnreadable(from, newer.first_id - from, from_ms, to_ms);
  }

  // What can't be read up to the segment's end is missing.
  void AppendSegment(const SegmentInfo& info) {
    auto bytes = ReadSegment(env_, info.path, info.bytes);
    if (!bytes && bytes.error().code() == Code::kNotFound) return;  // removed meanwhile
    auto entries = bytes ? EntriesOf(info, *bytes) : std::vector<std::string_view>();
    // What stands behind its end was told of as lost when it was written.
    if (entries.size() > info.entries) entries.resize(info.entries);
    const uint64_t reached = info.first_id + entries.size();
    if (reached < info.end_id() && reached < below_) {
      const int64_t from_ms = entries.empty() ? info.time_min_ms : TimeOf(entries.back());
      const int64_t to_ms = std::max(from_ms, info.time_max_ms);
      if (IsInTime(from_ms, to_ms)) TellUnreadable(reached, info.end_id() - reached, from_ms, to_ms);
    }
    for (size_t i = entries.size(); i > 0 && told_ < wanted_.limit; --i) {
      const uint64_t id = info.first_id + i - 1;
      if (id < below_) AppendEntry(id, entries[i - 1]);
    }
  }

  void AppendEntry(uint64_t id, std::string_view frame) {
    if (!ParsePayload(PayloadOf(frame), entry_).ok()) {
      const int64_t time_ms = TimeOf(frame);
      if (IsInTime(time_ms, time_ms)) TellUnreadable(id, 1, time_ms, time_ms);
      return;
    }
    const auto* gap = std::get_if<Gap>(&entry_);
    const auto* query = std::get_if<QueryRecord>(&entry_);
    const bool is_wanted =
        gap != nullptr ? IsInTime(gap->from_ms, gap->to_ms) : query != nullptr && IsWanted(*query);
    if (is_wanted) Tell(id, [&] { WriteMembers(json_, entry_); });
  }

  void TellUnreadable(uint64_t id, uint64_t entries, int64_t from_ms, int64_t to_ms) {
    Tell(id, [&] {
      WriteGap(json_, to_ms, kUnreadable, {.from_ms = from_ms, .to_ms = to_ms, .queries = entries});
    });
  }

  template <typename Write>
  void Tell(uint64_t id, Write write) {
    json_.BeginObject();
    WriteCount(json_, "id", id);
    write();
    json_.EndObject();
    ++told_;
    below_ = id;
  }

  JsonWriter json_;
  env::Env& env_;
  const TrailPage& wanted_;
  const TrailFilter& filter_;
  std::string path_;  // the wanted one as a question spells it
  TrailEntry entry_;
  size_t told_ = 0;
  uint64_t scanned_ = 0;
  uint64_t below_;  // all from here on has been looked at
};

Status UnknownQuery(uint64_t id, const std::string& why) {
  return Status(Code::kNotFound, "unknown_query",
                "there is no query " + std::to_string(id) + " in the trail: " + why);
}

}  // namespace

void WriteEntry(JsonWriter& json, uint64_t id, const TrailEntry& entry) {
  WriteCount(json, "id", id);
  WriteMembers(json, entry);
}

void AppendTrailPage(std::string& out, env::Env& env, const std::vector<SegmentInfo>& segments,
                     const TrailPage& page) {
  Page(out, env, page).Append(segments);
}

Result<StoredEntry> ReadTrailEntry(env::Env& env, const std::vector<SegmentInfo>& segments, uint64_t id) {
  const auto info = std::find_if(segments.begin(), segments.end(), [&](const SegmentInfo& one) {
    return one.is_readable && id >= one.first_id && id < one.end_id();
  });
  if (info == segments.end()) return UnknownQuery(id, "it was never asked, or is older than what is kept");
  auto bytes = ReadSegment(env, info->path, info->bytes);
  if (!bytes && bytes.error().code() == Code::kNotFound)
    return UnknownQuery(id, "it is older than what is kept");
  if (!bytes) return bytes.error();
  StoredEntry stored;
  stored.segment = std::move(*bytes);
  const auto entries = EntriesOf(*info, stored.segment);
  const uint64_t place = id - info->first_id;
  if (place >= entries.size() || !ParsePayload(PayloadOf(entries[place]), stored.entry).ok())
    return UnknownQuery(id, "its segment " + info->path + " is damaged there");
  return stored;
}

}  // namespace stemedb::audit
