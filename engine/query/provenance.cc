// SPDX-License-Identifier: Apache-2.0
#include "query/provenance.h"

#include <algorithm>
#include <vector>

#include "base/json_writer.h"
#include "index/layout.h"

namespace stemedb::query {
namespace {

using model::OperationKind;
using model::SubjectKind;
using store::From;

constexpr size_t kPageBytesMax = 4u << 20;  // a page ends behind the item that reaches it

Hash256 IdFrom(std::string_view bytes) {
  Hash256 id{};
  std::copy_n(bytes.begin(), std::min(bytes.size(), id.size()), id.begin());
  return id;
}

// A claim in a list: enough to decide whether to look at it.
Status AppendBrief(JsonWriter& json, const store::Record& record, std::string_view relation,
                   Standing& standing) {
  auto status = standing.StatusOf(store::RowOfRecord(record));
  if (!status) return status.error();
  json.BeginObject();
  json.Field("id", ToHex(IdFrom(record.id())));
  json.Field("relation", relation);
  json.Field("concept_path", record.claim().concept_path());
  json.Field("predicate", record.claim().predicate());
  json.Key("sequence");
  json.Unsigned(record.sequence);
  json.Field("status", NameOf(*status));
  json.EndObject();
  return Status::Ok();
}

class Trace {
 public:
  Trace(std::string& out, store::Reader& reader, Standing& standing)
      : out_(out), json_(out), reader_(reader), standing_(standing) {}

  Status Append(const store::Record& record, const TraceMore& more) {
    auto standing = standing_.Of(store::RowOfRecord(record));
    if (!standing) return standing.error();
    json_.BeginObject();
    json_.Key("assertion");
    json_.Raw({});
    model::AppendClaimJson(out_, record.claim(), record.sequence, record.recorded_at_ms,
                           NameOf(standing->status));
    json_.Field("status", NameOf(standing->status));
    json_.Key("trust");
    json_.Number(standing->trust);
    json_.Key("derived_trust");
    json_.Number(standing->derived_trust);
    json_.Key("votes");
    json_.BeginObject();
    json_.Key("count");
    json_.Unsigned(standing->votes);
    json_.Key("weight");
    json_.Number(standing->vote_weight);
    json_.EndObject();
    if (standing->status == ClaimStatus::kRetracted) STEMEDB_RETURN_IF_ERROR(AppendRetraction(record));
    STEMEDB_RETURN_IF_ERROR(AppendRestsOn(record.claim()));
    STEMEDB_RETURN_IF_ERROR(AppendRestingOnIt(record));
    STEMEDB_RETURN_IF_ERROR(AppendOperations(record));
    if (more) more(json_, record.sequence);
    json_.EndObject();
    return Status::Ok();
  }

 private:
  // By which operation it is retracted, and from where that came.
  Status AppendRetraction(const store::Record& record) {
    auto cause = standing_.CauseOf(store::RowOfRecord(record));
    if (!cause) return cause.error();
    if (!cause->has_value()) return Status::Ok();
    auto claim = reader_.Get((*cause)->claim);
    if (!claim) return claim.error();
    auto operation = reader_.Get((*cause)->operation);
    if (!operation) return operation.error();
    json_.Key("retraction");
    json_.BeginObject();
    json_.Field("assertion_id", ToHex(IdFrom(claim->id())));
    json_.Key("operation");
    json_.Raw({});
    model::AppendOperationJson(out_, operation->operation(), operation->sequence, operation->recorded_at_ms,
                               model::Content::kLeftOut);
    json_.EndObject();
    return Status::Ok();
  }

  Status AppendRestsOn(const model::ClaimView& claim) {
    json_.Key("rests_on");
    json_.BeginArray();
    Status status;
    index::ForEachLink(claim, [&](std::string_view name, index::LinkKind kind) {
      if (kind == index::LinkKind::kSource || !status.ok()) return;
      status = AppendLinked(IdFrom(name), kind == index::LinkKind::kParent ? "parent" : "derived_from");
    });
    json_.EndArray();
    return status;
  }

  Status AppendLinked(const Hash256& id, std::string_view relation) {
    auto sequence = reader_.Find(id);
    if (!sequence) return sequence.error();
    if (sequence->has_value()) {
      auto record = reader_.Get(**sequence);
      if (!record) return record.error();
      if (!record->is_operation()) return AppendBrief(json_, *record, relation, standing_);
    }
    json_.BeginObject();
    json_.Field("id", ToHex(id));
    json_.Field("relation", relation);
    json_.Field("status", "unknown");
    json_.EndObject();
    return Status::Ok();
  }

  Status AppendRestingOnIt(const store::Record& record) {
    json_.Key("resting_on_it");
    json_.BeginArray();
    bool is_any_cut = false;
    for (const index::LinkKind kind : {index::LinkKind::kDerivedFrom, index::LinkKind::kParent}) {
      std::vector<uint64_t> sequences;
      bool is_cut = false;
      STEMEDB_RETURN_IF_ERROR(reader_.VisitLinks(record.id(), kind, 0, UINT64_MAX, [&](uint64_t sequence) {
        is_cut = is_cut || sequences.size() == kTraceListMax;
        if (!is_cut) sequences.push_back(sequence);
        return !is_cut;
      }));
      is_any_cut = is_any_cut || is_cut;
      for (const uint64_t sequence : sequences) {
        auto resting = reader_.Get(sequence);
        if (!resting) return resting.error();
        STEMEDB_RETURN_IF_ERROR(AppendBrief(
            json_, *resting, kind == index::LinkKind::kParent ? "parent" : "derived_from", standing_));
      }
    }
    json_.EndArray();
    if (is_any_cut) {
      json_.Key("resting_on_it_cut");
      json_.Bool(true);
    }
    return Status::Ok();
  }

  // What names the claim, its path, a path above it, its source or its epoch.
  Status AppendOperations(const store::Record& record) {
    const model::ClaimView claim = record.claim();
    std::vector<uint64_t> sequences;
    const auto gather = [&](SubjectKind kind, std::string_view name, uint64_t sequence_min) -> Status {
      size_t left = kTraceListMax;
      return reader_.VisitOperations({kind, name}, sequence_min, UINT64_MAX, From::kNewest,
                                     [&](const store::OperationRow& row) {
                                       is_cut_ = is_cut_ || left == 0;
                                       if (left == 0) return false;
                                       --left;
                                       sequences.push_back(row.sequence);
                                       return true;
                                     });
    };
    for (const SubjectKind kind : {SubjectKind::kAssertion, SubjectKind::kVotesOn, SubjectKind::kReplacement})
      STEMEDB_RETURN_IF_ERROR(gather(kind, record.id(), 0));
    STEMEDB_RETURN_IF_ERROR(gather(SubjectKind::kPath, claim.concept_path(), record.sequence));
    for (std::string_view above = index::ParentOf(claim.concept_path()); !above.empty();
         above = index::ParentOf(above))
      STEMEDB_RETURN_IF_ERROR(gather(SubjectKind::kSubtree, above, record.sequence));
    if (!claim.source_id().empty())
      STEMEDB_RETURN_IF_ERROR(gather(SubjectKind::kSource, claim.source_id(), 0));
    if (!claim.epoch().empty()) {
      STEMEDB_RETURN_IF_ERROR(gather(SubjectKind::kEpoch, claim.epoch(), 0));
      STEMEDB_RETURN_IF_ERROR(gather(SubjectKind::kOldEpoch, claim.epoch(), 0));
    }
    std::sort(sequences.begin(), sequences.end());
    sequences.erase(std::unique(sequences.begin(), sequences.end()), sequences.end());
    json_.Key("operations");
    json_.BeginArray();
    for (const uint64_t sequence : sequences) {
      auto operation = reader_.Get(sequence);
      if (!operation) return operation.error();
      json_.Raw({});
      model::AppendOperationJson(out_, operation->operation(), sequence, operation->recorded_at_ms,
                                 model::Content::kLeftOut);
    }
    json_.EndArray();
    if (is_cut_) {
      json_.Key("operations_cut");
      json_.Bool(true);
    }
    return Status::Ok();
  }

  std::string& out_;
  JsonWriter json_;
  store::Reader& reader_;
  Standing& standing_;
  bool is_cut_ = false;
};

// What a source's records say together: its registration, and its latest status.
struct SourceState {
  uint64_t registered = 0;  // sequence; 0: it isn't
  uint64_t changed = 0;     // of the latest change; 0: none
  model::SourceStatus status = model::SourceStatus::kActive;
};

Result<SourceState> StateOf(std::string_view id, store::Reader& reader) {
  SourceState state;
  STEMEDB_RETURN_IF_ERROR(reader.VisitOperations(
      {SubjectKind::kSource, id}, 0, UINT64_MAX, From::kOldest, [&](const store::OperationRow& row) {
        if (row.operation.kind() == OperationKind::kSource) {
          if (state.registered == 0) state.registered = row.sequence;
          return true;
        }
        if (state.status == model::SourceStatus::kRetracted) return true;
        state.status = row.operation.kind() == OperationKind::kRetraction ? model::SourceStatus::kRetracted
                                                                          : row.operation.source_status();
        state.changed = row.sequence;
        return true;
      }));
  return state;
}

Status AppendState(JsonWriter& json, std::string& out, const SourceState& state, model::Content content,
                   store::Reader& reader) {
  auto record = reader.Get(state.registered);
  if (!record) return record.error();
  json.BeginObject();
  json.Key("source");
  json.Raw({});
  model::AppendOperationJson(out, record->operation(), record->sequence, record->recorded_at_ms, content);
  json.Field("status", NameOf(state.status));
  if (state.changed != 0) {
    auto change = reader.Get(state.changed);
    if (!change) return change.error();
    json.Key("status_since");
    json.Time(change->recorded_at_ms);
    json.Key("status_sequence");
    json.Unsigned(state.changed);
  }
  json.EndObject();
  return Status::Ok();
}

}  // namespace

Status AppendTrace(std::string& out, const Hash256& id, store::Reader& reader, Standing& standing,
                   const TraceMore& more) {
  auto sequence = reader.Find(id);
  if (!sequence) return sequence.error();
  if (sequence->has_value()) {
    auto record = reader.Get(**sequence);
    if (!record) return record.error();
    if (!record->is_operation()) return Trace(out, reader, standing).Append(*record, more);
  }
  return Status(Code::kNotFound, "unknown_assertion", "there is no assertion with the id " + ToHex(id));
}

Result<bool> IsRegisteredSource(std::string_view id, store::Reader& reader) {
  bool is_registered = false;
  STEMEDB_RETURN_IF_ERROR(reader.VisitOperations(
      {SubjectKind::kSource, id}, 0, UINT64_MAX, From::kOldest, [&](const store::OperationRow& row) {
        is_registered = row.operation.kind() == OperationKind::kSource;
        return !is_registered;
      }));
  return is_registered;
}

Status AppendSource(std::string& out, std::string_view id, store::Reader& reader) {
  auto state = StateOf(id, reader);
  if (!state) return state.error();
  if (state->registered == 0)
    return Status(Code::kNotFound, "unknown_source", "no source " + std::string(id) + " is registered");
  JsonWriter json(out);
  return AppendState(json, out, *state, model::Content::kKept, reader);
}

Status AppendSources(std::string& out, std::string_view after, size_t limit, store::Reader& reader,
                     Patience patience) {
  auto names = reader.Subjects(SubjectKind::kSource, after, limit + 1);
  if (!names) return names.error();
  JsonWriter json(out);
  json.BeginObject();
  json.Key("sources");
  json.BeginArray();
  const size_t start = out.size();
  size_t shown = 0;
  for (; shown < std::min(limit, names->size()) && out.size() - start < kPageBytesMax; ++shown) {
    STEMEDB_RETURN_IF_ERROR(patience.Check());
    auto state = StateOf((*names)[shown], reader);
    if (!state) return state.error();
    if (state->registered == 0) continue;  // retracted by its name alone
    STEMEDB_RETURN_IF_ERROR(AppendState(json, out, *state, model::Content::kLeftOut, reader));
  }
  json.EndArray();
  if (shown < names->size()) json.Field("next_cursor", (*names)[shown - 1]);
  json.EndObject();
  return Status::Ok();
}

Status AppendFeed(std::string& out, uint64_t before, size_t limit, store::Reader& reader,
                  Standing& standing) {
  JsonWriter json(out);
  json.BeginObject();
  json.Key("items");
  json.BeginArray();
  uint64_t sequence = std::min(before == 0 ? 0 : before - 1, reader.sequence());
  const size_t start = out.size();
  for (size_t i = 0; i < limit && sequence > 0 && out.size() - start < kPageBytesMax; ++i, --sequence) {
    STEMEDB_RETURN_IF_ERROR(standing.CheckPatience());
    auto record = reader.Get(sequence);
    if (!record) return record.error();
    json.BeginObject();
    json.Field("type", record->is_operation() ? "operation" : "assertion");
    json.Key(record->is_operation() ? "operation" : "assertion");
    json.Raw({});
    if (record->is_operation()) {
      model::AppendOperationJson(out, record->operation(), sequence, record->recorded_at_ms,
                                 model::Content::kLeftOut);
    } else {
      auto status = standing.StatusOf(store::RowOfRecord(*record));
      if (!status) return status.error();
      model::AppendClaimJson(out, record->claim(), sequence, record->recorded_at_ms, NameOf(*status));
    }
    json.EndObject();
  }
  json.EndArray();
  if (sequence > 0) json.Field("next_cursor", std::to_string(sequence + 1));
  json.EndObject();
  return Status::Ok();
}

}  // namespace stemedb::query
