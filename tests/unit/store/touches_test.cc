// SPDX-License-Identifier: Apache-2.0
// Which places the records that came in are about: every place that a claim or an operation touches is found
// touched, and hardly any other.
#include "store/touches.h"

#include <map>

#include "store_fixture.h"

namespace stemedb::store {
namespace {

using model::SubjectKind;
using stemedb::testing::Claim;
using stemedb::testing::Encode;
using stemedb::testing::Number;
using stemedb::testing::PrintedRandom;
using stemedb::testing::RandomPath;
using stemedb::testing::RetractionOf;
using stemedb::testing::Supersession;
using stemedb::testing::Vote;

template <typename Said>
Batch BatchOf(uint64_t sequence, const Said& said) {
  const auto encoded = Encode(said);
  Batch batch;
  batch.entries.push_back({sequence, 0, encoded.id, encoded.record});
  return batch;
}

// Every path above the claim's, found by the rule for one of them.
bool IsBelow(const std::string& path, const std::string& above) {
  if (above.empty()) return true;
  const std::string prefix = above.ends_with("://") ? above : above + "/";
  return path.size() > prefix.size() && path.starts_with(prefix);
}

TEST(Touches, AClaimTouchesItsPairItsConceptAndAllAbove) {
  Touches touches(1 << 20);
  touches.Note(BatchOf(7, Claim("d://a/b/c", "p", Number(1))));
  for (const char* above : {"", "d://", "d://a", "d://a/b"}) {
    EXPECT_EQ(touches.NewestClaim(PlaceBelow(above)), 7u) << above;
  }
  for (const char* beside : {"d", "d://a/b/c", "d://a/bc", "d://ab", "a", "b", "a/b"}) {
    EXPECT_EQ(touches.NewestClaim(PlaceBelow(beside)), 0u) << beside;
  }
  EXPECT_EQ(touches.NewestClaim(PlaceOfConcept("d://a/b/c")), 7u);
  EXPECT_EQ(touches.NewestClaim(PlaceOfConcept("d://a/b")), 0u);
  EXPECT_EQ(touches.NewestClaim(PlaceOfPair("d://a/b/c", "p")), 7u);
  EXPECT_EQ(touches.NewestClaim(PlaceOfPair("d://a/b/c", "q")), 0u);
  EXPECT_EQ(touches.NewestClaim(PlaceOfPair("d://a/b", "c")), 0u);
  EXPECT_TRUE(touches.Knows(7));
  EXPECT_FALSE(touches.Knows(8));
}

TEST(Touches, AnOperationTouchesTheClaimsThatItNames) {
  Touches touches(1 << 20);
  const Hash256 one{1, 2, 3}, other{3, 2, 1};
  const auto newest = [&](SubjectKind kind, const Hash256& id) {
    return touches.NewestOperation(PlaceOfClaim(kind, ClaimWord(id.data())));
  };
  touches.Note(BatchOf(1, Vote(one, 0.5)));
  EXPECT_EQ(newest(SubjectKind::kVotesOn, one), 1u);
  EXPECT_EQ(newest(SubjectKind::kAssertion, one), 0u);
  EXPECT_EQ(newest(SubjectKind::kVotesOn, other), 0u);
  touches.Note(BatchOf(2, Supersession(one, other)));
  EXPECT_EQ(newest(SubjectKind::kAssertion, one), 2u);
  EXPECT_EQ(newest(SubjectKind::kAssertion, other), 0u) << "what replaces it is not changed";
  touches.Note(BatchOf(3, RetractionOf(other)));
  EXPECT_EQ(newest(SubjectKind::kAssertion, other), 3u);
  EXPECT_EQ(touches.NewestClaim(PlaceBelow("")), 0u) << "none of them is a claim";
}

TEST(Touches, AClaimsIdIsKnownToHaveCome) {
  Touches touches(1 << 20);
  const auto come = Claim("a", "p", Number(1)), waited_for = Claim("a", "p", Number(2));
  const auto newest = [&](const model::Assertion& claim) {
    return touches.NewestWithId(ClaimWord(Encode(claim).id.data()));
  };
  touches.Note(BatchOf(5, come));
  EXPECT_EQ(newest(come), 5u);
  EXPECT_EQ(newest(waited_for), 0u);
  touches.Note(BatchOf(6, Vote(Encode(waited_for).id, 0.5)));
  EXPECT_EQ(newest(waited_for), 0u) << "a vote on it is no claim";
  touches.Note(BatchOf(7, waited_for));
  EXPECT_EQ(newest(waited_for), 7u);
}

TEST(Touches, NoneIsOverlookedHoweverFewSlotsThereAre) {
  std::mt19937_64 random = PrintedRandom();
  for (const size_t slots : {size_t{1}, size_t{1} << 16}) {
    Touches touches(slots);
    std::vector<std::string> paths;
    for (int i = 0; i < 40; ++i) paths.push_back(RandomPath(random));
    std::vector<std::string> above = {""};
    for (const std::string& path : paths) {
      for (size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1))
        above.push_back(path.substr(0, slash + (path.substr(0, slash + 1).ends_with("://") ? 1 : 0)));
    }
    std::erase_if(above, [](const std::string& path) { return path.ends_with(':') || path.ends_with(":/"); });
    std::map<std::string, uint64_t> said;
    for (uint64_t sequence = 1; sequence <= 100; ++sequence) {
      const std::string& path = paths[random() % paths.size()];
      said[path] = sequence;
      touches.Note(BatchOf(sequence, Claim(path, "p", Number(static_cast<double>(sequence)))));
      for (const std::string& one : above) {
        uint64_t newest = 0;
        for (const auto& [below, at] : said) {
          if (IsBelow(below, one)) newest = std::max(newest, at);
        }
        ASSERT_GE(touches.NewestClaim(PlaceBelow(one)), newest) << one;
      }
      ASSERT_EQ(touches.NewestClaim(PlaceOfConcept(path)), sequence);
      ASSERT_EQ(touches.NewestClaim(PlaceOfPair(path, "p")), sequence);
    }
  }
}

class TouchesOfAStore : public stemedb::testing::StoreTest {};

TEST_F(TouchesOfAStore, AreThereForEveryReaderAsSoonAsTheRecordIs) {
  options_.touch_slots = 1024;
  Open();
  const auto reader = store_->NewReader();
  for (int i = 1; i < 20; ++i) {
    ASSERT_TRUE(Say(Claim("a/b", "p", Number(i))).status.ok());
    if (i % 5 == 0) {
      ASSERT_TRUE(store_->Flush().ok());
    }
    ASSERT_TRUE(reader->Refresh().ok());
    ASSERT_NE(reader->touches(), nullptr);
    EXPECT_TRUE(reader->touches()->Knows(reader->sequence()));
    EXPECT_EQ(reader->touches()->NewestClaim(PlaceBelow("a")), reader->sequence());
    reader->Release();
  }
}

TEST_F(TouchesOfAStore, AreNotKeptUnlessSomebodyWantsThem) {
  Open();
  EXPECT_EQ(store_->NewReader()->touches(), nullptr);
}

}  // namespace
}  // namespace stemedb::store
