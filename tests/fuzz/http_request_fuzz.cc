// SPDX-License-Identifier: Apache-2.0
// Any bytes as a request: the head's gate, the parser behind it, and the chunked body, without a socket.
// However the bytes are cut into reads, the outcome is the same, and what the parser gives lies inside the
// head. And llhttp reads the same message: what we take, it takes, with the same body and the same end. It
// is the other reader of whom a smuggler dreams.
//
// The first input byte seeds the cutting.
#include <llhttp.h>

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <string_view>

#include "base/check.h"
#include "http/chunked_decoder.h"
#include "http/head_parser.h"
#include "http/head_scanner.h"

namespace {

using namespace stemedb;
using namespace stemedb::http;

constexpr size_t kBodyMax = 4096;

// What came of it, in a form that can be compared.
struct Outcome {
  int state = 0;
  size_t used = 0;
  std::string bytes;
  std::string code;
  bool operator==(const Outcome&) const = default;
};

template <typename Reader>
Outcome FeedAll(Reader& reader, PaddedBuffer& buffer, std::string_view bytes,
                const std::function<size_t(size_t left)>& next_size) {
  Outcome outcome;
  auto state = Reader::State::kMore;
  while (state == Reader::State::kMore && outcome.used < bytes.size()) {
    const size_t size = next_size(bytes.size() - outcome.used);
    size_t used = 0;
    state = reader.Feed(buffer, bytes.data() + outcome.used, size, used);
    STEMEDB_CHECK(used <= size);
    STEMEDB_CHECK(state != Reader::State::kMore || used == size);
    outcome.used += used;
  }
  outcome.state = static_cast<int>(state);
  if (state == Reader::State::kRefused) {
    outcome.used = 0;  // a long read may be refused as a whole
  } else {
    outcome.bytes = std::string(buffer.view());
  }
  if (reader.refusal()) outcome.code = reader.refusal().code;
  STEMEDB_CHECK((state == Reader::State::kRefused) == static_cast<bool>(reader.refusal()));
  return outcome;
}

bool Inside(std::string_view part, const PaddedBuffer& whole) {
  const std::string_view all = whole.view();
  return part.empty() || (part.data() >= all.data() && part.data() + part.size() <= all.data() + all.size());
}

void CheckRequest(const Request& request, const Framing& framing, const PaddedBuffer& head) {
  for (std::string_view part :
       {request.target, request.path, request.query, request.request_id, request.traceparent}) {
    STEMEDB_CHECK(Inside(part, head) || part == "/");  // the path of http://a.example is ours
  }
  for (const auto& header : request.headers) {
    STEMEDB_CHECK(Inside(header.name, head) && Inside(header.value, head));
    STEMEDB_CHECK(header.value.find_first_of("\r\n") == std::string_view::npos);
  }
  STEMEDB_CHECK(!framing.chunked || framing.content_length == 0);
}

// What llhttp makes of a chunked message that we have read to its end.
struct Peer {
  std::string body;
  bool complete = false;
};

Peer ReadByLlhttp(std::string_view head, std::string_view body, llhttp_errno_t& error, std::string& reason,
                  size_t& used) {
  static const llhttp_settings_t settings = [] {
    llhttp_settings_t s;
    llhttp_settings_init(&s);
    s.on_body = [](llhttp_t* parser, const char* at, size_t length) {
      static_cast<Peer*>(parser->data)->body.append(at, length);
      return 0;
    };
    s.on_message_complete = [](llhttp_t* parser) {
      static_cast<Peer*>(parser->data)->complete = true;
      return static_cast<int>(HPE_PAUSED);
    };
    return s;
  }();
  Peer peer;
  llhttp_t parser;
  llhttp_init(&parser, HTTP_REQUEST, &settings);
  parser.data = &peer;
  const std::string message = std::string(head) + std::string(body);
  error = llhttp_execute(&parser, message.data(), message.size());
  if (error != HPE_OK && error != HPE_PAUSED) reason = llhttp_get_error_reason(&parser);
  used =
      peer.complete ? static_cast<size_t>(llhttp_get_error_pos(&parser) - message.data()) - head.size() : 0;
  return peer;
}

// The places at which we are documented to take what llhttp refuses: blanks and escapes in chunk extensions
// (docs/http-api.md), and trailer fields, which we drop unread.
bool MayDiffer(const std::string& reason) {
  for (const char* part : {"chunk extensions", "chunk size", "Content-Length", "Transfer-Encoding"}) {
    if (reason.find(part) != std::string::npos) return true;
  }
  return false;
}

void CompareWithLlhttp(std::string_view chunks, size_t chunks_used, std::string_view decoded) {
  constexpr std::string_view kHead = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  llhttp_errno_t error = HPE_OK;
  std::string reason;
  size_t used = 0;
  const Peer peer = ReadByLlhttp(kHead, chunks, error, reason, used);
  if (error != HPE_OK && error != HPE_PAUSED && MayDiffer(reason)) return;
  STEMEDB_CHECK(peer.complete && peer.body == decoded && used == chunks_used);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::minstd_rand random(data[0] + 1u);
  const auto all = [](size_t left) { return left; };
  const auto some = [&](size_t left) { return 1 + random() % std::min<size_t>(left, 17); };

  const Limits limits;
  HeadScanner scanner(limits), cut_scanner(limits);
  PaddedBuffer head, cut_head;
  const Outcome outcome = FeedAll(scanner, head, bytes, all);
  STEMEDB_CHECK(FeedAll(cut_scanner, cut_head, bytes, some) == outcome);
  std::string_view rest = bytes;
  if (outcome.state == static_cast<int>(HeadScanner::State::kComplete)) {
    Request request;
    Framing framing;
    const Refusal refusal = ParseHead(head, request, framing);
    CheckRequest(request, framing, head);
    STEMEDB_CHECK(!refusal || refusal.status >= 400);
    rest = bytes.substr(outcome.used);
  }
  // What isn't a head is tried as a body, so that mutations of bodies need no head.
  ChunkedDecoder decoder, cut_decoder;
  decoder.Reset(kBodyMax);
  cut_decoder.Reset(kBodyMax);
  PaddedBuffer body, cut_body;
  const Outcome decoded = FeedAll(decoder, body, rest, all);
  STEMEDB_CHECK(FeedAll(cut_decoder, cut_body, rest, some) == decoded);
  STEMEDB_CHECK(body.size() <= kBodyMax && body.size() <= rest.size());
  if (decoded.state == static_cast<int>(ChunkedDecoder::State::kComplete)) {
    CompareWithLlhttp(rest, decoded.used, body.view());
  }
  return 0;
}
