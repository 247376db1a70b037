// SPDX-License-Identifier: Apache-2.0
// What LMDB holds, key by key, so that two databases can be held against each other to the byte.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "kv/environment.h"
#include "kv/txn.h"

namespace stemedb::testing {

using Pairs = std::vector<std::pair<std::string, std::string>>;

// Everything that an environment's database holds.
inline Pairs Contents(kv::Environment& environment, kv::Database database) {
  Pairs pairs;
  auto txn = kv::ReadTxn::Open(&environment);
  EXPECT_TRUE(txn.has_value());
  const kv::ReadScope scope(**txn);
  auto cursor = kv::Cursor::Open(**txn, database);
  for (Status moved = cursor->First(); moved.ok() && cursor->valid(); moved = cursor->Next())
    pairs.emplace_back(cursor->key(), cursor->value());
  return pairs;
}

inline std::map<std::string, std::string> Contents(kv::Environment& environment, const std::string& name) {
  const auto database = environment.OpenDatabase(name, kv::IfMissing::kFail);
  EXPECT_TRUE(database.has_value()) << name;
  std::map<std::string, std::string> contents;
  if (!database) return contents;
  for (auto& [key, value] : Contents(environment, *database))
    contents.emplace(std::move(key), std::move(value));
  return contents;
}

// Every table of a claim index, by its name.
inline std::map<std::string, std::map<std::string, std::string>> TablesOf(kv::Environment& index) {
  std::map<std::string, std::map<std::string, std::string>> tables;
  for (const char* name : {"claims", "concepts", "operations", "votes", "links", "meta"})
    tables[name] = Contents(index, std::string(name));
  return tables;
}

}  // namespace stemedb::testing
