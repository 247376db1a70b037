// SPDX-License-Identifier: Apache-2.0
// Debian's llhttp, in its default mode, reads the same bytes as our server, and both must come to the same
// verdict: how many requests are taken, and whether the bytes are refused behind them. Where they differ, a
// case names the rule by which, and docs/http-api.md explains that rule. A rule that makes no difference
// fails as well, so that the list stays true.
//
// The situations are those of llhttp's own request fixtures at version 8.1, in our own words.
#include <gtest/gtest.h>
#include <llhttp.h>

#include <fstream>
#include <sstream>

#include "raw_client.h"
#include "test_server.h"

namespace stemedb::http::test {
namespace {

struct LlhttpCase {
  std::string name;
  std::string bytes;
  std::string rule;  // empty: no difference
};

void PrintTo(const LlhttpCase& c, std::ostream* out) { *out << c.name; }

struct Verdict {
  size_t taken = 0;
  bool refused = false;
  bool operator==(const Verdict&) const = default;
};

void PrintTo(const Verdict& v, std::ostream* out) {
  *out << v.taken << " taken" << (v.refused ? ", then refused" : "");
}

std::string Head(const std::string& line, const std::string& fields = "") {
  return line + " HTTP/1.1\r\nHost: a.example\r\n" + fields + "\r\n";
}
std::string Post(const std::string& fields, const std::string& body = "") {
  return Head("POST /echo", fields) + body;
}
std::string Chunks(const std::string& body) { return Post("Transfer-Encoding: chunked\r\n", body); }

std::vector<LlhttpCase> ConnectionCases() {
  return {
      {"keep-alive in so many words", Post("Connection: keep-alive\r\n"), ""},
      {"two requests, both keep-alive",
       Post("Connection: keep-alive\r\n") + Post("Connection: keep-alive\r\n"), ""},
      {"version 1.0 ends after the first request", "GET /hello HTTP/1.0\r\n\r\n" + Head("GET /hello"), ""},
      {"an empty line between requests", Post("Content-Length: 4\r\n", "abcd") + "\r\n" + Head("GET /hello"),
       ""},
      {"CR instead of the dash in keep-alive", Post("Connection: keep\ralive\r\n"), ""},
      {"close", Post("Connection: close\r\n"), ""},
      {"close, and another request behind it",
       Post("Content-Length: 4\r\nConnection: close\r\n", "abcd") + Head("GET /hello"), ""},
      {"several tokens", Post("Connection: close, foo, keep-alive\r\n"), ""},
      {"tokens folded over two lines", Post("Connection: foo,\r\n keep-alive\r\n"), "obs-fold"},
      {"blank behind the name Connection", Post("Connection : close\r\n"), ""},
      {"upgrade without a body", Post("Connection: upgrade\r\nUpgrade: foo\r\n"), ""},
      {"upgrade with a request behind it",
       Head("GET /hello", "Connection: Upgrade\r\nUpgrade: websocket\r\n") + Head("GET /hello"),
       "no-upgrade"},
      {"upgrade with another protocol behind it",
       Head("GET /hello", "Connection: Upgrade\r\nUpgrade: websocket\r\n") + "({no HTTP})\r\n", "no-upgrade"},
      {"upgrade of a request with a body",
       Post("Connection: upgrade\r\nUpgrade: foo\r\nContent-Length: 4\r\n", "abcd"), ""},
  };
}

std::vector<LlhttpCase> LengthCases() {
  return {
      {"length with leading zeros", Post("Content-Length: 003\r\n", "abc"), ""},
      {"length and a field behind it", Post("Content-Length: 003\r\nFoo: bar\r\n", "abc"), ""},
      {"length beyond 64 bits", Post("Content-Length: 1000000000000000000000\r\n"), ""},
      {"two lengths", Post("Content-Length: 1\r\nContent-Length: 2\r\n"), ""},
      {"two equal lengths", Post("Content-Length: 1\r\nContent-Length: 1\r\n", "x"), ""},
      {"length beside identity", Post("Content-Length: 1\r\nTransfer-Encoding: identity\r\n", "x"), ""},
      {"length beside chunked", Post("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), ""},
      {"chunked beside length", Post("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n", "0\r\n\r\n"), ""},
      {"blank behind the name Content-Length", Post("Content-Length : 4\r\n", "abcd"), ""},
      {"odd capitals", Post("conTENT-Length: 5\r\n", "abcde"), ""},
      {"version 1.0 with a length", "POST /echo HTTP/1.0\r\nContent-Length: 5\r\n\r\nabcde", ""},
      {"blanks around the length", Post("Content-Length:  3 \r\n", "abc"), ""},
      {"blank inside the length", Post("Content-Length: 4 2\r\n"), ""},
      {"empty length", Post("Content-Length:\r\n"), ""},
      {"CR instead of the dash in Content-Length", Post("Content\rLength: 3\r\n", "abc"), ""},
      {"sign before the length", Post("Content-Length: +3\r\n", "abc"), ""},
      {"negative length", Post("Content-Length: -3\r\n", "abc"), ""},
      {"list of lengths", Post("Content-Length: 3, 3\r\n", "abc"), ""},
      {"body cut short", Post("Content-Length: 100\r\n", "abc"), ""},
      {"head cut short", "PUT /echo HTTP/1.1\r\nContent-Leng", ""},
  };
}

std::vector<LlhttpCase> LineCases() {
  return {
      {"another protocol", "GET /hello ICE/1.0\r\nHost: a\r\n\r\n", ""},
      {"almost HTTP", "GET /hello IHTTP/1.0\r\nHost: a\r\n\r\n", ""},
      {"RTSP with a method of HTTP", "PUT /echo RTSP/1.0\r\nHost: a\r\n\r\n", ""},
      {"RTSP with its own method", "ANNOUNCE /echo RTSP/1.0\r\nHost: a\r\n\r\n", "http-only"},
      {"a method of RTSP", "ANNOUNCE /echo HTTP/1.0\r\nHost: a\r\n\r\n", ""},
      {"a method that is none", Head("MKCOLA /echo"), ""},
      {"version 5.6", "GET /hello HTTP/5.6\r\nHost: a\r\n\r\n", ""},
      {"version 2.0", "GET /hello HTTP/2.0\r\nHost: a\r\n\r\n", "versions"},
      {"version 0.9 spelled out", "GET /hello HTTP/0.9\r\nHost: a\r\n\r\n", "versions"},
      {"no version", "GET /hello\r\n\r\n", "versions"},
      {"blank before the first field", "GET /hello HTTP/1.1\r\n Host: a\r\n\r\n", ""},
      {"REPORT", Head("REPORT /echo"), "methods"},
      {"CONNECT", Head("CONNECT a.example:443"), "methods"},
      {"M-SEARCH", Head("M-SEARCH *"), "methods"},
      {"PATCH", Head("PATCH /echo", "Content-Length: 3\r\n") + "abc", ""},
      {"PURGE", Head("PURGE /echo"), "methods"},
      {"SEARCH", Head("SEARCH /echo"), "methods"},
      {"LINK", Head("LINK /echo"), "methods"},
      {"SOURCE", Head("SOURCE /echo"), "methods"},
      {"HTTP/2 preface over 1.1", "PRI * HTTP/1.1\r\n\r\nSM\r\n\r\n", ""},
      {"HEAD", Head("HEAD /hello"), ""},
      {"OPTIONS", Head("OPTIONS /echo"), ""},
      {"no Host", "GET /hello HTTP/1.1\r\n\r\n", "host"},
      {"two Hosts", Head("GET /hello", "Host: b\r\n"), "host"},
      {"Host with an equals sign", "GET /hello HTTP/1.1\r\nHost: 0.0.0.0=5000\r\n\r\n", ""},
      {"Host with a path", "GET /hello HTTP/1.1\r\nHost: a/b\r\n\r\n", "host"},
      {"one empty line before the request", "\r\n" + Head("GET /hello"), ""},
      {"two empty lines before the request", "\r\n\r\n" + Head("GET /hello"), "empty-lines"},
      {"LF alone before the request", "\n" + Head("GET /hello"), "line-ends"},
      {"LF alone behind the request line", "GET /hello HTTP/1.1\nHost: a\r\n\r\n", "line-ends"},
      {"LF alone everywhere", "GET /hello HTTP/1.1\nHost: a\nFoo: bar\n\n", ""},
      {"pipeline of three",
       Post("Content-Length: 3\r\n", "aaa") + Post("Content-Length: 4\r\n", "bbbb") +
           Head("PATCH /echo", "Content-Length: 5\r\n") + "ccccc",
       ""},
      {"pipeline whose last body is cut short",
       Post("Content-Length: 3\r\n", "aaa") + Post("Content-Length: 5\r\n", "bbbb"), ""},
  };
}

std::vector<LlhttpCase> TargetCases() {
  return {
      {"quotes in the target", Head("GET /echo?q=\"x\""), "target"},
      {"question mark in the query", Head("GET /echo?a=b?c"), ""},
      {"absolute form with a query alone", Head("GET http://a.example?x=y"), ""},
      {"absolute form with a port and a query", Head("GET http://a.example:1234?x=y"), ""},
      {"absolute form with a port", Head("GET http://a.example:1234"), ""},
      {"vertical bar in the query", Head("GET /echo?q=|"), "target"},
      {"UTF-8 in the path", Head("GET /\xCE\xB4/echo"), "target"},
      {"fragment", Head("GET /echo?page=1#here"), "target"},
      {"user information", Head("GET http://me:pw@a.example/echo"), "target"},
      {"blank in the target", Head("GET /echo x"), ""},
      {"control byte in the target", Head("GET /ec\x01ho"), ""},
      {"no slash in front", Head("GET echo"), ""},
      {"star with GET", Head("GET *"), "target"},
  };
}

std::vector<LlhttpCase> FieldCases() {
  return {
      {"CR between fields", Head("GET /hello", "Foo: 1\rBar: 2\r\n"), ""},
      {"LF between fields", Head("GET /hello", "Foo: 1\nBar: 2\r\n"), ""},
      {"LF that hides a coding", Post("x:x\nTransfer-Encoding: chunked\r\n", "1\r\nA\r\n0\r\n\r\n"), ""},
      {"LF behind an empty value", Post("x:\nTransfer-Encoding: chunked\r\n", "1\r\nA\r\n0\r\n\r\n"), ""},
      {"at sign in a name", Head("GET /hello", "Fo@: 1\r\n"), ""},
      {"control byte in a name", Head("GET /hello", std::string("Fo\x01o: 1\r\n", 9)), ""},
      {"name folded away from its colon", Head("GET /hello", "name\r\n : value\r\n"), ""},
      {"name cut by CR", Head("GET /hello", "X-Some-Name\r\033alue: 1\r\n"), ""},
      {"LF that hides a length", Head("GET /hello", "Foo: x\nContent-Length: 3\r\n") + "abc", ""},
      {"value with a form feed", Head("GET /hello", "Foo: \f\r\n"), ""},
      {"value with DEL", Head("GET /hello", "Foo: a\x7F\r\n"), ""},
      {"tab before a value", Head("GET /hello", "Foo:\t bar\r\n"), ""},
      {"value above ASCII", Head("GET /hello", "Foo: D\xC3\xBCsseldorf\r\n"), ""},
      {"value with 0xFF", Head("GET /hello", "Foo: \xFF\x76\r\n"), ""},
      {"value folded with a blank", Head("GET /hello", "Foo: a\r\n b\r\n"), "obs-fold"},
      {"value folded with a tab", Head("GET /hello", "Foo: a\r\n\tb\r\n"), "obs-fold"},
      {"value of folds alone", Head("GET /hello", "Foo: \r\n \r\n"), "obs-fold"},
      {"long value folded many times", Head("GET /hello", "Foo: -----\r\n\tabc\r\n\tdef\r\n\t-----\r\n"),
       "obs-fold"},
      {"body in gzip", Post("Content-Encoding: gzip\r\nContent-Length: 1\r\n", "x"), "content-coding"},
      {"an expectation", Post("Expect: tea\r\nContent-Length: 1\r\n", "x"), "expectations"},
  };
}

std::vector<LlhttpCase> CodingCases() {
  const std::string body = "5\r\nabcde\r\n0\r\n\r\n";
  return {
      {"chunked without a body", Chunks(""), ""},
      {"size in lower case", Chunks("a\r\n0123456789\r\n0\r\n\r\n"), ""},
      {"size in capitals", Chunks("A\r\n0123456789\r\n0\r\n\r\n"), ""},
      {"two chunks, three zeros at the end", Chunks("5\r\nabcde\r\n6\r\n abcde\r\n000\r\n\r\n"), ""},
      {"trailer", Chunks("5\r\nabcde\r\n0\r\nVary: *\r\nFoo: bar\r\n\r\n"), ""},
      {"extensions", Chunks("5;foo;bar=baz\r\nabcde\r\n0;x\r\n\r\n"), ""},
      {"no semicolon before an extension", Chunks("5 foo\r\nabcde\r\n0\r\n\r\n"), ""},
      {"semicolon without an extension", Chunks("5;\r\nabcde\r\n0\r\n\r\n"), ""},
      {"two semicolons", Chunks("5;a;;b\r\nabcde\r\n0\r\n\r\n"), "chunk-extensions"},
      {"semicolon at the end", Chunks("5;a=b;\r\nabcde\r\n0\r\n\r\n"), "chunk-extensions"},
      {"extension without a name", Chunks("5;=b\r\nabcde\r\n0\r\n\r\n"), "chunk-extensions"},
      {"extension without a value", Chunks("5;a=\r\nabcde\r\n0\r\n\r\n"), "chunk-extensions"},
      {"quotes inside a value", Chunks("5;a=b\"c\"\r\nabcde\r\n0\r\n\r\n"), "chunk-extensions"},
      {"quoted value", Chunks("5;a=\"x; y\";b=\"\"\r\nabcde\r\n0\r\n\r\n"), ""},
      {"quotes that don't end", Chunks("5;a=\"x\";b=\"y; z\r\nabcde\r\n0\r\n\r\n"), ""},
      {"letters behind the quotes", Chunks("5;a=\"x\"y\r\nabcde\r\n0\r\n\r\n"), ""},
      {"control byte in quotes", Chunks("5;a=\"\x01\"\r\nabcde\r\n0\r\n\r\n"), ""},
      {"at sign in an extension", Chunks("5;a@b\r\nabcde\r\n0\r\n\r\n"), ""},
      {"blank before the semicolon", Chunks("5 ;a\r\nabcde\r\n0\r\n\r\n"), "chunk-blanks"},
      {"blank behind the semicolon", Chunks("5; a\r\nabcde\r\n0\r\n\r\n"), "chunk-blanks"},
      {"blanks around the equals sign", Chunks("5;a = b\r\nabcde\r\n0\r\n\r\n"), "chunk-blanks"},
      {"escape in quotes", Chunks("5;a=\"x\\\"y\"\r\nabcde\r\n0\r\n\r\n"), "chunk-blanks"},
      {"blank behind the size", Chunks("5 \r\nabcde\r\n0\r\n\r\n"), ""},
      {"no chunk size", Chunks("\r\nabcde\r\n0\r\n\r\n"), ""},
      {"chunk size that is none", Chunks("xyz\r\nabcde\r\n0\r\n\r\n"), ""},
      {"chunk size beyond 64 bits", Chunks("10000000000000005\r\nabcde\r\n0\r\n\r\n"), ""},
      {"chunk size with many zeros", Chunks("0000000000000000005\r\nabcde\r\n0\r\n\r\n"), "chunk-size"},
      {"LF alone behind the size", Chunks("5\nabcde\r\n0\r\n\r\n"), ""},
      {"CR and a letter behind the size", Chunks("5\rXabcde\r\n0\r\n\r\n"), "line-ends"},
      {"CR and a letter behind the data", Chunks("5\r\nabcde\rX0\r\n\r\n"), "line-ends"},
      {"letter and LF behind the data", Chunks("5\r\nabcdeX\n0\r\n\r\n"), "line-ends"},
      {"data longer than its size", Chunks("5\r\nabcdefg\r\n0\r\n\r\n"), ""},
      {"last chunk is missing", Chunks("3\r\nabc\r\n\r\n"), ""},
      {"LF in a chunk's parameters", Chunks("3 \n  \r\nabc\r\n"), ""},
      {"folded trailer", Chunks("0\r\nFoo: a\r\n b\r\n\r\n"), "obs-fold"},
      {"a coding that is none", Post("Transfer-Encoding: pigeons\r\n"), ""},
      {"identity beside a length", Post("Transfer-Encoding: identity\r\nContent-Length: 5\r\n", "abcde"), ""},
      {"chunked before another coding", Post("Transfer-Encoding: chunked, deflate\r\n", body), ""},
      {"chunked before another coding in two fields",
       Post("Transfer-Encoding: chunked\r\nTransfer-Encoding: deflate\r\n", body), ""},
      {"chunked behind another coding", Post("Transfer-Encoding: deflate, chunked\r\n", body), "codings"},
      {"chunked behind another coding in two fields",
       Post("Transfer-Encoding: deflate\r\nTransfer-Encoding: chunked\r\n", body), "codings"},
      {"chunkedchunked", Post("Transfer-Encoding: chunkedchunked\r\n", body), ""},
      {"chunked twice", Post("Transfer-Encoding: chunked, chunked\r\n", body), ""},
      {"folded coding", Post("Transfer-Encoding: chunked\r\n  abc\r\n", body), ""},
      {"chunked in version 1.0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + body,
       "codings"},
  };
}

Verdict OfLlhttp(const std::string& bytes) {
  llhttp_settings_t settings;
  llhttp_settings_init(&settings);
  settings.on_message_complete = [](llhttp_t* parser) {
    ++static_cast<Verdict*>(parser->data)->taken;
    return 0;
  };
  Verdict verdict;
  llhttp_t parser;
  llhttp_init(&parser, HTTP_REQUEST, &settings);
  parser.data = &verdict;
  const llhttp_errno_t error = llhttp_execute(&parser, bytes.data(), bytes.size());
  // Behind an upgrade or a last request, what follows is somebody else's.
  verdict.refused = error != HPE_OK && error != HPE_PAUSED_UPGRADE && error != HPE_CLOSED_CONNECTION;
  return verdict;
}

Verdict OfServer(TestServer& server, const std::string& bytes) {
  RawClient client(server.port(), bytes);
  client.EndSending();
  const Body body = bytes.rfind("HEAD ", 0) == 0 ? Body::kNone : Body::kExpected;
  Verdict verdict;
  while (std::optional<Answer> answer = client.Read(body)) {
    const int status = answer->status;
    const bool taken = status == 200 || status == 204 || status == 404 || status == 405;
    taken ? ++verdict.taken : verdict.refused = true;
  }
  return verdict;
}

class Llhttp : public testing::TestWithParam<LlhttpCase> {
 protected:
  static void SetUpTestSuite() { server_ = std::make_unique<TestServer>(); }
  static void TearDownTestSuite() { server_.reset(); }
  static std::unique_ptr<TestServer> server_;
};
std::unique_ptr<TestServer> Llhttp::server_;

TEST_P(Llhttp, AgreesWithTheServerExceptByANamedRule) {
  const LlhttpCase& c = GetParam();
  const Verdict theirs = OfLlhttp(c.bytes), ours = OfServer(*server_, c.bytes);
  if (c.rule.empty()) {
    EXPECT_EQ(theirs, ours);
    return;
  }
  EXPECT_NE(theirs, ours) << "the rule " << c.rule << " makes no difference here";
  static const std::string document = [] {
    std::ostringstream text;
    text << std::ifstream(STEMEDB_SOURCE_DIR "/docs/http-api.md").rdbuf();
    return text.str();
  }();
  EXPECT_NE(std::string::npos, document.find("| `" + c.rule + "` |"))
      << "docs/http-api.md lacks the rule " << c.rule;
}

std::string NameOf(const testing::TestParamInfo<LlhttpCase>& info) {
  std::string name = info.param.name;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(Connection, Llhttp, testing::ValuesIn(ConnectionCases()), NameOf);
INSTANTIATE_TEST_SUITE_P(Length, Llhttp, testing::ValuesIn(LengthCases()), NameOf);
INSTANTIATE_TEST_SUITE_P(Line, Llhttp, testing::ValuesIn(LineCases()), NameOf);
INSTANTIATE_TEST_SUITE_P(Target, Llhttp, testing::ValuesIn(TargetCases()), NameOf);
INSTANTIATE_TEST_SUITE_P(Field, Llhttp, testing::ValuesIn(FieldCases()), NameOf);
INSTANTIATE_TEST_SUITE_P(Coding, Llhttp, testing::ValuesIn(CodingCases()), NameOf);

}  // namespace
}  // namespace stemedb::http::test
