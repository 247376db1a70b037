// SPDX-License-Identifier: Apache-2.0
#include "api/batch_items.h"

#include <gtest/gtest.h>

#include "http/message.h"

namespace stemedb::api {
namespace {

constexpr std::string_view kClaim = R"({"concept_path":"a","predicate":"b","value":1,"confidence":1})";

class BatchItemsTest : public testing::Test {
 protected:
  Result<BatchItems> Open(std::string text) {
    size_ = text.size();
    body_ = std::move(text);
    body_.append(http::kBodyPadding, '\0');
    return BatchItems::Open(parser_, std::string_view(body_).substr(0, size_));
  }
  // One letter for each item: 'k' taken, 'e' refused.
  std::string Walk(std::string text) {
    auto items = Open(std::move(text));
    if (!items) return std::string(items.error().reason());
    std::string walk;
    while (auto parsed = items->Next()) walk += parsed->status.ok() ? 'k' : 'e';
    EXPECT_EQ(walk.size(), items->count());
    return walk;
  }
  model::ClaimParser parser_;
  std::string body_;
  size_t size_ = 0;
};

TEST_F(BatchItemsTest, TellsArraysFromLinesByTheirFirstCharacter) {
  const std::string claim(kClaim);
  EXPECT_EQ(Walk("[" + claim + "," + claim + "]"), "kk");
  EXPECT_EQ(Walk(" \r\n [" + claim + "]\n"), "k");
  EXPECT_EQ(Walk(claim + "\n" + claim), "kk");
  EXPECT_EQ(Walk("\n\n" + claim + "\r\n\r\n" + claim + "\r\n"), "kk");
  EXPECT_EQ(Walk("[]"), "");
}

TEST_F(BatchItemsTest, AClaimOverSeveralLinesIsOneItem) {
  EXPECT_EQ(Walk("{\"concept_path\":\"a\",\n\"predicate\":\"b\",\n\"value\":1,\"confidence\":1}"), "k");
}

TEST_F(BatchItemsTest, ABadLineSpoilsItselfAlone) {
  const std::string claim(kClaim);
  EXPECT_EQ(Walk(claim + "\n{bad}\n5\n" + claim), "keek");
}

TEST_F(BatchItemsTest, PointersBeginWithTheItemsIndex) {
  auto items = Open(std::string(kClaim) + "\n{\"predicate\":7}");
  ASSERT_TRUE(items.has_value());
  ASSERT_TRUE(items->Next()->status.ok());
  const auto refused = items->Next();
  ASSERT_FALSE(refused->errors.empty());
  EXPECT_EQ(refused->errors[0].pointer, "/1/predicate");
}

TEST_F(BatchItemsTest, NothingAndTooMuchAreRefused) {
  EXPECT_EQ(Walk(""), "invalid_json");
  EXPECT_EQ(Walk(" \n\t"), "invalid_json");
  std::string lines;
  for (size_t i = 0; i <= kBatchItemsMax; ++i) lines += "{}\n";
  EXPECT_EQ(Walk(lines), "batch_too_large");
  lines.resize(lines.size() - 3);
  EXPECT_EQ(Walk(lines).size(), kBatchItemsMax);
}

}  // namespace
}  // namespace stemedb::api
