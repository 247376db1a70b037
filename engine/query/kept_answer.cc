// SPDX-License-Identifier: Apache-2.0
#include "query/kept_answer.h"

#include <algorithm>

namespace stemedb::query {
namespace {

// Written only when it is another one: whoever else has the answer in its cache then keeps it there.
template <typename T>
void Set(std::atomic<T>& place, T value) {
  if (place.load(std::memory_order_relaxed) != value) place.store(value, std::memory_order_relaxed);
}

}  // namespace

bool KeptAnswer::IsRightAt(uint64_t sequence, int64_t now_ms, const store::Reader& reader) const {
  if (parts_.tells_time && now_ms != made_.now_ms) return false;
  if (sequence < made_.sequence) return false;
  const uint64_t checked_to = checked_to_.load(std::memory_order_relaxed);
  if (sequence <= checked_to) return true;
  // An earlier moment than the view's end has a key of its own, and was checked when it was made.
  if (sequence != reader.sequence() || !parts_.reliance.Holds(reader, checked_to)) return false;
  // Another thread may have got further meanwhile, and then looks again.
  checked_to_.store(sequence, std::memory_order_relaxed);
  return true;
}

void KeptAnswer::SetRight(const RightAt& at) const {
  Set(sequence_, at.sequence);
  if (parts_.tells_time) return;
  Set(now_ms_, at.now_ms);
  if (at.monotonic_ns - monotonic_ns_.load(std::memory_order_relaxed) >= 1'000'000)
    monotonic_ns_.store(at.monotonic_ns, std::memory_order_relaxed);
}

RightAt KeptAnswer::last_right() const {
  return {sequence_.load(std::memory_order_relaxed), now_ms_.load(std::memory_order_relaxed),
          monotonic_ns_.load(std::memory_order_relaxed)};
}

size_t KeptAnswer::bytes() const {
  size_t bytes = sizeof *this + parts_.body.capacity() + parts_.reliance.bytes();
  bytes += parts_.account.claims.capacity() * sizeof(ContributingClaim);
  for (const AccountedLens& lens : parts_.account.lenses)
    bytes += sizeof lens + lens.name.capacity() + lens.version.capacity();
  return bytes;
}

int64_t AgeMs(const RightAt& right, int64_t monotonic_ns) {
  return (std::max<int64_t>(0, monotonic_ns - right.monotonic_ns) + 999'999) / 1'000'000;
}

}  // namespace stemedb::query
