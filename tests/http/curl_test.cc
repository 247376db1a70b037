// SPDX-License-Identifier: Apache-2.0
// curl as a client that we didn't write. Skipped where it isn't installed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "test_server.h"

namespace stemedb::http::test {
namespace {

using testing::HasSubstr;

// Standard output and error of a shell command.
std::string Shell(const std::string& command) {
  std::string output;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return output;
  char bytes[4096];
  while (size_t count = std::fread(bytes, 1, sizeof bytes, pipe)) output.append(bytes, count);
  pclose(pipe);
  return output;
}

class Curl : public testing::Test {
 protected:
  void SetUp() override {
    if (Shell("command -v curl").empty()) GTEST_SKIP() << "curl is not installed";
  }
  TestServer server_;
};

TEST_F(Curl, UsesOneConnectionForSeveralRequests) {
  std::string output = Shell("curl -sv " + server_.url("/hello") + " " + server_.url("/items/2"));
  EXPECT_THAT(output, HasSubstr("Re-using existing connection"));
}

TEST_F(Curl, UnpacksGzipToTheSameText) {
  std::string plain = Shell("curl -s '" + server_.url("/big?300000") + "'");
  EXPECT_EQ(300000u, plain.size());
  EXPECT_EQ(plain, Shell("curl -s --compressed '" + server_.url("/big?300000") + "'"));
  std::string fields = Shell("curl -s --compressed -o /dev/null -D - '" + server_.url("/big?300000") + "'");
  EXPECT_THAT(fields, HasSubstr("Content-Encoding: gzip"));
  EXPECT_THAT(fields, HasSubstr("Vary: Accept-Encoding"));
  std::string head = Shell("curl -s --compressed -I '" + server_.url("/big?300000") + "'");
  EXPECT_THAT(head, HasSubstr("Content-Encoding: gzip"));
}

TEST_F(Curl, SmallAnswersAndThoseForOthersStayPlain) {
  EXPECT_THAT(Shell("curl -s -i --compressed " + server_.url("/hello")), testing::Not(HasSubstr("gzip")));
  std::string refusing =
      Shell("curl -s -D - -o /dev/null -H 'Accept-Encoding: gzip;q=0, *' '" + server_.url("/big?3000") + "'");
  EXPECT_THAT(refusing, testing::Not(HasSubstr("Content-Encoding")));
  EXPECT_THAT(refusing, HasSubstr("Vary: Accept-Encoding"));
}

TEST_F(Curl, SendsALargeBodyAfter100Continue) {
  std::string path = testing::TempDir() + "/http_curl_body";
  std::ofstream(path) << std::string(3'000'000, 'c');
  std::string output = Shell(
      "curl -sv -o /dev/null -w '%{http_code} %{size_download}' -H 'Expect: 100-continue' --data-binary @" +
      path + " " + server_.url("/echo"));
  std::remove(path.c_str());
  EXPECT_THAT(output, HasSubstr("HTTP/1.1 100 Continue"));
  EXPECT_THAT(output, HasSubstr("200 3000000"));
}

TEST_F(Curl, SendsAChunkedBodyAndAFormLikeBody) {
  EXPECT_EQ("chunky", Shell("printf chunky | curl -s -H 'Transfer-Encoding: chunked' --data-binary @- " +
                            server_.url("/echo")));
  EXPECT_EQ("{\"a\":1}", Shell("curl -s -d '{\"a\":1}' " + server_.url("/echo")));
}

TEST_F(Curl, ReadsTheRefusalOfABodyThatIsTooLarge) {
  std::string output = Shell(
      "head -c 20000000 /dev/zero | curl -s -o /dev/null -w '%{http_code}' -H 'Expect:' --data-binary @- " +
      server_.url("/echo"));
  EXPECT_THAT(output, HasSubstr("413"));
}

TEST_F(Curl, SpeaksHttp10AndAsksForAnUpgradeInVain) {
  EXPECT_EQ("hello", Shell("curl -s -0 " + server_.url("/hello")));
  EXPECT_EQ("hello", Shell("curl -s --http2 " + server_.url("/hello")));
}

}  // namespace
}  // namespace stemedb::http::test
