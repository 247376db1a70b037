// SPDX-License-Identifier: Apache-2.0
// The names of the enumerations: written once here, read and written from the same tables.
#include "model/assertion.h"

#include "base/check.h"

namespace stemedb::model {
namespace {

constexpr std::string_view kSourceClassNames[] = {"regulatory", "clinical",  "observational",
                                                  "expert",     "community", "anecdotal"};
static_assert(std::size(kSourceClassNames) == kSourceClassCount);

constexpr std::string_view kLifecycleNames[] = {"proposed", "under_review", "approved", "deprecated",
                                                "rejected"};

template <typename Enum, size_t n>
std::optional<Enum> Find(const std::string_view (&names)[n], std::string_view name) {
  for (size_t i = 0; i < n; ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
  }
  return {};
}

}  // namespace

std::string_view NameOf(SourceClass source_class) {
  const auto at = static_cast<size_t>(source_class);
  STEMEDB_CHECK(at < std::size(kSourceClassNames));
  return kSourceClassNames[at];
}

std::optional<SourceClass> SourceClassOf(std::string_view name) {
  return Find<SourceClass>(kSourceClassNames, name);
}

std::string_view NameOf(Lifecycle lifecycle) {
  const auto at = static_cast<size_t>(lifecycle);
  STEMEDB_CHECK(at < std::size(kLifecycleNames));
  return kLifecycleNames[at];
}

std::optional<Lifecycle> LifecycleOf(std::string_view name) { return Find<Lifecycle>(kLifecycleNames, name); }

}  // namespace stemedb::model
