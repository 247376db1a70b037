// SPDX-License-Identifier: Apache-2.0
#include "query/trust.h"

#include <algorithm>
#include <vector>

#include "base/bytes.h"
#include "base/json_writer.h"
#include "query/standing.h"

namespace stemedb::query {
namespace {

using model::SubjectKind;
using store::From;

// The sequences of statements about an agent, the newest first: at most `count`, below `before`.
Result<std::vector<uint64_t>> StatementsOn(std::string_view agent, uint64_t before, size_t count,
                                           store::Reader& reader) {
  std::vector<uint64_t> sequences;
  if (before == 0 || count == 0) return sequences;
  STEMEDB_RETURN_IF_ERROR(reader.VisitOperations({SubjectKind::kAgent, agent}, 0, before - 1, From::kNewest,
                                                 [&](const store::OperationRow& row) {
                                                   sequences.push_back(row.sequence);
                                                   return sequences.size() < count;
                                                 }));
  return sequences;
}

Status AppendStatement(std::string& out, JsonWriter& json, uint64_t sequence, store::Reader& reader) {
  auto record = reader.Get(sequence);
  if (!record) return record.error();
  json.Raw({});
  model::AppendOperationJson(out, record->operation(), sequence, record->recorded_at_ms);
  return Status::Ok();
}

Status AppendAgent(JsonWriter& json, std::string_view agent, store::Reader& reader) {
  auto latest = StatementsOn(agent, UINT64_MAX, 1, reader);
  if (!latest) return latest.error();
  if (latest->empty()) return Status::Ok();
  auto record = reader.Get(latest->front());
  if (!record) return record.error();
  const model::OperationView statement = record->operation();
  json.BeginObject();
  json.Key("agent_id");
  json.Hex(AsBytes(agent));
  json.Key("rank");
  json.Number(statement.number());
  json.Key("since");
  json.Time(record->recorded_at_ms);
  json.Key("sequence");
  json.Unsigned(record->sequence);
  json.Key("set_by");
  if (statement.anonymous()) {
    json.Null();
  } else {
    json.Hex(AsBytes(statement.agent_id()));
  }
  json.EndObject();
  return Status::Ok();
}

}  // namespace

Status AppendTrusts(std::string& out, std::string_view after, size_t limit, store::Reader& reader) {
  auto agents = reader.Subjects(SubjectKind::kAgent, after, limit + 1);
  if (!agents) return agents.error();
  const bool has_more = agents->size() > limit;
  if (has_more) agents->resize(limit);
  JsonWriter json(out);
  json.BeginObject();
  json.Key("agents");
  json.BeginArray();
  for (const std::string& agent : *agents) STEMEDB_RETURN_IF_ERROR(AppendAgent(json, agent, reader));
  json.EndArray();
  if (has_more) json.Field("next_cursor", ToHex(AsBytes(agents->back())));
  json.EndObject();
  return Status::Ok();
}

Status AppendTrust(std::string& out, const model::AgentId& agent, uint64_t before, size_t limit,
                   store::Reader& reader) {
  auto latest = StatementsOn(AsView(agent), UINT64_MAX, 1, reader);
  if (!latest) return latest.error();
  auto history = StatementsOn(AsView(agent), before, limit + 1, reader);
  if (!history) return history.error();
  const bool has_more = history->size() > limit;
  if (has_more) history->resize(limit);

  JsonWriter json(out);
  json.BeginObject();
  json.Key("agent_id");
  json.Hex(agent);
  json.Key("rank");
  if (latest->empty()) {
    json.Number(kTrustAtStart);
    json.Key("statement");
    json.Null();
  } else {
    auto record = reader.Get(latest->front());
    if (!record) return record.error();
    json.Number(record->operation().number());
    json.Key("statement");
    STEMEDB_RETURN_IF_ERROR(AppendStatement(out, json, latest->front(), reader));
  }
  json.Key("history");
  json.BeginArray();
  for (const uint64_t sequence : *history)
    STEMEDB_RETURN_IF_ERROR(AppendStatement(out, json, sequence, reader));
  json.EndArray();
  if (has_more && limit > 0) json.Field("next_cursor", std::to_string(history->back()));
  json.EndObject();
  return Status::Ok();
}

}  // namespace stemedb::query
