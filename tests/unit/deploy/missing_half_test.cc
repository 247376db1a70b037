// SPDX-License-Identifier: Apache-2.0
// A spec without its script, or a script without a spec: nothing is refused for it, and nobody is left
// unaware.
#include <gmock/gmock.h>

#include "deployment_fixture.h"

namespace stemedb::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class MissingHalf : public DeploymentTest {
 protected:
  MissingHalf() {
    for (const char* name : {"a", "b"}) WriteSpec(name, "winner = 1");
  }
  // The files that the list warns of, with what it says.
  std::vector<std::pair<std::string, std::string>> Warnings() {
    text_ = ShownList();
    std::vector<std::pair<std::string, std::string>> found;
    const simdjson::dom::array warnings = Parsed(text_)["warnings"].get_array().value();
    for (const auto warning : warnings) {
      found.emplace_back(std::string_view(warning["file"]), std::string_view(warning["detail"]));
    }
    return found;
  }
  static size_t Count(const std::string& log, const std::string& what) {
    size_t count = 0;
    for (size_t at = 0; (at = log.find(what, at)) != std::string::npos; ++at) ++count;
    return count;
  }
  static constexpr char kSaid[] = "a script or its spec is missing";

  std::string text_;
};

TEST_F(MissingHalf, WholePairsAreNoReasonToWarn) {
  TakeLog();
  Deploy();
  TwoSteps();
  EXPECT_TRUE(Warnings().empty());
  EXPECT_THAT(TakeLog(), Not(HasSubstr(kSaid)));
}

TEST_F(MissingHalf, IsSaidAtTheStartInListAndLogWithTheRemedyAndStopsNothing) {
  Write("lost_spec.lua", "this is no spec");
  WriteLens("bare", "1");
  TakeLog();
  Deploy();
  EXPECT_EQ(LiveVersion("bare"), "1");
  const auto warnings = Warnings();
  ASSERT_EQ(warnings.size(), 2u);
  EXPECT_EQ(warnings[0].first, lenses_ + "/bare.lua");
  EXPECT_THAT(warnings[0].second, HasSubstr("write bare_spec.lua"));
  EXPECT_EQ(warnings[1].first, lenses_ + "/lost_spec.lua");
  EXPECT_THAT(warnings[1].second, AllOf(HasSubstr("there is no lost.lua"), HasSubstr("or remove the spec")));
  const std::string log = TakeLog();
  EXPECT_EQ(Count(log, kSaid), 2u);
  EXPECT_THAT(log, AllOf(HasSubstr("bare.lua"), HasSubstr("lost_spec.lua")));
}

TEST_F(MissingHalf, IsSaidOnceWhenItComesUpAndGoesWhenTheOtherHalfIsThere) {
  Deploy();
  TakeLog();
  Write("new_spec.lua", "return { { claim = 'c', given = { { value = 'x' } }, expect = { winner = 1 } } }");
  deployment_->Step();
  EXPECT_TRUE(Warnings().empty()) << "the other half may be on its way";
  for (int i = 0; i < 4; ++i) deployment_->Step();
  ASSERT_EQ(Warnings().size(), 1u);
  EXPECT_EQ(Count(TakeLog(), kSaid), 1u);
  WriteLens("new", "1");
  TwoSteps();
  EXPECT_EQ(LiveVersion("new"), "1");
  EXPECT_TRUE(Warnings().empty());
  std::filesystem::remove(lenses_ + "/a_spec.lua");
  TwoSteps();
  ASSERT_EQ(Warnings().size(), 1u);
  EXPECT_EQ(Warnings()[0].first, lenses_ + "/a.lua");
  EXPECT_EQ(Count(TakeLog(), kSaid), 1u);
}

TEST_F(MissingHalf, ASpecAmongThePoliciesIsNoSpecOfALens) {
  Deploy();
  WritePolicy("1", "return nil");
  const std::string path = policies_ + "/a_spec.lua";
  std::ofstream(path) << "return {}";
  TwoSteps();
  const auto warnings = Warnings();
  ASSERT_EQ(warnings.size(), 2u);
  EXPECT_EQ(warnings[0].first, path);
  EXPECT_THAT(warnings[0].second, HasSubstr("there is no a.lua beside this spec"));
  EXPECT_EQ(warnings[1].first, policies_ + "/rate_limit.lua");
}

TEST_F(MissingHalf, AFileNameThatIsNoTextDoesNotSpoilTheList) {
  Write("\xFF_spec.lua", "return {}");
  Deploy();
  ASSERT_EQ(Warnings().size(), 1u);  // which parses the list
}

}  // namespace
}  // namespace stemedb::testing
