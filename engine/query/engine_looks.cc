// SPDX-License-Identifier: Apache-2.0
// Single records, lists, and what operations must find: whatever is answered without a lens and without a
// question.
#include "query/answer_json.h"
#include "query/engine_impl.h"
#include "query/provenance.h"
#include "query/trust.h"

namespace stemedb::query {

// Of a claim in view, which Standing has begun on.
Result<std::string_view> Engine::Impl::StatusOf(const store::Record& record) {
  if (!standing.AnyOperation()) return NameOf(ClaimStatus::kActive);
  auto status = standing.StatusOf(store::RowOfRecord(record));
  if (!status) return status.error();
  return NameOf(*status);
}

Status Engine::Statuses(std::span<const uint64_t> sequences, std::vector<std::string_view>& statuses) {
  return impl_->Look([&]() -> Status {
    for (const uint64_t sequence : sequences) {
      auto record = impl_->reader->Get(sequence);
      if (!record) return record.error();
      auto status = impl_->StatusOf(*record);
      const std::string_view reason = status ? std::string_view() : status.error().reason();
      if (!status && reason != kLineageTooLarge && reason != kHandOverReason) return status.error();
      statuses.push_back(status ? *status : std::string_view());
    }
    return Status::Ok();
  });
}

Status Engine::Assertion(const Hash256& id, std::string& out) {
  return impl_->Look([&]() -> Status {
    auto sequence = impl_->reader->Find(id);
    if (!sequence) return sequence.error();
    const auto unknown = [&] {
      return Status(Code::kNotFound, "unknown_assertion", "there is no assertion with the id " + ToHex(id));
    };
    if (!sequence->has_value()) return unknown();
    auto record = impl_->reader->Get(**sequence);
    if (!record) return record.error();
    if (record->is_operation()) return unknown();
    auto status = impl_->StatusOf(*record);
    if (!status) return status.error();
    model::AppendClaimJson(out, record->claim(), record->sequence, record->recorded_at_ms, *status);
    return Status::Ok();
  });
}

Status Engine::Trace(const Hash256& id, std::string& out, const TraceMore& more) {
  return impl_->Look([&] { return AppendTrace(out, id, *impl_->reader, impl_->standing, more); });
}

Status Engine::Source(std::string_view id, std::string& out) {
  return impl_->Look([&] { return AppendSource(out, id, *impl_->reader); });
}

Status Engine::Sources(std::string_view after, size_t limit, std::string& out) {
  return impl_->Look([&] { return AppendSources(out, after, limit, *impl_->reader, impl_->patience()); });
}

Result<bool> Engine::IsRegisteredSource(std::string_view id) {
  bool is_registered = false;
  Status looked = impl_->Look([&]() -> Status {
    auto found = query::IsRegisteredSource(id, *impl_->reader);
    if (!found) return found.error();
    is_registered = *found;
    return Status::Ok();
  });
  return looked.ok() ? Result<bool>(is_registered) : Result<bool>(std::move(looked));
}

Status Engine::Feed(uint64_t before, size_t limit, std::string& out) {
  return impl_->Look([&] { return AppendFeed(out, before, limit, *impl_->reader, impl_->standing); });
}

Status Engine::Trusts(std::string_view after, size_t limit, std::string& out) {
  return impl_->Look([&] { return AppendTrusts(out, after, limit, *impl_->reader); });
}

Status Engine::Trust(const model::AgentId& agent, uint64_t before, size_t limit, std::string& out) {
  return impl_->Look([&] { return AppendTrust(out, agent, before, limit, *impl_->reader); });
}

Status Engine::Check(const model::Operation& operation, const Hash256& id, Authority authority,
                     store::Judgement& judgement) {
  return impl_->Look([&] {
    return CheckOperation(operation, id, authority, *impl_->reader, judgement, impl_->options.chain_max);
  });
}

Status Engine::CheckAgent(const model::Operation& operation) {
  return impl_->Look([&] { return query::CheckAgent(operation, *impl_->reader); });
}

Result<bool> Engine::IsThere(const Hash256& id) {
  bool is_there = false;
  Status looked = impl_->Look([&]() -> Status {
    auto found = impl_->reader->Find(id);
    if (!found) return found.error();
    is_there = found->has_value();
    return Status::Ok();
  });
  return looked.ok() ? Result<bool>(is_there) : Result<bool>(std::move(looked));
}

Result<Impact> Engine::ImpactOf(const model::Operation& operation, const ImpactBounds& bounds) {
  Impact impact;
  Status looked = impl_->Look([&]() -> Status {
    auto found = query::ImpactOf(operation, *impl_->reader, impl_->standing, bounds);
    if (!found) return found.error();
    impact = std::move(*found);
    return Status::Ok();
  });
  return looked.ok() ? Result<Impact>(std::move(impact)) : Result<Impact>(std::move(looked));
}

Status Engine::Concepts(std::string_view prefix, std::string_view after, size_t limit, std::string& out) {
  const AtEnd end([this] { impl_->Rest(); });
  const telemetry::ScopedTimer timer(impl_->concepts_lookup_seconds);
  STEMEDB_RETURN_IF_ERROR(impl_->reader->Refresh());
  auto children = impl_->reader->Children(prefix, after, limit + 1);
  if (!children) return children.error();
  JsonWriter json(out);
  WriteConcepts(json, prefix, *children, limit);
  return Status::Ok();
}

uint64_t Engine::assertion_count() {
  const AtEnd end([this] { impl_->Rest(); });
  return impl_->reader->Refresh().ok() ? impl_->reader->assertion_count() : 0;
}

}  // namespace stemedb::query
