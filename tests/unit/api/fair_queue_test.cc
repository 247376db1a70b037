// SPDX-License-Identifier: Apache-2.0
// Who is next, and who has to go, without a clock or a socket.
#include "api/fair_queue.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>

namespace stemedb::api {
namespace {

using ByMember = FairQueue<char, Line<std::string>>;
using ByAddress = FairQueue<char, FairQueue<int, Line<std::string>>>;

// All that waits, in the order in which it is taken, each at this cost.
template <typename Queue>
std::string TakeAll(Queue& queue, int64_t cost = 1, int64_t turn = 1) {
  std::string all;
  while (!queue.empty()) {
    all += (all.empty() ? "" : " ") + queue.TakeNext();
    queue.Charge(cost, turn);
  }
  return all;
}

void PushAll(ByMember& queue, char member, int count) {
  for (int i = 1; i <= count; ++i) queue.Push(member + std::to_string(i), member);
}

TEST(FairQueue, MembersTakeTurnsAndKeepTheOrderOfTheirOwn) {
  ByMember queue;
  PushAll(queue, 'a', 4);
  PushAll(queue, 'b', 1);
  PushAll(queue, 'c', 2);
  EXPECT_EQ(queue.size(), 7u);
  EXPECT_EQ(queue.SizeOf('a'), 4u);
  EXPECT_EQ(queue.SizeOf('z'), 0u);
  EXPECT_EQ(TakeAll(queue), "a1 b1 c1 a2 c2 a3 a4");
}

TEST(FairQueue, ATurnLastsUntilItsCostIsSpent) {
  ByMember queue;
  PushAll(queue, 'a', 7);
  PushAll(queue, 'b', 7);
  EXPECT_EQ(TakeAll(queue, 2, 5), "a1 a2 a3 b1 b2 b3 a4 a5 a6 b4 b5 b6 a7 b7");
}

TEST(FairQueue, WhatTheLastOneCostsBeyondItsTurnIsForgiven) {
  ByMember queue;
  PushAll(queue, 'a', 3);
  PushAll(queue, 'b', 3);
  EXPECT_EQ(TakeAll(queue, 1000, 5), "a1 b1 a2 b2 a3 b3");
}

TEST(FairQueue, WhatIsntChargedCostsNothing) {
  ByMember queue;
  PushAll(queue, 'a', 3);
  PushAll(queue, 'b', 1);
  EXPECT_EQ(queue.TakeNext(), "a1");
  EXPECT_EQ(queue.TakeNext(), "a2");
  queue.Charge(1, 1);
  EXPECT_EQ(queue.TakeNext(), "b1");
}

TEST(FairQueue, WhoComesAnewWaitsForOneTurnOfEachOther) {
  ByMember queue;
  for (char member = 'a'; member < 'k'; ++member) PushAll(queue, member, 20);
  for (int i = 0; i < 33; ++i) {
    queue.TakeNext();
    queue.Charge(1, 1);
  }
  queue.Push("newcomer", 'z');
  int others = 0;
  while (queue.TakeNext() != "newcomer") {
    queue.Charge(1, 1);
    ++others;
  }
  EXPECT_EQ(others, 10);
}

TEST(FairQueue, WhoLeavesAndComesBackComesLastAgain) {
  ByMember queue;
  PushAll(queue, 'b', 3);
  std::string order;
  for (int i = 0; i < 3; ++i) {
    queue.Push("a", 'a');
    for (int taken = 0; taken < 2; ++taken) {
      order += queue.TakeNext() + " ";
      queue.Charge(1, 1);
    }
  }
  EXPECT_EQ(order, "b1 a b2 a b3 a ");
}

TEST(FairQueue, InTheTurnsOfAMemberItsOwnTakeTurns) {
  ByAddress queue;
  for (const char* one : {"x1a", "x1b", "x1c"}) queue.Push(one, 'x', 1);
  queue.Push("x2a", 'x', 2);
  for (const char* one : {"y3a", "y3b"}) queue.Push(one, 'y', 3);
  EXPECT_EQ(TakeAll(queue), "x1a y3a x2a y3b x1b x1c");
}

TEST(FairQueue, WhoHasToGoIsTheNewestOfWhomMostWaitsFor) {
  ByAddress queue;
  queue.Push("x2a", 'x', 2);
  for (const char* one : {"x1a", "x1b", "x1c"}) queue.Push(one, 'x', 1);
  for (const char* one : {"y3a", "y3b", "y3c"}) queue.Push(one, 'y', 3);
  EXPECT_EQ(queue.TakeExcess(), "x1c");
  EXPECT_EQ(queue.TakeExcess(), "x1b") << "y has as many now, but from x was taken last";
  EXPECT_EQ(queue.TakeExcess(), "y3c");
  EXPECT_EQ(queue.size(), 4u);
  EXPECT_EQ(TakeAll(queue), "x2a y3a x1a y3b");
}

TEST(FairQueue, ItIsTheNewcomerIfNobodyHasMore) {
  ByMember queue;
  for (char member = 'a'; member < 'd'; ++member) PushAll(queue, member, 2);
  queue.TakeNext();
  queue.Push("a3", 'a');
  queue.Push("d1", 'd');
  EXPECT_EQ(queue.TakeExcess(), "a3") << "the others have as many, but it was the last to get one";
  queue.Push("b3", 'b');
  EXPECT_EQ(queue.TakeExcess(), "b3");
  ByMember ones;
  for (char member = 'a'; member < 'd'; ++member) PushAll(ones, member, 1);
  ones.Push("d1", 'd');
  EXPECT_EQ(ones.TakeExcess(), "d1");
  EXPECT_EQ(ones.SizeOf('d'), 0u);
}

TEST(FairQueue, NobodyIsRememberedForWhomNothingWaits) {
  FairQueue<std::shared_ptr<int>, Line<std::string>> queue;
  const auto taken = std::make_shared<int>(), refused = std::make_shared<int>();
  queue.Push("1", taken);
  queue.Push("2", refused);
  EXPECT_EQ(queue.TakeNext(), "1");
  EXPECT_EQ(taken.use_count(), 1);
  queue.Charge(1, 1);  // nobody
  EXPECT_EQ(queue.TakeExcess(), "2");
  EXPECT_EQ(refused.use_count(), 1);
  EXPECT_TRUE(queue.empty());
}

struct Sent {
  int address = 0, connection = 0, number = 0;
};

TEST(FairQueue, LosesNothingAndDoublesNothing) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto below = [&](int count) { return static_cast<int>(random() % static_cast<uint32_t>(count)); };
  FairQueue<int, FairQueue<int, Line<Sent>>> queue;
  std::map<int, std::map<int, std::deque<int>>> model;  // numbers by address and connection
  const auto size_of = [&](int address) {
    size_t size = 0;
    for (const auto& [connection, numbers] : model[address]) size += numbers.size();
    return size;
  };
  int sent = 0;
  for (int step = 0; step < 20'000; ++step) {
    const int what = below(10);
    if (what < 5 || queue.empty()) {
      const Sent one{below(4), below(4), ++sent};
      model[one.address][one.connection].push_back(one.number);
      queue.Push(one, one.address, one.connection);
    } else if (what < 9) {
      const Sent one = queue.TakeNext();
      std::deque<int>& numbers = model[one.address][one.connection];
      ASSERT_EQ(numbers.front(), one.number);
      numbers.pop_front();
      if (below(2) == 0) queue.Charge(below(5), 3);
    } else {
      const Sent one = queue.TakeExcess();
      for (int address = 0; address < 4; ++address) ASSERT_GE(size_of(one.address), size_of(address));
      std::deque<int>& numbers = model[one.address][one.connection];
      for (const auto& [connection, others] : model[one.address]) ASSERT_GE(numbers.size(), others.size());
      ASSERT_EQ(numbers.back(), one.number);
      numbers.pop_back();
    }
    size_t all = 0;
    for (int address = 0; address < 4; ++address) {
      ASSERT_EQ(queue.SizeOf(address), size_of(address));
      all += size_of(address);
    }
    ASSERT_EQ(queue.size(), all);
  }
}

}  // namespace
}  // namespace stemedb::api
