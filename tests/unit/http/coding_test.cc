// SPDX-License-Identifier: Apache-2.0
// Content and transfer codings, set against zlib and llhttp.
#include <gtest/gtest.h>
#include <llhttp.h>
#include <zlib.h>

#include <random>

#include "http/accept_encoding.h"
#include "http/chunked_decoder.h"
#include "http/gzip.h"

namespace stemedb::http {
namespace {

TEST(AcceptsGzip, HonoursWeights) {
  for (const char* field : {"gzip", "GZIP", "x-gzip", "deflate, gzip", "gzip;q=0.001", "gzip ; q=1.000", "*",
                            "br;q=1, *;q=0.5", "identity;q=0.5, gzip;q=0.5", "identity;q=0, gzip;q=0.2"}) {
    EXPECT_TRUE(AcceptsGzip(field)) << field;
  }
  for (const char* field :
       {"", "deflate", "gzip;q=0", "gzip;q=0.000", "*;q=0", "gzip;q=0, *", "identity, gzip;q=0.5", "gzip;q=2",
        "gzip;q=0.1234", "gzip;q=", "gzip;q=x", "gzipped"}) {
    EXPECT_FALSE(AcceptsGzip(field)) << field;
  }
}

TEST(Gzip, IsReadByZlibAgainAndAgain) {
  Gzip gzip;
  for (size_t size : {1200u, 50000u, 3u * 1024 * 1024}) {
    std::string text, packed;
    while (text.size() < size) text += "{\"n\":" + std::to_string(text.size()) + "}";
    ASSERT_TRUE(gzip.Compress(text, packed));
    EXPECT_LT(packed.size(), text.size() / 2);
    std::string unpacked(text.size() + 1, '\0');
    z_stream z{};
    ASSERT_EQ(Z_OK, inflateInit2(&z, 15 + 16));
    z.next_in = reinterpret_cast<Bytef*>(packed.data());
    z.avail_in = static_cast<uInt>(packed.size());
    z.next_out = reinterpret_cast<Bytef*>(unpacked.data());
    z.avail_out = static_cast<uInt>(unpacked.size());
    EXPECT_EQ(Z_STREAM_END, inflate(&z, Z_FINISH));
    unpacked.resize(z.total_out);
    inflateEnd(&z);
    EXPECT_TRUE(unpacked == text);
  }
}

TEST(Gzip, GivesUpOnTextThatDoesNotShrink) {
  Gzip gzip;
  std::string noise(4096, '\0'), packed;
  std::mt19937 random(1);
  for (char& c : noise) c = static_cast<char>(random());
  EXPECT_FALSE(gzip.Compress(noise, packed));
  EXPECT_TRUE(gzip.Compress(std::string(4096, 'a'), packed));
}

// What llhttp makes of a chunked body.
std::string DecodeWithLlhttp(const std::string& chunks) {
  std::string body;
  llhttp_settings_t settings;
  llhttp_settings_init(&settings);
  settings.on_body = [](llhttp_t* parser, const char* at, size_t length) {
    static_cast<std::string*>(parser->data)->append(at, length);
    return 0;
  };
  llhttp_t parser;
  llhttp_init(&parser, HTTP_REQUEST, &settings);
  parser.data = &body;
  std::string message = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks;
  EXPECT_EQ(HPE_OK, llhttp_execute(&parser, message.data(), message.size()));
  return body;
}

TEST(ChunkedDecoder, AgreesWithLlhttpOnWellFormedBodiesHoweverTheyAreCut) {
  uint32_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 300; ++round) {
    std::string chunks;
    for (size_t i = random() % 6; i > 0; --i) {
      std::string data(1 + random() % 300, '\0');
      for (char& c : data) c = static_cast<char>(random());
      char size[16];
      std::snprintf(size, sizeof size, random() % 2 ? "%zx" : "00%zX", data.size());
      chunks += size + std::string(random() % 3 ? "" : ";name=value") + "\r\n" + data + "\r\n";
    }
    chunks += random() % 2 ? "0\r\n\r\n" : "000;x\r\nTrailer: t\r\n\r\n";
    ChunkedDecoder decoder;
    decoder.Reset(1 << 20);
    PaddedBuffer body;
    ChunkedDecoder::State state = ChunkedDecoder::State::kMore;
    for (size_t at = 0; at < chunks.size();) {
      size_t part = std::min<size_t>(1 + random() % 40, chunks.size() - at), used = 0;
      state = decoder.Feed(body, chunks.data() + at, part, used);
      ASSERT_EQ(part, used);
      at += used;
    }
    ASSERT_EQ(ChunkedDecoder::State::kComplete, state);
    ASSERT_TRUE(body.view() == DecodeWithLlhttp(chunks));
  }
}

TEST(ChunkedDecoder, TakesNothingBeyondTheEndOfTheMessage) {
  ChunkedDecoder decoder;
  decoder.Reset(100);
  PaddedBuffer body;
  size_t used = 0;
  std::string bytes = "1\r\nx\r\n0\r\n\r\nGET /";
  EXPECT_EQ(ChunkedDecoder::State::kComplete, decoder.Feed(body, bytes.data(), bytes.size(), used));
  EXPECT_EQ(bytes.size() - 5, used);
}

}  // namespace
}  // namespace stemedb::http
