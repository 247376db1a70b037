// SPDX-License-Identifier: Apache-2.0
#include "api/stored_claims.h"

#include "base/json_writer.h"
#include "query/standing.h"

namespace stemedb::api {

void AppendStatusesNow(LoopContext& context, std::span<const store::ItemResult> items,
                       std::vector<std::string_view>& statuses) {
  const size_t end = statuses.size() + items.size();
  std::vector<uint64_t> sequences;
  for (const store::ItemResult& item : items) sequences.push_back(item.sequence);
  const Status looked = context.engine().Statuses(sequences, statuses);
  if (!looked.ok()) context.CountError(looked);  // the claims are stored all the same
  statuses.resize(end);
}

void AppendStored(std::string& out, std::optional<size_t> index, const Hash256& id,
                  const store::ItemResult& item, std::string_view status_now) {
  const std::string hex = ToHex(id);
  JsonWriter json(out);
  json.BeginObject();
  if (index) {
    json.Key("index");
    json.Unsigned(*index);
  }
  json.Field("status", item.duplicate ? "duplicate" : "created");
  json.Field("id", hex);
  json.Field("hash", hex);
  json.Key("sequence");
  json.Unsigned(item.sequence);
  json.Key("recorded_at");
  json.Time(item.recorded_at_ms);
  if (!status_now.empty() && status_now != NameOf(query::ClaimStatus::kActive))
    json.Field("status_now", status_now);
  json.EndObject();
}

}  // namespace stemedb::api
