// SPDX-License-Identifier: Apache-2.0
// JSON text. The numbers are the published ones of RFC 8785 Appendix B; tests/integration/identity holds many
// random ones against Node.
#include "base/json_writer.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>

namespace stemedb {
namespace {

std::string NumberText(double value) {
  std::string out;
  AppendJsonNumber(out, value);
  return out;
}

std::string StringText(std::string_view text) {
  std::string out;
  AppendJsonString(out, text);
  return out;
}

TEST(JsonNumber, IsSpelledAsInRfc8785AppendixB) {
  const std::pair<uint64_t, std::string_view> samples[] = {{0x0000000000000000, "0"},
                                                           {0x8000000000000000, "0"},
                                                           {0x0000000000000001, "5e-324"},
                                                           {0x8000000000000001, "-5e-324"},
                                                           {0x7fefffffffffffff, "1.7976931348623157e+308"},
                                                           {0xffefffffffffffff, "-1.7976931348623157e+308"},
                                                           {0x4340000000000000, "9007199254740992"},
                                                           {0xc340000000000000, "-9007199254740992"},
                                                           {0x4430000000000000, "295147905179352830000"},
                                                           {0x44b52d02c7e14af5, "9.999999999999997e+22"},
                                                           {0x44b52d02c7e14af6, "1e+23"},
                                                           {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
                                                           {0x444b1ae4d6e2ef4e, "999999999999999700000"},
                                                           {0x444b1ae4d6e2ef4f, "999999999999999900000"},
                                                           {0x444b1ae4d6e2ef50, "1e+21"},
                                                           {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
                                                           {0x3eb0c6f7a0b5ed8d, "0.000001"},
                                                           {0x41b3de4355555553, "333333333.3333332"},
                                                           {0x41b3de4355555554, "333333333.33333325"},
                                                           {0x41b3de4355555555, "333333333.3333333"},
                                                           {0x41b3de4355555556, "333333333.3333334"},
                                                           {0x41b3de4355555557, "333333333.33333343"},
                                                           {0xbecbf647612f3696, "-0.0000033333333333333333"},
                                                           {0x43143ff3c1cb0959, "1424953923781206.2"}};
  for (const auto& [bits, text] : samples)
    EXPECT_EQ(NumberText(std::bit_cast<double>(bits)), text) << std::hex << bits;
}

TEST(JsonNumber, ReadsBackAsTheSameDouble) {
  const unsigned seed = std::random_device{}();
  std::printf("random seed %u\n", seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 100000; ++i) {
    const double value = std::bit_cast<double>(random());
    if (!std::isfinite(value)) continue;
    ASSERT_EQ(std::strtod(NumberText(value).c_str(), nullptr), value) << NumberText(value);
  }
}

TEST(JsonString, EscapesOnlyWhatRfc8785Escapes) {
  EXPECT_EQ(StringText(std::string_view("\0\x01\b\t\n\v\f\r\x1f", 9)),
            R"("\u0000\u0001\b\t\n\u000b\f\r\u001f")");
  EXPECT_EQ(StringText("\"\\/'<>&"), R"("\"\\/'<>&")");
  EXPECT_EQ(StringText("\x7f\u0080\u2028é€😀"), "\"\x7f\u0080\u2028é€😀\"");
  EXPECT_EQ(StringText(""), "\"\"");
}

TEST(JsonWriter, KeepsTheCommas) {
  std::string out;
  JsonWriter writer(out);
  writer.BeginObject();
  writer.Field("a", "x");
  writer.Key("b");
  writer.BeginArray();
  writer.Integer(INT64_MIN);
  writer.Unsigned(UINT64_MAX);
  writer.BeginObject();
  writer.EndObject();
  writer.BeginArray();
  writer.EndArray();
  writer.Bool(true);
  writer.Null();
  writer.EndArray();
  writer.Key("c");
  writer.Raw("{\"d\":1}");
  writer.Key("e");
  writer.Time(0);
  writer.Key("f");
  writer.Number(0.5);
  writer.EndObject();
  EXPECT_EQ(out, R"({"a":"x","b":[-9223372036854775808,18446744073709551615,{},[],true,null],"c":{"d":1},)"
                 R"("e":"1970-01-01T00:00:00.000Z","f":0.5})");
}

}  // namespace
// Byte by byte, as RFC 8785 §3.2.2.2 says it.
std::string NaiveJsonString(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  static constexpr std::string_view kNamed = "\b\t\n\f\r\"\\", kNames = "btnfr\"\\";
  std::string out = "\"";
  for (const char c : text) {
    const size_t named = kNamed.find(c);
    if (named != std::string_view::npos) {
      out += {'\\', kNames[named]};
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += {'\\', 'u', '0', '0', kHex[static_cast<unsigned char>(c) >> 4], kHex[c & 15]};
    } else {
      out += c;
    }
  }
  return out + '"';
}

TEST(JsonString, IsWhatAByteByByteWriterMakes) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const std::string pool = std::string("\x00\x01\x1f\x20\"\\\n\t/a~\x7f", 12) + "\xc3\xa4\xe2\x82\xac";
  for (int round = 0; round < 20'000; ++round) {
    std::string text(random() % 40, 'x');
    for (char& c : text) {
      if (random() % 4 == 0) c = pool[random() % pool.size()];
    }
    std::string out;
    stemedb::AppendJsonString(out, text);
    ASSERT_EQ(out, NaiveJsonString(text));
  }
}

}  // namespace stemedb
