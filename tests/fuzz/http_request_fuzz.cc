// SPDX-License-Identifier: Apache-2.0
// Any bytes as a request: the head's gate, the parser behind it, and the chunked body, without a socket.
// However the bytes are cut into reads, the outcome is the same, and what the parser gives lies inside the
// head.
//
// The first input byte seeds the cutting.
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
  return 0;
}
