// SPDX-License-Identifier: Apache-2.0
// Every request of the list is sent whole, byte by byte, and in two parts cut at every place, to a server of
// one loop and to one of two; the answer must not depend on that.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "malformed_cases.h"
#include "raw_client.h"
#include "test_server.h"

namespace stemedb::http::test {
namespace {

std::vector<int> Statuses(const std::vector<Answer>& answers) {
  std::vector<int> statuses;
  for (const Answer& answer : answers) statuses.push_back(answer.status);
  return statuses;
}

class Malformed : public testing::TestWithParam<Case> {
 protected:
  static void SetUpTestSuite() {
    for (size_t loops : {1, 2}) {
      Options options;
      options.loops = loops;
      servers_.push_back(std::make_unique<TestServer>(options));
    }
  }
  static void TearDownTestSuite() { servers_.clear(); }

  // Reads the answers; when the server must close by itself, the client's side stays open until then.
  static void Check(RawClient& client, const std::string& how) {
    const Case& c = GetParam();
    if (c.after == After::kStays) client.EndSending();
    std::vector<Answer> answers = client.ReadAll();
    ASSERT_THAT(Statuses(answers), testing::ElementsAreArray(c.statuses)) << how;
    EXPECT_EQ(c.after == After::kCloses, answers.back().field("connection") == "close") << how;
    if (c.statuses.back() < 400) return;
    EXPECT_EQ("application/problem+json", answers.back().field("content-type")) << how;
    EXPECT_THAT(answers.back().body,
                testing::HasSubstr("\"request_id\":\"" + answers.back().field("x-request-id")));
  }

  static void CheckEveryWay(TestServer& server, const std::string& bytes) {
    {
      RawClient whole(server.port(), bytes);
      Check(whole, "whole");
    }
    {
      RawClient trickle(server.port());
      for (char byte : bytes) {
        if (!trickle.Send({&byte, 1})) break;
        server.Settle();
      }
      Check(trickle, "byte by byte");
    }
    for (size_t cut = 1; cut < bytes.size() && !HasFatalFailure(); ++cut) {
      RawClient parts(server.port(), std::string_view(bytes).substr(0, cut));
      server.Settle();
      parts.Send(std::string_view(bytes).substr(cut));
      Check(parts, "cut at byte " + std::to_string(cut));
    }
  }

  static std::vector<std::unique_ptr<TestServer>> servers_;
};
std::vector<std::unique_ptr<TestServer>> Malformed::servers_;

TEST_P(Malformed, IsAnsweredAlikeHoweverItArrives) {
  for (const auto& server : servers_) {
    SCOPED_TRACE(std::to_string(server->server().loop_count()) + " loops, RFC " + GetParam().rfc);
    CheckEveryWay(*server, GetParam().bytes);
  }
}

std::string NameOf(const testing::TestParamInfo<Case>& info) {
  std::string name;
  for (char c : info.param.name) {
    if (std::isalnum(static_cast<unsigned char>(c))) {
      name.push_back(c);
    } else if (!name.empty() && name.back() != '_') {
      name.push_back('_');
    }
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(RequestLine, Malformed, testing::ValuesIn(RequestLines()), NameOf);
INSTANTIATE_TEST_SUITE_P(Target, Malformed, testing::ValuesIn(Targets()), NameOf);
INSTANTIATE_TEST_SUITE_P(Field, Malformed, testing::ValuesIn(Fields()), NameOf);
INSTANTIATE_TEST_SUITE_P(Length, Malformed, testing::ValuesIn(Lengths()), NameOf);
INSTANTIATE_TEST_SUITE_P(Coding, Malformed, testing::ValuesIn(Codings()), NameOf);

}  // namespace
}  // namespace stemedb::http::test
