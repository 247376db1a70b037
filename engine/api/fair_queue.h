// SPDX-License-Identifier: Apache-2.0
// FairQueue: what waits, in turns by whom it waits for. Its members, told apart by a key, take turns; what
// waits for one of them is a queue itself: a Line, where who comes first is served first, or again a
// FairQueue. FairQueue<Address, FairQueue<Connection, Line<T>>> lets addresses take turns, and in those of an
// address its connections.
//
// A turn lasts until what was taken in it has cost as much as a turn may; costs are known afterwards, and
// what the last one costs beyond is forgiven. Who comes anew comes last, and so waits for one turn of each
// other member at most, whatever waits for them. Nobody is remembered for whom nothing waits: who bounds
// size() bounds all memory. Every call takes O(log members) at each level.
//
// Has no lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <list>
#include <map>
#include <utility>

namespace stemedb::api {

// The innermost level. As a FairQueue has them: see there.
template <typename T>
class Line {
 public:
  using Item = T;

  bool empty() const { return items_.empty(); }
  size_t size() const { return items_.size(); }
  void Push(T item) { items_.push_back(std::move(item)); }
  T TakeNext() {
    T item = std::move(items_.front());
    items_.pop_front();
    return item;
  }
  T TakeExcess() {
    T item = std::move(items_.back());
    items_.pop_back();
    return item;
  }
  void Charge(int64_t /*cost*/, int64_t /*turn*/) {}

 private:
  std::deque<T> items_;
};

template <typename Key, typename Queue>
class FairQueue {
 public:
  using Item = typename Queue::Item;

  FairQueue() = default;
  FairQueue(const FairQueue&) = delete;
  FairQueue& operator=(const FairQueue&) = delete;

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  size_t SizeOf(const Key& key) const {
    const auto found = members_.find(key);
    return found == members_.end() ? 0 : found->second.waiting.size();
  }

  // Behind all that waits for the same member: a key for each level, the outermost first.
  template <typename... Keys>
  void Push(Item item, const Key& key, const Keys&... inner) {
    Member& member = MemberOf(key);
    member.waiting.Push(std::move(item), inner...);
    ++size_;
    Sort(member);
  }

  // Whose turn it is. Something must wait, here and below.
  Item TakeNext() {
    taken_ = turns_.front();
    Item item = taken_->waiting.TakeNext();
    Shrunk(*taken_);
    return item;
  }
  // What was taken last has cost so much; a turn may cost `turn`. Once after TakeNext, or not at all.
  void Charge(int64_t cost, int64_t turn) {
    if (taken_ == nullptr) return;
    taken_->waiting.Charge(cost, turn);
    taken_->spent += cost;
    if (taken_->spent < turn) return;
    taken_->spent = 0;
    turns_.splice(turns_.end(), turns_, taken_->turn);
  }

  // Who has to go when there is no room: the newest of the member for whom most waits. Of several such, the
  // one for whom something came, or was taken, last: so it is the newcomer, if nobody has more than it.
  // Something must wait.
  Item TakeExcess() {
    Member& member = *std::prev(by_size_.end())->second;
    Item item = member.waiting.TakeExcess();
    Shrunk(member);
    return item;
  }

 private:
  struct Member {
    Queue waiting;
    int64_t spent = 0;  // of its turn
    const Key* key = nullptr;
    typename std::list<Member*>::iterator turn;               // its place in turns_
    typename std::multimap<size_t, Member*>::iterator place;  // in by_size_
  };

  Member& MemberOf(const Key& key) {
    const auto [at, is_new] = members_.try_emplace(key);
    Member& member = at->second;
    if (is_new) {
      member.key = &at->first;
      member.turn = turns_.insert(turns_.end(), &member);
      member.place = by_size_.emplace(size_t{0}, &member);
    }
    return member;
  }
  void Shrunk(Member& member) {
    --size_;
    if (!member.waiting.empty()) return Sort(member);
    if (taken_ == &member) taken_ = nullptr;
    turns_.erase(member.turn);
    by_size_.erase(member.place);
    members_.erase(members_.find(*member.key));
  }
  // By its size as it is now, behind all of the same size.
  void Sort(Member& member) {
    auto node = by_size_.extract(member.place);
    node.key() = member.waiting.size();
    member.place = by_size_.insert(std::move(node));
  }

  std::map<Key, Member> members_;
  std::list<Member*> turns_;  // whose turn it is, then the others
  std::multimap<size_t, Member*> by_size_;
  size_t size_ = 0;
  Member* taken_ = nullptr;  // from whom was taken last, if something waits for it still
};

}  // namespace stemedb::api
