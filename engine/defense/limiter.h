// SPDX-License-Identifier: Apache-2.0
// Limiter: token buckets for any number of subjects in a fixed amount of memory. A bucket belongs to a
// subject (an agent, an address: bytes that the caller chooses) and has a name; it holds `limit` points when
// it is full and fills itself evenly within `window_s`. What is stored is the moment at which the bucket will
// be full again, and the window that this was reckoned with, so that refilling costs nothing and a full
// bucket needs no place at all.
//
// When there are more buckets than places. Buckets live in sets of eight places, chosen by a hash under a
// secret, and a newcomer takes a free place or that of a full bucket. If all eight are in debt, it takes the
// place of the one that will be full soonest, and *inherits its debt* (up to an empty bucket of its own). So
// debt is never forgotten: nobody refills his bucket by pushing it out, since whoever takes its place takes
// over the debt, and comes back he as a newcomer, he inherits the smallest debt of the set. The price: in a
// table full of debtors, newcomers may find a bucket that is not quite full. With 131,072 places that takes
// tens of thousands of subjects in debt at the same time, and all their points are paid for.
//
// Threads: any; the time is passed in, monotonic, and may differ a little between threads. A call takes one
// of 256 locks for some 20 ns.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>

#include "base/keyed_hash.h"

namespace stemedb::defense {

// A bucket as a policy describes it. Limits and windows of the same name may change from call to call: the
// share that is left stays the same.
struct Bucket {
  std::string_view name;
  double limit = 0;     // points, above 0
  double window_s = 0;  // from empty to full, above 0 and at most kWindowSecondsMax
};
inline constexpr double kWindowSecondsMax = 31 * 86400.0;

struct Level {
  bool has_room = false;  // for the cost that was asked for
  double remaining = 0;   // points, after it was taken; 0 for a bucket in debt beyond empty
  double room_in_s = 0;   // until there is room for the cost; 0 when there is
  double full_in_s = 0;   // until the bucket is full
};

class Limiter {
 public:
  struct Options {
    size_t buckets_max = 131'072;  // rounded up to a power of two; 20 bytes each
  };
  explicit Limiter(Options options, const KeyedHash& hash = KeyedHash::OfProcess());
  Limiter(const Limiter&) = delete;
  Limiter& operator=(const Limiter&) = delete;

  // What Charge would say; takes nothing and stores nothing.
  Level Look(std::string_view subject, const Bucket& bucket, double cost, int64_t now_ns) const;
  // Takes `cost` points (finite, 0 or more) if there is room, else nothing. There is room for a cost above
  // the limit when the bucket is full: it then goes into debt, so that no request is impossible and the rate
  // still holds.
  Level Charge(std::string_view subject, const Bucket& bucket, double cost, int64_t now_ns);
  // Takes `cost` points, or what is left when that is less: for what has been used already.
  Level Drain(std::string_view subject, const Bucket& bucket, double cost, int64_t now_ns);

 private:
  static constexpr size_t kWays = 8;
  static constexpr size_t kLocks = 256;
  struct Set {
    std::array<uint64_t, kWays> keys{};
    std::array<int64_t, kWays> full_at_ns{};  // a place whose moment has passed is free
    std::array<float, kWays> windows_s{};     // when that was last set
  };
  struct alignas(64) Lock {
    std::mutex mutex;
  };
  struct Place {
    Set* set;
    std::mutex* mutex;
    uint64_t key;
  };
  enum class Taking : uint8_t { kNothing, kIfRoom, kWhatThereIs };

  Place PlaceOf(std::string_view subject, std::string_view name) const;
  static size_t WayOf(const Set& set, uint64_t key);
  Level Take(std::string_view subject, const Bucket& bucket, double cost, int64_t now_ns,
             Taking taking) const;

  const KeyedHash& hash_;
  const size_t sets_count_;
  const std::unique_ptr<Set[]> sets_;
  const std::unique_ptr<Lock[]> locks_;
};

}  // namespace stemedb::defense
