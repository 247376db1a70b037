// SPDX-License-Identifier: Apache-2.0
#include "query/aliases.h"

#include <algorithm>
#include <optional>
#include <set>

namespace stemedb::query {
namespace {

using model::SubjectKind;

Status TooMany(std::string_view path) {
  return Status(Code::kOutOfRange, "too_many_aliases",
                std::string(path) + " has more than " + std::to_string(kAliasesMax) +
                    " aliases, or a chain of so many, or more than " + std::to_string(kAliasStatementsMax) +
                    " statements were made about them");
}

// The target of one alias; nothing when the path is none, or is none any more: what stands for itself was
// taken back.
Result<std::optional<std::string>> TargetOf(store::Reader& reader, uint64_t sequence_max,
                                            std::string_view path) {
  std::optional<std::string> target;
  STEMEDB_RETURN_IF_ERROR(reader.VisitOperations({SubjectKind::kAlias, path}, 0, sequence_max,
                                                 store::From::kNewest, [&](const store::OperationRow& row) {
                                                   const std::string_view now =
                                                       row.operation.second_subject().name;
                                                   if (now != path) target = now;
                                                   return false;
                                                 }));
  return target;
}

}  // namespace

Result<std::string> ConceptOf(store::Reader& reader, uint64_t sequence_max, std::string_view path) {
  std::string at(path);
  for (size_t steps = 0; steps <= kAliasesMax; ++steps) {
    auto target = TargetOf(reader, sequence_max, at);
    if (!target) return target.error();
    if (!target->has_value()) return at;
    at = std::move(**target);
  }
  return TooMany(path);
}

Status CoverAliases(store::Reader& reader, uint64_t sequence_max, std::string& path,
                    std::vector<std::string>& aliases) {
  auto concept_path = ConceptOf(reader, sequence_max, path);
  if (!concept_path) return concept_path.error();
  path = std::move(*concept_path);
  const auto statements = AliasesOf(reader, sequence_max, path, aliases);
  return statements ? Status::Ok() : statements.error();
}

Result<size_t> AliasesOf(store::Reader& reader, uint64_t sequence_max, std::string_view path,
                         std::vector<std::string>& aliases) {
  aliases.clear();
  size_t statements = 0;
  std::set<std::string> pointing;  // an alias may have been given its target more than once
  std::vector<std::string> todo{std::string(path)};
  while (!todo.empty()) {
    const std::string target = std::move(todo.back());
    todo.pop_back();
    pointing.clear();
    STEMEDB_RETURN_IF_ERROR(reader.VisitOperations({SubjectKind::kAliasTarget, target}, 0, sequence_max,
                                                   store::From::kOldest, [&](const store::OperationRow& row) {
                                                     pointing.emplace(row.operation.subject().name);
                                                     return ++statements <= kAliasStatementsMax;
                                                   }));
    if (statements > kAliasStatementsMax) return TooMany(path);
    for (const std::string& alias : pointing) {
      auto now = TargetOf(reader, sequence_max, alias);
      if (!now) return now.error();
      if (*now != target || alias == path ||
          std::find(aliases.begin(), aliases.end(), alias) != aliases.end())
        continue;
      if (aliases.size() == kAliasesMax) return TooMany(path);
      aliases.push_back(alias);
      todo.push_back(alias);
    }
  }
  std::sort(aliases.begin(), aliases.end());
  return statements;
}

}  // namespace stemedb::query
