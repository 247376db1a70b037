// SPDX-License-Identifier: Apache-2.0
// ChunkedDecoder: the chunked transfer coding (RFC 9112 §7.1), byte by byte where it frames and by the run
// where it carries. Stricter than llhttp 8.1, which takes any byte after a CR for the line's end and lets
// sizes be followed by junk: two readers that see different ends of a message are what request smuggling is
// made of. Extensions must have the RFC's grammar and are dropped, so are trailer fields, which are judged
// like header fields; both are bounded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "http/head_scanner.h"
#include "http/padded_buffer.h"

namespace stemedb::http {

class ChunkedDecoder {
 public:
  enum class State { kMore, kComplete, kRefused };

  // `body_bytes_max` bounds the decoded body.
  void Reset(size_t body_bytes_max);

  // Appends what it decodes to `body`; `used` says how many bytes it took, up to the message's end or a
  // fault.
  State Feed(PaddedBuffer& body, const char* bytes, size_t count, size_t& used);
  const Refusal& refusal() const { return refusal_; }

 private:
  enum class At {
    kSizeFirst,
    kSize,
    kBlank,  // in front of the ";" of an extension
    kSizeLf,
    kName,  // of an extension, where it may begin; the others are named by what was read last
    kInName,
    kNameBlank,
    kValue,
    kInToken,
    kQuoted,
    kPair,
    kValueEnd,
    kData,
    kDataCr,
    kDataLf,
    kTrailer,
    kEnd
  };

  void Step(char c);
  void ExtensionByte(char c);
  // The byte behind a size, a name or a value.
  void Delimiter(char c, At on_blank);
  void EndSizeLine();
  void TrailerByte(char c);
  void Refuse(Refusal refusal) { refusal_ = refusal; }

  At at_ = At::kSizeFirst;
  uint64_t chunk_left_ = 0;
  size_t size_digits_ = 0;
  size_t extension_bytes_ = 0;  // of the whole message
  size_t decoded_bytes_ = 0;
  size_t body_bytes_max_ = 0;
  std::string trailer_line_;
  size_t trailer_bytes_ = 0;
  Refusal refusal_;
};

}  // namespace stemedb::http
