// SPDX-License-Identifier: Apache-2.0
// All arithmetic is in nanoseconds of refilling: a debt is how long the bucket takes to be full again, and an
// empty bucket's debt is its window.
#include "defense/limiter.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace stemedb::defense {
namespace {

constexpr double kNsPerSecond = 1e9;
// No cost puts a bucket further into debt than so many windows: the moment stays a number, whatever the
// price.
constexpr double kWindowsOfDebtMax = 64;

}  // namespace

Limiter::Limiter(Options options, const KeyedHash& hash)
    : hash_(hash),
      sets_count_(std::bit_ceil(std::max<size_t>(options.buckets_max, kWays)) / kWays),
      sets_(new Set[sets_count_]),
      locks_(new Lock[kLocks]) {}

Limiter::Place Limiter::PlaceOf(std::string_view subject, std::string_view name) const {
  const uint64_t key = hash_.Of(hash_.Of(subject) ^ std::rotl(hash_.Of(name), 1));
  const size_t set = key & (sets_count_ - 1);
  return {&sets_[set], &locks_[set % kLocks].mutex, key};
}

// The key's own place, else the one that a newcomer would take: of the bucket that is full, or soonest will
// be.
size_t Limiter::WayOf(const Set& set, uint64_t key) {
  size_t soonest = 0;
  for (size_t way = 0; way < kWays; ++way) {
    if (set.keys[way] == key) return way;
    if (set.full_at_ns[way] < set.full_at_ns[soonest]) soonest = way;
  }
  return soonest;
}

Level Limiter::Take(std::string_view subject, const Bucket& bucket, double cost, int64_t now_ns,
                    Taking taking) const {
  const double window_ns = bucket.window_s * kNsPerSecond;
  const float window_s = std::max(static_cast<float>(bucket.window_s), std::numeric_limits<float>::min());
  const double cost_ns = std::min(cost / bucket.limit, kWindowsOfDebtMax) * window_ns;
  const Place place = PlaceOf(subject, bucket.name);

  const std::lock_guard lock(*place.mutex);
  const size_t way = WayOf(*place.set, place.key);
  double debt_ns = std::max(0.0, static_cast<double>(place.set->full_at_ns[way] - now_ns));
  if (place.set->keys[way] != place.key) {
    debt_ns = std::min(debt_ns, window_ns);  // inherited
  } else if (const float before_s = place.set->windows_s[way]; before_s != window_s && debt_ns > 0) {
    // The same share of another window: nobody waits for one that is no more.
    debt_ns = std::min(debt_ns * (bucket.window_s / before_s), kWindowsOfDebtMax * window_ns);
  }

  Level level;
  const double after_ns = debt_ns + cost_ns;
  const double room_ns = std::max(window_ns, cost_ns) + 1;  // a nanosecond for rounding
  level.has_room = after_ns <= room_ns;
  if (!level.has_room) level.room_in_s = (after_ns - room_ns) / kNsPerSecond;
  if (taking == Taking::kWhatThereIs) {
    debt_ns = std::max(debt_ns, std::min(after_ns, window_ns));
  } else if (level.has_room) {
    debt_ns = after_ns;
  }
  level.remaining = std::max(0.0, 1 - debt_ns / window_ns) * bucket.limit;
  level.full_in_s = debt_ns / kNsPerSecond;
  if (taking != Taking::kNothing && debt_ns > 0) {
    place.set->keys[way] = place.key;
    place.set->windows_s[way] = window_s;
    place.set->full_at_ns[way] = now_ns + static_cast<int64_t>(std::ceil(debt_ns));
  }
  return level;
}

Level Limiter::Look(std::string_view subject, const Bucket& bucket, double cost, int64_t now_ns) const {
  return Take(subject, bucket, cost, now_ns, Taking::kNothing);
}

Level Limiter::Charge(std::string_view subject, const Bucket& bucket, double cost, int64_t now_ns) {
  return Take(subject, bucket, cost, now_ns, Taking::kIfRoom);
}

Level Limiter::Drain(std::string_view subject, const Bucket& bucket, double cost, int64_t now_ns) {
  return Take(subject, bucket, cost, now_ns, Taking::kWhatThereIs);
}

}  // namespace stemedb::defense
