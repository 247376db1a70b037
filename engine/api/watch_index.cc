// SPDX-License-Identifier: Apache-2.0
#include "api/watch_index.h"

namespace stemedb::api {

void WatchIndex::Add(Watched* watched) {
  Lists& lists = watched->scope.subtree ? subtrees_ : exact_;
  for (const std::string& path : watched->scope.paths) lists[path].push_back(watched);
}

void WatchIndex::Remove(Watched* watched) {
  Lists& lists = watched->scope.subtree ? subtrees_ : exact_;
  for (const std::string& path : watched->scope.paths) Take(lists, path, watched);
}

void WatchIndex::Take(Lists& lists, const std::string& path, Watched* watched) {
  const auto at = lists.find(path);
  std::erase(at->second, watched);
  if (at->second.empty()) lists.erase(at);
}

void WatchIndex::Find(const std::vector<query::Place>& places, std::vector<Watched*>& found) {
  found.clear();
  ++searches_;
  for (const query::Place& place : places) FindAt(place, found);
  if (places.empty()) FindIn(subtrees_, {}, {}, found);
}

void WatchIndex::FindAt(const query::Place& place, std::vector<Watched*>& found) {
  if (place.subtree) {
    FindBelow(exact_, place, found);
    FindBelow(subtrees_, place, found);
    FindIn(subtrees_, place.concept_path, place, found);
  } else {
    FindIn(exact_, place.concept_path, place, found);
  }
  for (std::string_view at = place.concept_path; !at.empty();) {
    at = query::PathAbove(at);
    FindIn(subtrees_, at, place, found);
  }
}

// All lists of paths below the place's.
void WatchIndex::FindBelow(const Lists& lists, const query::Place& place, std::vector<Watched*>& found) {
  const std::string prefix = query::PrefixBelow(place.concept_path);
  for (auto at = lists.lower_bound(prefix); at != lists.end() && at->first.starts_with(prefix); ++at)
    Offer(at->second, place, found);
}

void WatchIndex::FindIn(const Lists& lists, std::string_view path, const query::Place& place,
                        std::vector<Watched*>& found) {
  const auto at = lists.find(path);
  if (at != lists.end()) Offer(at->second, place, found);
}

void WatchIndex::Offer(const std::vector<Watched*>& list, const query::Place& place,
                       std::vector<Watched*>& found) {
  for (Watched* watched : list) {
    if (watched->found_by == searches_ || !query::Covers(watched->scope, place)) continue;
    watched->found_by = searches_;
    found.push_back(watched);
  }
}

}  // namespace stemedb::api
