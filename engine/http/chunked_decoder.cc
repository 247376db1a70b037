// SPDX-License-Identifier: Apache-2.0
// One state for each place in the grammar:
//   size *ext CR LF  data CR LF  ...  0 *ext CR LF  *(trailer CR LF)  CR LF
//   ext = BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ]
#include "http/chunked_decoder.h"

#include <algorithm>

#include "http/ascii.h"

namespace stemedb::http {
namespace {

constexpr size_t kExtensionBytesMax = 4096;
constexpr size_t kTrailerBytesMax = 8192;
constexpr size_t kSizeDigitsMax = 15;  // leading zeros included; keeps the sum far from overflow

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

constexpr Refusal kBadSize{400, "invalid_request", "a chunk's size line is malformed"};
constexpr Refusal kBadEnd{400, "invalid_request", "a chunk's data must be followed by CR LF"};
constexpr Refusal kBadTrailer{400, "invalid_request", "the trailer section is malformed"};
constexpr Refusal kTooLarge{413, "payload_too_large", "the request's body is larger than this path takes"};

}  // namespace

void ChunkedDecoder::Reset(size_t body_bytes_max) {
  at_ = At::kSizeFirst;
  chunk_left_ = size_digits_ = extension_bytes_ = decoded_bytes_ = trailer_bytes_ = 0;
  body_bytes_max_ = body_bytes_max;
  trailer_line_.clear();
  refusal_ = Refusal();
}

ChunkedDecoder::State ChunkedDecoder::Feed(PaddedBuffer& body, const char* bytes, size_t count,
                                           size_t& used) {
  used = 0;
  while (used < count && at_ != At::kEnd && !refusal_) {
    if (at_ == At::kData) {
      size_t run = static_cast<size_t>(std::min<uint64_t>(chunk_left_, count - used));
      body.Append(bytes + used, run);
      used += run;
      chunk_left_ -= run;
      if (chunk_left_ == 0) at_ = At::kDataCr;
    } else {
      Step(bytes[used++]);
    }
  }
  if (refusal_) return State::kRefused;
  return at_ == At::kEnd ? State::kComplete : State::kMore;
}

void ChunkedDecoder::Step(char c) {
  switch (at_) {
    case At::kSizeFirst:
      chunk_left_ = 0;
      size_digits_ = 0;
      [[fallthrough]];
    case At::kSize:
      if (int digit = HexValue(c); digit >= 0) {
        if (++size_digits_ > kSizeDigitsMax) return Refuse(kBadSize);
        chunk_left_ = chunk_left_ << 4 | static_cast<uint64_t>(digit);
        at_ = At::kSize;
        return;
      }
      if (at_ == At::kSizeFirst) return Refuse(kBadSize);
      return Delimiter(c, At::kBlank);
    case At::kBlank:
    case At::kName:
    case At::kInName:
    case At::kNameBlank:
    case At::kValue:
    case At::kInToken:
    case At::kQuoted:
    case At::kPair:
    case At::kValueEnd:
      return ExtensionByte(c);
    case At::kSizeLf:
      return c == '\n' ? EndSizeLine() : Refuse(kBadSize);
    case At::kDataCr:
      if (c != '\r') return Refuse(kBadEnd);
      at_ = At::kDataLf;
      return;
    case At::kDataLf:
      if (c != '\n') return Refuse(kBadEnd);
      at_ = At::kSizeFirst;
      return;
    case At::kTrailer:
      return TrailerByte(c);
    case At::kData:
    case At::kEnd:
      return;
  }
}

void ChunkedDecoder::Delimiter(char c, At on_blank) {
  if (c == '\r') {
    at_ = At::kSizeLf;
  } else if (c == ';') {
    at_ = At::kName;
  } else if (IsBlank(c)) {
    at_ = on_blank;
  } else {
    Refuse(kBadSize);
  }
}

void ChunkedDecoder::ExtensionByte(char c) {
  if (++extension_bytes_ > kExtensionBytesMax) return Refuse(kBadSize);
  switch (at_) {
    case At::kInName:
      if (IsTokenChar(c)) return;
      if (c != '=') return Delimiter(c, At::kNameBlank);
      at_ = At::kValue;
      return;
    case At::kInToken:
      if (!IsTokenChar(c)) Delimiter(c, At::kBlank);
      return;
    case At::kValueEnd:
      return Delimiter(c, At::kBlank);
    case At::kQuoted:
      if (c == '"') at_ = At::kValueEnd;
      if (c == '\\') at_ = At::kPair;
      if (!IsFieldValueChar(c)) Refuse(kBadSize);
      return;
    case At::kPair:
      at_ = At::kQuoted;
      if (!IsFieldValueChar(c)) Refuse(kBadSize);
      return;
    default:
      break;
  }
  // What is left are places where blanks may stand: kBlank, kName, kNameBlank, kValue.
  if (IsBlank(c)) return;
  if (c == ';' && (at_ == At::kBlank || at_ == At::kNameBlank)) {
    at_ = At::kName;
  } else if (c == '=' && at_ == At::kNameBlank) {
    at_ = At::kValue;
  } else if (c == '"' && at_ == At::kValue) {
    at_ = At::kQuoted;
  } else if (IsTokenChar(c) && (at_ == At::kName || at_ == At::kValue)) {
    at_ = at_ == At::kName ? At::kInName : At::kInToken;
  } else {
    Refuse(kBadSize);
  }
}

void ChunkedDecoder::EndSizeLine() {
  if (chunk_left_ == 0) {
    at_ = At::kTrailer;
    return;
  }
  if (chunk_left_ > body_bytes_max_ - decoded_bytes_) return Refuse(kTooLarge);
  decoded_bytes_ += static_cast<size_t>(chunk_left_);
  at_ = At::kData;
}

void ChunkedDecoder::TrailerByte(char c) {
  if (++trailer_bytes_ > kTrailerBytesMax) {
    return Refuse({431, "headers_too_large", "the request's trailer section is too large"});
  }
  trailer_line_.push_back(c);
  if (c != '\n') return;
  size_t size = trailer_line_.size();
  if (size < 2 || trailer_line_[size - 2] != '\r') return Refuse(kBadTrailer);
  if (size == 2) {
    at_ = At::kEnd;
    return;
  }
  if (CheckFieldLine(trailer_line_.data(), size - 2)) return Refuse(kBadTrailer);
  trailer_line_.clear();
}

}  // namespace stemedb::http
