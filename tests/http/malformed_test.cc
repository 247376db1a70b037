// SPDX-License-Identifier: Apache-2.0
// Requests that are wrong, hostile or odd but right, and what RFC 9112 and our limits say to each. Every case
// is sent whole, byte by byte, and in two parts cut at every place; the answer must not depend on that.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "raw_client.h"
#include "test_server.h"

namespace stemedb::http::test {
namespace {

enum class After { kCloses, kStays };

struct Case {
  std::string name;
  std::string bytes;
  std::vector<int> statuses;
  After after = After::kCloses;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name << ": " << testing::PrintToString(c.bytes); }

std::string Get(const std::string& fields) { return "GET /hello HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n"; }
std::string Post(const std::string& fields, const std::string& body) {
  return "POST /echo HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + body;
}
std::string Chunked(const std::string& body) { return Post("Transfer-Encoding: chunked\r\n", body); }
std::string Target(const std::string& target) { return "GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n"; }

std::vector<Case> RequestLines() {
  return {
      {"version 2.0", "GET /hello HTTP/2.0\r\nHost: a\r\n\r\n", {505}},
      {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {505}},
      {"version 1.2", "GET /hello HTTP/1.2\r\nHost: a\r\n\r\n", {505}},
      {"version 0.9 spelled out", "GET /hello HTTP/0.9\r\nHost: a\r\n\r\n", {505}},
      {"version 0.9 without a version", "GET /hello\r\n", {400}},
      {"lower-case protocol", "GET /hello http/1.1\r\nHost: a\r\n\r\n", {400}},
      {"two-digit minor version", "GET /hello HTTP/1.10\r\nHost: a\r\n\r\n", {400}},
      {"version without digits", "GET /hello HTTP/x.y\r\nHost: a\r\n\r\n", {400}},
      {"two blanks before the target", "GET  /hello HTTP/1.1\r\nHost: a\r\n\r\n", {400}},
      {"two blanks before the version", "GET /hello  HTTP/1.1\r\nHost: a\r\n\r\n", {400}},
      {"tab instead of a blank", "GET\t/hello\tHTTP/1.1\r\nHost: a\r\n\r\n", {400}},
      {"blank after the version", "GET /hello HTTP/1.1 \r\nHost: a\r\n\r\n", {400}},
      {"blank in the target", "GET /hel lo HTTP/1.1\r\nHost: a\r\n\r\n", {400}},
      {"blank before the method", " GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", {400}},
      {"unknown method", "BREW /hello HTTP/1.1\r\nHost: a\r\n\r\n", {501}},
      {"lower-case method", "get /hello HTTP/1.1\r\nHost: a\r\n\r\n", {501}},
      {"TRACE", "TRACE /hello HTTP/1.1\r\nHost: a\r\n\r\n", {501}},
      {"CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", {501}},
      {"method that is no token", "G(T /hello HTTP/1.1\r\nHost: a\r\n\r\n", {400}},
      {"no method", "/hello HTTP/1.1\r\nHost: a\r\n\r\n", {400}},
      {"TLS handshake", std::string("\x16\x03\x01\x02\x00\x01\x00", 7), {400}},
      {"NUL first", std::string("\0GET", 4), {400}},
      {"bare LF after the request line", "GET /hello HTTP/1.1\nHost: a\r\n\r\n", {400}},
      {"bare CR in the request line", "GET /hello\r HTTP/1.1\r\nHost: a\r\n\r\n", {400}},
      {"CR CR LF", "GET /hello HTTP/1.1\r\r\nHost: a\r\n\r\n", {400}},
      {"one empty line first", "\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n", {200}, After::kStays},
      {"two empty lines first", "\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n", {400}},
      {"bare LF first", "\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n", {400}},
  };
}

std::vector<Case> Targets() {
  return {
      {"no leading slash", Target("hello"), {400}},
      {"star with GET", Target("*"), {400}},
      {"star with OPTIONS", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", {204}, After::kStays},
      {"absolute form", Target("http://a/hello"), {200}, After::kStays},
      {"absolute form, upper-case scheme", Target("HTTP://a:80/hello?x"), {200}, After::kStays},
      {"absolute form without a path", Target("http://a"), {404}, After::kStays},
      {"absolute form, IPv6", Target("http://[::1]:80/hello"), {200}, After::kStays},
      {"absolute form, other scheme", Target("ftp://a/hello"), {400}},
      {"absolute form, no host", Target("http:///hello"), {400}},
      {"absolute form, user information", Target("http://me:pw@a/hello"), {400}},
      {"authority form", Target("a:80"), {400}},
      {"fragment", Target("/hello#x"), {400}},
      {"backslash", Target("/hel\\lo"), {400}},
      {"byte above 0x7F", Target("/h\xC3\xA9llo"), {400}},
      {"control byte", Target("/hel\x01lo"), {400}},
      {"NUL", Target(std::string("/hel\0lo", 7)), {400}},
      {"DEL", Target("/hel\x7Flo"), {400}},
      {"broken escape in the path", Target("/items/%zz"), {400}, After::kStays},
      {"cut escape in the path", Target("/items/%4"), {400}, After::kStays},
      {"encoded NUL in the path", Target("/items/%00"), {400}, After::kStays},
      {"escape that isn't UTF-8", Target("/items/%ff"), {400}, After::kStays},
      {"encoded slash stays in its segment", Target("/items/a%2Fb"), {200}, After::kStays},
      {"dot segments are not resolved", Target("/x/../hello"), {404}, After::kStays},
      {"double slash", Target("//hello"), {404}, After::kStays},
      {"trailing slash", Target("/hello/"), {404}, After::kStays},
  };
}

std::vector<Case> Fields() {
  const std::string line = "GET /hello HTTP/1.1\r\n";
  return {
      {"no Host", line + "\r\n", {400}},
      {"two Hosts", line + "Host: a\r\nHost: a\r\n\r\n", {400}},
      {"two Hosts in different case", line + "Host: a\r\nhOST: b\r\n\r\n", {400}},
      {"Host list", line + "Host: a, b\r\n\r\n", {400}},
      {"Host with a path", line + "Host: a/b\r\n\r\n", {400}},
      {"Host with user information", line + "Host: me@a\r\n\r\n", {400}},
      {"Host with a bad port", line + "Host: a:8x\r\n\r\n", {400}},
      {"Host with a blank", line + "Host: a b\r\n\r\n", {400}},
      {"Host with an open bracket", line + "Host: [::1\r\n\r\n", {400}},
      {"Host of IPv6 with a port", line + "Host: [::1]:80\r\n\r\n", {200}, After::kStays},
      {"HTTP/1.0 without Host", "GET /hello HTTP/1.0\r\n\r\n", {200}},
      {"HTTP/1.0 with two Hosts", "GET /hello HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", {400}},
      {"space before the colon", Get("X : 1\r\n"), {400}},
      {"tab before the colon", Get("X\t: 1\r\n"), {400}},
      {"folded field", Get("X: 1\r\n 2\r\n"), {400}},
      {"folded with a tab", Get("X: 1\r\n\t2\r\n"), {400}},
      {"first field folded", line + " Host: a\r\n\r\n", {400}},
      {"line without a colon", Get("X\r\n"), {400}},
      {"empty name", Get(": 1\r\n"), {400}},
      {"name with a slash", Get("a/b: 1\r\n"), {400}},
      {"name with a byte above 0x7F", Get("n\xC3\xA4me: 1\r\n"), {400}},
      {"name with NUL", Get(std::string("a\0b: 1\r\n", 8)), {400}},
      {"value with NUL", Get(std::string("X: a\0b\r\n", 8)), {400}},
      {"value with a control byte", Get("X: a\x08\r\n"), {400}},
      {"value with DEL", Get("X: a\x7F\r\n"), {400}},
      {"bare CR in a value", Get("X: a\rb\r\n"), {400}},
      {"bare CR that hides a field", Get("X: a\rContent-Length: 5\r\n"), {400}},
      {"bare LF after a value", Get("X: a\nY: b\r\n"), {400}},
      {"bare LF that ends the head", "GET /hello HTTP/1.1\r\nHost: a\r\n\n", {400}},
      {"value with obs-text", Get("X: \xC3\xA4\r\n"), {200}, After::kStays},
      {"empty value", Get("X:\r\nY: \t \r\n"), {200}, After::kStays},
      {"no blank after the colon", Get("X:1\r\n"), {200}, After::kStays},
      {"unknown expectation", Post("Expect: tea\r\nContent-Length: 1\r\n", "x"), {417}},
      {"body in gzip", Post("Content-Encoding: gzip\r\nContent-Length: 1\r\n", "x"), {415}},
      {"body in identity",
       Post("Content-Encoding: identity\r\nContent-Length: 1\r\n", "x"),
       {200},
       After::kStays},
      {"Connection: close", Get("Connection: close\r\n"), {200}},
      {"Connection: close in a list", Get("Connection: foo, Close\r\n"), {200}},
      {"HTTP/1.0 with keep-alive",
       "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
       {200},
       After::kStays},
      {"upgrade to h2c is ignored",
       Get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"),
       {200},
       After::kStays},
      {"upgrade with a body is ignored",
       Post("Connection: Upgrade\r\nUpgrade: x\r\nContent-Length: 2\r\n", "ab"),
       {200},
       After::kStays},
  };
}

std::vector<Case> Lengths() {
  return {
      {"negative length", Post("Content-Length: -1\r\n", ""), {400}},
      {"signed length", Post("Content-Length: +1\r\n", "x"), {400}},
      {"hexadecimal length", Post("Content-Length: 0x1\r\n", "x"), {400}},
      {"length with a blank inside", Post("Content-Length: 1 1\r\n", "xxxxxxxxxxx"), {400}},
      {"empty length", Post("Content-Length: \r\n", ""), {400}},
      {"length beyond 64 bits", Post("Content-Length: 18446744073709551617\r\n", "x"), {400}},
      {"two differing lengths", Post("Content-Length: 1\r\nContent-Length: 2\r\n", "xx"), {400}},
      {"two equal lengths", Post("Content-Length: 1\r\nContent-Length: 1\r\n", "x"), {400}},
      {"list of lengths", Post("Content-Length: 1, 1\r\n", "x"), {400}},
      {"length beside chunked",
       Post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
       {400}},
      {"chunked beside length",
       Post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
       {400}},
      {"length too large", Post("Content-Length: 99999999999\r\n", ""), {413}},
      {"length over the path's limit",
       "POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n",
       {413}},
      {"no length means no body", Post("", ""), {200}, After::kStays},
      {"leading zeros", Post("Content-Length: 002\r\n", "ab"), {200}, After::kStays},
      {"GET with a body",
       "GET /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab" + Get(""),
       {200, 200},
       After::kStays},
      {"body then a second request",
       Post("Content-Length: 3\r\n", "abc") + Get(""),
       {200, 200},
       After::kStays},
      {"second request is malformed", Get("") + "GET /hello HTTP/1.1\r\n\r\n", {200, 400}},
      {"body that looks like a request",
       Post("Content-Length: " + std::to_string(Get("").size()) + "\r\n", Get("")),
       {200},
       After::kStays},
      {"unknown path, body swallowed",
       "POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + Get(""),
       {404, 200},
       After::kStays},
      {"wrong method, body swallowed",
       "POST /hello HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + Get(""),
       {405, 200},
       After::kStays},
      {"refused by its head, body swallowed",
       "POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + Get(""),
       {429, 200},
       After::kStays},
      {"refused by its head, long body",
       "POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n",
       {429}},
  };
}

std::vector<Case> Codings() {
  return {
      {"coding other than chunked", Post("Transfer-Encoding: gzip\r\n", ""), {400}},
      {"chunked not last", Post("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"), {400}},
      {"chunked twice", Post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), {400}},
      {"chunked twice in two fields",
       Post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", ""),
       {400}},
      {"gzip then chunked", Post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), {501}},
      {"identity", Post("Transfer-Encoding: identity\r\n", ""), {400}},
      {"misspelled chunked", Post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), {400}},
      {"chunked with a parameter", Post("Transfer-Encoding: chunked;a=b\r\n", "0\r\n\r\n"), {400}},
      {"empty coding", Post("Transfer-Encoding: \r\n", ""), {400}},
      {"chunked in HTTP/1.0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}},
      {"chunked in capitals",
       Post("Transfer-Encoding: CHUNKED\r\n", "1\r\nx\r\n0\r\n\r\n"),
       {200},
       After::kStays},
      {"chunks, extension, trailer",
       Chunked("3;a=\"b\"\r\nabc\r\nA \t;x\r\n0123456789\r\n0\r\nX: y\r\n\r\n") + Get(""),
       {200, 200},
       After::kStays},
      {"no chunk size", Chunked("\r\nabc\r\n0\r\n\r\n"), {400}},
      {"chunk size that is no number", Chunked("x\r\nabc\r\n0\r\n\r\n"), {400}},
      {"chunk size with 0x", Chunked("0x3\r\nabc\r\n0\r\n\r\n"), {400}},
      {"negative chunk size", Chunked("-3\r\nabc\r\n0\r\n\r\n"), {400}},
      {"blank before the chunk size", Chunked(" 3\r\nabc\r\n0\r\n\r\n"), {400}},
      {"junk after the chunk size", Chunked("3 abc\r\nabc\r\n0\r\n\r\n"), {400}},
      {"blank after the chunk size", Chunked("3 \r\nabc\r\n0\r\n\r\n"), {400}},
      {"chunk size beyond 64 bits", Chunked("10000000000000003\r\nabc\r\n0\r\n\r\n"), {400}},
      {"bare LF after the chunk size", Chunked("3\nabc\r\n0\r\n\r\n"), {400}},
      {"CR X after the chunk size", Chunked("3\rXabc\r\n0\r\n\r\n"), {400}},
      {"bare LF after the data", Chunked("3\r\nabc\n0\r\n\r\n"), {400}},
      {"data longer than its size", Chunked("3\r\nabcd\r\n0\r\n\r\n"), {400}},
      {"X LF after the data", Chunked("3\r\nabcX\n0\r\n\r\n"), {400}},
      {"CR X after the data", Chunked("3\r\nabc\rX0\r\n\r\n"), {400}},
      {"control byte in an extension", Chunked("3;a\x01\r\nabc\r\n0\r\n\r\n"), {400}},
      {"bare LF in an extension", Chunked("3;a\nabc\r\n0\r\n\r\n"), {400}},
      {"bare LF in the trailer", Chunked("0\r\nX: y\n\r\n"), {400}},
      {"folded trailer", Chunked("0\r\nX: y\r\n z\r\n\r\n"), {400}},
      {"trailer without a colon", Chunked("0\r\nX\r\n\r\n"), {400}},
      {"chunks over the path's limit",
       "POST /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n" + std::string(64, 'x') +
           "\r\n40\r\n",
       {413}},
  };
}

std::vector<int> Statuses(const std::vector<Answer>& answers) {
  std::vector<int> statuses;
  for (const Answer& answer : answers) statuses.push_back(answer.status);
  return statuses;
}

class Malformed : public testing::TestWithParam<Case> {
 protected:
  static void SetUpTestSuite() { server_ = std::make_unique<TestServer>(); }
  static void TearDownTestSuite() { server_.reset(); }

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

  static std::unique_ptr<TestServer> server_;
};
std::unique_ptr<TestServer> Malformed::server_;

TEST_P(Malformed, IsAnsweredAlikeHoweverItArrives) {
  const std::string& bytes = GetParam().bytes;
  {
    RawClient whole(server_->port());
    whole.Send(bytes);
    Check(whole, "whole");
  }
  {
    RawClient trickle(server_->port());
    for (char byte : bytes) {
      if (!trickle.Send({&byte, 1})) break;
      server_->Settle();
    }
    Check(trickle, "byte by byte");
  }
  for (size_t cut = 1; cut < bytes.size(); ++cut) {
    RawClient parts(server_->port());
    parts.Send(std::string_view(bytes).substr(0, cut));
    server_->Settle();
    parts.Send(std::string_view(bytes).substr(cut));
    Check(parts, "cut at byte " + std::to_string(cut));
    if (HasFatalFailure()) return;
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
