// SPDX-License-Identifier: Apache-2.0
// Level 1: JSON shrinks to a fifth at any level, and the loop's time is dearer than the last percents.
#include "http/gzip.h"

#include <zlib.h>

#include <limits>

namespace stemedb::http {
namespace {
constexpr int kLevel = 1;
constexpr int kWindowBitsGzip = 15 + 16;
constexpr int kMemoryLevel = 8;
}  // namespace

struct Gzip::Stream {
  z_stream z{};
  bool ready =
      deflateInit2(&z, kLevel, Z_DEFLATED, kWindowBitsGzip, kMemoryLevel, Z_DEFAULT_STRATEGY) == Z_OK;
  ~Stream() {
    if (ready) deflateEnd(&z);
  }
};

Gzip::Gzip() = default;
Gzip::~Gzip() = default;

bool Gzip::Compress(std::string_view text, std::string& out) {
  if (text.size() > std::numeric_limits<uInt>::max()) return false;
  if (!stream_) stream_ = std::make_unique<Stream>();
  if (!stream_->ready) return false;
  z_stream& z = stream_->z;
  if (deflateReset(&z) != Z_OK) return false;
  out.resize(text.size());  // anything longer isn't worth sending
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  if (deflate(&z, Z_FINISH) != Z_STREAM_END) return false;
  out.resize(out.size() - z.avail_out);
  return true;
}

}  // namespace stemedb::http
