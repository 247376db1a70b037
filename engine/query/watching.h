// SPDX-License-Identifier: Apache-2.0
// Watching: which records of the log concern a question that is asked again and again, without asking it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "query/question.h"
#include "script/lens.h"
#include "store/reader.h"

namespace stemedb::query {

// A place that a record is about. Borrows the record's bytes, or the reader's: until its next Refresh.
struct Place {
  std::string_view concept_path;
  std::string_view predicate;  // empty: all
  bool subtree = false;        // all below concept_path
};

struct Concern {
  std::vector<Place> places;  // none: it names no concept path, and no claim that is there
  // It may change what any lens says: trust, epochs, sources, cascades, and a claim that one of these was
  // about before it came.
  bool anywhere = false;
  bool is_alias = false;  // what the places stand for has changed
};

// What the record is about: a claim, the paths and claims that an operation names. `concern` is filled anew.
Status FindConcern(const store::Record& record, store::Reader& reader, Concern& concern);

// What is watched, as questions name it: one concept with the paths that stand for it, or all below a path.
struct WatchedScope {
  std::vector<std::string> paths;  // one for a subtree; never empty
  bool subtree = false;
  std::string predicate;  // empty: all

  bool is_everything() const { return subtree && paths.front().empty(); }
};
bool Covers(const WatchedScope& scope, const Place& place);
// Whether the record is about a place in the scope. What is about no place is told to those who watch
// everything; `anywhere` is another question.
bool IsAbout(const Concern& concern, const WatchedScope& scope);

// The path one level up; empty for a root. What every path below this one begins with.
std::string_view PathAbove(std::string_view concept_path);
std::string PrefixBelow(std::string_view concept_path);

// The scope's paths at a moment of the log, from the one that was asked for. kOutOfRange "too_many_aliases".
Status FindPaths(store::Reader& reader, uint64_t sequence_max, const std::string& path, WatchedScope& scope);

// Whether the question's lens is there and takes its parameters. kNotFound "unknown_lens", kInvalidArgument
// "invalid_params".
Status CheckLens(const script::ScriptSet& scripts, const Question& question);

}  // namespace stemedb::query
