// SPDX-License-Identifier: Apache-2.0
// LensRunner: what reaches a script, what comes back, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "claims.h"

namespace stemedb::script::testing {
namespace {

using ::testing::HasSubstr;

Result<Outcome> RunBody(const std::string& body, const Claims& claims, const std::string& head = "") {
  auto set = ScriptSet::Build({Lens(body, head)}, 1);
  if (!set) return set.error();
  return LensRunner(*set, {}).Resolve(0, claims.Call());
}

std::string Explain(const std::string& expression, const Claims& claims) {
  auto outcome = RunBody("return { explain = tostring(" + expression + ") }", claims);
  return outcome ? outcome->explain : std::string(outcome.error().message());
}

TEST(LensRunner, ShowsTheFieldsOfACandidate) {
  const Claims claims({{"red", 0.75, 1, 2 * kDay, "agent", "src", 7}});
  EXPECT_EQ(Explain("candidates[1].value", claims), "red");
  EXPECT_EQ(Explain("candidates[1].value_kind", claims), "text");
  EXPECT_EQ(Explain("candidates[1].confidence", claims), "0.75");
  EXPECT_EQ(Explain("candidates[1].weight", claims), "0.675");
  EXPECT_EQ(Explain("ctx.now - candidates[1].timestamp", claims), "172800000");
  EXPECT_EQ(Explain("candidates[1].valid_from", claims), "nil");
  EXPECT_EQ(Explain("candidates[1].valid_to", claims), "nil");
  EXPECT_EQ(Explain("candidates[1].id", claims), "07" + std::string(62, '0'));
  EXPECT_EQ(Explain("candidates[1].agent", claims), "6167656e74" + std::string(54, '0'));
  EXPECT_EQ(Explain("candidates[1].source", claims), "src");
  EXPECT_EQ(Explain("candidates[1].tier", claims), "1");
  EXPECT_EQ(Explain("candidates[1].source_class", claims), "clinical");
  EXPECT_EQ(Explain("candidates[1].lifecycle", claims), "proposed");
  EXPECT_EQ(Explain("candidates[1].epoch", claims), "nil");
  EXPECT_EQ(Explain("candidates[1].sequence", claims), "1");
  EXPECT_EQ(Explain("candidates[1].value_index", claims), "1");
  EXPECT_EQ(Explain("candidates[1].voice_index", claims), "1");
  EXPECT_EQ(Explain("#candidates", claims), "1");
  EXPECT_EQ(Explain("candidates[0]", claims), "nil");
  EXPECT_EQ(Explain("candidates[2]", claims), "nil");
  EXPECT_EQ(Explain("candidates[1.5]", claims), "nil");
}

TEST(LensRunner, AnswersRecencyAndConsensus) {
  LensRunner runner(Shipped(), {});
  const Claims claims({{"a", 0.8, 5, kDay * 3, "x"}, {"b", 0.8, 5, 0, "y"}, {"a", 0.8, 5, kDay * 2, "z"}});
  auto recency = runner.Resolve(runner.scripts().Find("recency"), claims.Call());
  ASSERT_TRUE(recency) << recency.error().message();
  EXPECT_EQ(claims.ValueOf(*recency->overall.winner), "b");
  EXPECT_EQ(recency->overall.confidence, 0.95);
  auto consensus = runner.Resolve(runner.scripts().Find("consensus"), claims.Call());
  ASSERT_TRUE(consensus) << consensus.error().message();
  EXPECT_EQ(claims.ValueOf(*consensus->overall.winner), "a");
  EXPECT_DOUBLE_EQ(consensus->overall.confidence, 2.0 / 3);
}

}  // namespace
}  // namespace stemedb::script::testing
