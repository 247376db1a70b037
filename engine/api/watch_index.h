// SPDX-License-Identifier: Apache-2.0
// WatchIndex: finds those who watch a place, at the cost of its depth and of those found. Watchers of one
// concept stand under each of its paths, those of a subtree under its root.
//
// Used on its loop's thread alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "query/watching.h"

namespace stemedb::api {

struct Watched {
  query::WatchedScope scope;  // changed only while not in the index
  uint64_t found_by = 0;      // the index's: which search has found it
};

class WatchIndex {
 public:
  void Add(Watched* watched);
  void Remove(Watched* watched);
  // Those whom any of the places concerns, each once, in no order; with no places, those who watch
  // everything. Replaces `found`.
  void Find(const std::vector<query::Place>& places, std::vector<Watched*>& found);

 private:
  using Lists = std::map<std::string, std::vector<Watched*>, std::less<>>;

  static void Take(Lists& lists, const std::string& path, Watched* watched);
  void FindAt(const query::Place& place, std::vector<Watched*>& found);
  void FindBelow(const Lists& lists, const query::Place& place, std::vector<Watched*>& found);
  void FindIn(const Lists& lists, std::string_view path, const query::Place& place,
              std::vector<Watched*>& found);
  void Offer(const std::vector<Watched*>& list, const query::Place& place, std::vector<Watched*>& found);

  Lists exact_;     // by path
  Lists subtrees_;  // by the path above
  uint64_t searches_ = 0;
};

}  // namespace stemedb::api
