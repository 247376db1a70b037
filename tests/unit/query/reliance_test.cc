// SPDX-License-Identifier: Apache-2.0
// On which records an answer about few claims, about many, and about awaited ones relies.
#include "query/reliance.h"

#include "knowledge_fixture.h"

namespace stemedb::query {
namespace {

using stemedb::testing::Claim;
using stemedb::testing::Encode;
using stemedb::testing::Number;
using stemedb::testing::RetractionOf;
using stemedb::testing::Supersession;
using stemedb::testing::Vote;

class RelianceTest : public stemedb::testing::KnowledgeTest {
 protected:
  RelianceTest() {
    options_.touch_slots = 1u << 20;  // so that hardly any two places share one
    question_.concept_path = "a";
    question_.predicate = "p";
  }
  ~RelianceTest() override { reader_.reset(); }

  void Open() {
    reader_.reset();
    StoreTest::Open();
    reader_ = store_->NewReader();
  }
  Hash256 Add(const std::string& path, double number) {
    const auto claim = Claim(path, "p", Number(number));
    Put(claim);
    return Encode(claim).id;
  }
  // Of an answer now; it is asked at at_ from here on.
  Reliance OfNow(size_t claims_max,
                 const std::optional<std::vector<Hash256>>& awaited = std::vector<Hash256>()) {
    EXPECT_TRUE(reader_->Refresh().ok());
    const auto viewpoint = ViewpointOf(question_, *reader_, clock_.NowMs());
    EXPECT_TRUE(viewpoint.has_value());
    Standing standing(kStepsMax);
    standing.Begin(*reader_, viewpoint->sequence_max);
    Covered covered;
    EXPECT_TRUE(CollectRows(question_, *viewpoint, 1'000, *reader_, standing, covered).ok());
    at_ = reader_->sequence();
    return Reliance::Of(question_, *viewpoint, covered, awaited, claims_max);
  }
  // After what was said since then.
  bool Holds(const Reliance& reliance) {
    EXPECT_TRUE(reader_->Refresh().ok());
    return reliance.Holds(*reader_, at_);
  }

  Question question_;
  std::unique_ptr<store::Reader> reader_;
  uint64_t at_ = 0;
};

TEST_F(RelianceTest, OfFewClaimsIsOnWhatIsSaidOfThem) {
  Open();
  std::vector<Hash256> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(Add("a", i));
  const Hash256 other = Add("b", 1), another = Add("b", 2);
  const Reliance few = OfNow(5);
  Put(Vote(other, 0.5));
  Put(Supersession(other, another));
  EXPECT_TRUE(Holds(few));
  Put(Vote(ids[3], 0.5));
  EXPECT_FALSE(Holds(few));
  const Reliance again = OfNow(5);
  EXPECT_TRUE(Holds(again));
  Put(Supersession(ids[2], ids[3]));
  EXPECT_FALSE(Holds(again));
}

TEST_F(RelianceTest, OfMoreClaimsThanItNamesIsOnWhatIsSaidOfAny) {
  Open();
  std::vector<Hash256> ids;
  for (int i = 0; i < 6; ++i) ids.push_back(Add("a", i));
  const Hash256 other = Add("b", 1);
  Reliance many = OfNow(5);
  EXPECT_LT(many.bytes(), OfNow(6).bytes()) << "it names none";
  Add("b", 2);
  EXPECT_TRUE(Holds(many)) << "a claim elsewhere";
  Put(Vote(ids[0], 0.5));
  EXPECT_FALSE(Holds(many));
  many = OfNow(5);
  Put(Supersession(ids[1], ids[2]));
  EXPECT_FALSE(Holds(many));
  many = OfNow(5);
  Put(RetractionOf(ids[3]));
  EXPECT_FALSE(Holds(many));
  many = OfNow(4);
  Put(Vote(other, 0.5));
  EXPECT_FALSE(Holds(many)) << "which it can't tell from one of its own";
}

TEST_F(RelianceTest, OnIdsThatMayComeEndsWithOneOfThem) {
  Open();
  Add("a", 1);
  const auto awaited = Claim("elsewhere", "p", Number(7));
  const Reliance waits = OfNow(5, std::vector{Encode(awaited).id, Hash256{9}});
  const Reliance on_everything = OfNow(5, std::nullopt);
  Add("elsewhere", 6);
  EXPECT_TRUE(Holds(waits));
  EXPECT_FALSE(Holds(on_everything));
  Put(awaited);
  EXPECT_FALSE(Holds(waits));
}

}  // namespace
}  // namespace stemedb::query
