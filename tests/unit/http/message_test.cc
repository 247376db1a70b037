// SPDX-License-Identifier: Apache-2.0
// Reading of targets: query strings, escapes, routes.
#include "http/message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/router.h"

namespace stemedb::http {
namespace {

using testing::ElementsAre;
using testing::Pair;

TEST(ParseQuery, KeepsOrderAndRepeatsAndDecodes) {
  Result<QueryParams> pairs = ParseQuery("b=1&a=two+words&b=%C3%A4%2B&flag&empty=&&x=a%3Db=c");
  ASSERT_TRUE(pairs);
  EXPECT_THAT(*pairs, ElementsAre(Pair("b", "1"), Pair("a", "two words"), Pair("b", "\xC3\xA4+"),
                                  Pair("flag", ""), Pair("empty", ""), Pair("x", "a=b=c")));
  EXPECT_TRUE(ParseQuery("")->empty());
}

TEST(ParseQuery, RefusesWhatIsNotPercentEncodedUtf8) {
  for (const char* query : {"a=%", "a=%4", "a=%zz", "a=%00", "a=%ff", "a=%C0%80", "a=%ED%A0%80",
                            "a=%F4%90%80%80", "%=1", "a=%C3", "a=1&b=% 1"}) {
    Result<QueryParams> pairs = ParseQuery(query);
    ASSERT_FALSE(pairs) << query;
    EXPECT_EQ("invalid_query", pairs.error().reason());
  }
}

class RouterTest : public testing::Test {
 protected:
  RouterTest() {
    auto nothing = [](ExchangePtr) {};
    router_.Add({"/v1/items", {Method::kGet, Method::kPost}, nothing, 0, {}});
    router_.Add({"/v1/items/{id}", {Method::kGet}, nothing, 0, {}});
    router_.Add({"/v1/items/special", {Method::kPost}, nothing, 0, {}});
    router_.Add({"/v1/items/{id}/parts/{part}", {Method::kDelete}, nothing, 0, {}});
  }
  std::string Match(Method method, std::string_view path) {
    request_ = Request();
    request_.method = method;
    request_.path = path;
    switch (router_.Match(request_, scratch_)) {
      case Router::Outcome::kFound:
        return request_.route->path;
      case Router::Outcome::kUnknownPath:
        return "404";
      case Router::Outcome::kOtherMethod:
        return "405";
      case Router::Outcome::kBadEscape:
        return "400";
    }
    return "";
  }
  Router router_;
  Request request_;
  std::string scratch_;
};

TEST_F(RouterTest, FindsRoutesByPathAndMethod) {
  EXPECT_EQ("/v1/items", Match(Method::kPost, "/v1/items"));
  EXPECT_EQ("/v1/items", Match(Method::kHead, "/v1/items"));
  EXPECT_EQ("/v1/items/{id}", Match(Method::kGet, "/v1/items/7"));
  EXPECT_EQ("7", request_.param("id"));
  EXPECT_EQ("/v1/items/special", Match(Method::kPost, "/v1/items/special"));
  EXPECT_EQ("405", Match(Method::kPut, "/v1/items"));
  EXPECT_EQ("405", Match(Method::kGet, "/v1/items/special"));
  for (const char* path :
       {"/", "", "/v1", "/v1/items/", "/v1//items", "/v1/items/7/parts", "/v1/items/7/parts/8/9"}) {
    EXPECT_EQ("404", Match(Method::kGet, path)) << path;
  }
}

TEST_F(RouterTest, DecodesSegmentsEachByItself) {
  EXPECT_EQ("/v1/items/{id}/parts/{part}", Match(Method::kDelete, "/v1/i%74ems/a%2Fb%20c/parts/%C3%A4"));
  EXPECT_EQ("a/b c", request_.param("id"));
  EXPECT_EQ("\xC3\xA4", request_.param("part"));
  EXPECT_EQ("", request_.param("other"));
  EXPECT_EQ("400", Match(Method::kGet, "/v1/items/%f"));
}

TEST_F(RouterTest, NamesTheMethodsOfAPath) {
  EXPECT_EQ("GET, HEAD, POST, OPTIONS", router_.Allow("/v1/items"));
  EXPECT_EQ("DELETE, OPTIONS", router_.Allow("/v1/items/1/parts/2"));
  EXPECT_EQ("GET, HEAD, POST, DELETE, OPTIONS", router_.Allow("*"));
  EXPECT_EQ("", router_.Allow("/nowhere"));
}

}  // namespace
}  // namespace stemedb::http
