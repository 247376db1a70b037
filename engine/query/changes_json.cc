// SPDX-License-Identifier: Apache-2.0
// Changes as JSON: each is an item as in the feed, and behind it what it has done.
#include <map>
#include <string>

#include "query/change_finder.h"

namespace stemedb::query {
namespace {

using model::OperationKind;
using model::SubjectKind;

void AppendStatus(JsonWriter& json, std::string_view name, const std::optional<ClaimStatus>& status) {
  json.Key(name);
  if (status) {
    json.String(NameOf(*status));
  } else {
    json.Null();
  }
}

void AppendPaths(JsonWriter& json, std::string_view name, const std::vector<std::string>& paths) {
  json.Key(name);
  json.BeginArray();
  for (const std::string& path : paths) json.String(path);
  json.EndArray();
}

class ChangesWriter {
 public:
  ChangesWriter(std::string& out, JsonWriter& json, uint64_t sequence_max, store::Reader& reader,
                Standing& standing)
      : out_(out), json_(json), sequence_max_(sequence_max), reader_(reader), standing_(standing) {}

  Status Append(const Change& change) {
    auto record = reader_.Get(change.sequence);
    if (!record) return record.error();
    json_.BeginObject();
    STEMEDB_RETURN_IF_ERROR(record->is_operation() ? AppendOperation(*record) : AppendAssertion(*record));
    json_.Key("claims");
    json_.BeginArray();
    for (const ChangedClaim& claim : change.claims) {
      json_.BeginObject();
      json_.Key("id");
      json_.Hex(claim.id);
      json_.Key("sequence");
      json_.Unsigned(claim.sequence);
      AppendStatus(json_, "from", claim.from);
      AppendStatus(json_, "to", claim.to);
      json_.EndObject();
    }
    json_.EndArray();
    if (change.is_cut) {
      json_.Key("claims_cut");
      json_.Bool(true);
    }
    if (record->is_operation()) STEMEDB_RETURN_IF_ERROR(AppendEffect(record->operation(), change));
    json_.EndObject();
    return Status::Ok();
  }

 private:
  Status AppendAssertion(const store::Record& record) {
    auto ends = standing_.EndsOf(store::RowOfRecord(record));
    if (!ends) return ends.error();
    json_.Field("type", "assertion");
    json_.Key("assertion");
    json_.Raw({});
    model::AppendClaimJson(out_, record.claim(), record.sequence, record.recorded_at_ms,
                           NameOf(ends->StatusAt(sequence_max_)));
    return Status::Ok();
  }

  Status AppendOperation(const store::Record& record) {
    json_.Field("type", "operation");
    json_.Key("operation");
    json_.Raw({});
    model::AppendOperationJson(out_, record.operation(), record.sequence, record.recorded_at_ms,
                               model::Content::kLeftOut);
    return Status::Ok();
  }

  Status AppendEffect(const model::OperationView& operation, const Change& change) {
    switch (operation.kind()) {
      case OperationKind::kVote:
        return AppendVotes(operation.subject().name);
      case OperationKind::kTrust:
        return AppendTrust(operation, change.sequence);
      case OperationKind::kAlias:
        json_.Key("paths");
        json_.BeginObject();
        AppendPaths(json_, "joined", change.joined);
        AppendPaths(json_, "left", change.left);
        json_.EndObject();
        break;
      case OperationKind::kSupersession:
      case OperationKind::kRetraction:
      case OperationKind::kEpoch:
      case OperationKind::kSource:
      case OperationKind::kSourceStatus:
        break;
    }
    return Status::Ok();
  }

  // All votes on the claim, at the answer's moment. Those of the past are counted anew each time.
  Status AppendVotes(std::string_view assertion_id) {
    auto known = tallies_.find(assertion_id);
    if (known == tallies_.end()) {
      auto tally = reader_.VotesOn(assertion_id, sequence_max_);
      if (!tally) return tally.error();
      known = tallies_.emplace(std::string(assertion_id), *tally).first;
    }
    json_.Key("votes");
    json_.BeginObject();
    json_.Key("count");
    json_.Unsigned(known->second.count);
    json_.Key("weight");
    json_.Number(known->second.weight_sum());
    json_.EndObject();
    return Status::Ok();
  }

  Status AppendTrust(const model::OperationView& operation, uint64_t sequence) {
    double before = kTrustAtStart;
    STEMEDB_RETURN_IF_ERROR(reader_.VisitOperations({SubjectKind::kAgent, operation.other_id()}, 0,
                                                    sequence - 1, store::From::kNewest,
                                                    [&](const store::OperationRow& row) {
                                                      before = row.operation.number();
                                                      return false;
                                                    }));
    json_.Key("trust");
    json_.BeginObject();
    json_.Key("from");
    json_.Number(before);
    json_.Key("to");
    json_.Number(operation.number());
    json_.EndObject();
    return Status::Ok();
  }

  std::string& out_;
  JsonWriter& json_;
  const uint64_t sequence_max_;
  store::Reader& reader_;
  Standing& standing_;
  std::map<std::string, index::Tally, std::less<>> tallies_;  // by claim
};

}  // namespace

Status AppendChanges(std::string& out, JsonWriter& json, const ChangesPage& page, const Viewpoint& viewpoint,
                     store::Reader& reader, Standing& standing, const AnswerBound& bound) {
  ChangesWriter writer(out, json, viewpoint.sequence_max, reader, standing);
  json.BeginArray();
  for (const Change& change : page.changes) {
    STEMEDB_RETURN_IF_ERROR(standing.CheckPatience());
    STEMEDB_RETURN_IF_ERROR(writer.Append(change));
    STEMEDB_RETURN_IF_ERROR(bound.Check());
  }
  json.EndArray();
  return Status::Ok();
}

}  // namespace stemedb::query
