// SPDX-License-Identifier: Apache-2.0
// The bytes of the log against the worked example of docs/wal-format.md, whose hash and checksum were
// computed by Python's hashlib and a bitwise CRC, not by this code.
#include "wal/format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "wal/segment_files.h"
#include "wal/segment_scanner.h"

namespace stemedb::wal {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kHeaderHex =
    "5354454d4557414c010000000100000001000000000000000000000000000000000000000000000000000000000000000000"
    "000000000000000000007951c840";
constexpr std::string_view kRecordHex =
    "0500000046c80a89010001000100000000000000d0e5324c9c010000d657ade3b9ce3ef80f597ec8da5932928ef3eaa26349"
    "b0358b7cb6bc845feec868656c6c6f";

std::string ExampleBytes() {
  std::string bytes;
  AppendSegmentHeader(bytes, {1, Position{}});
  Position at;
  AppendRecord(bytes, {1, 0, 1'770'804'930'000, "hello"}, kMarkWriteBegins, at);
  return bytes;
}

TEST(WalFormat, WritesTheWorkedExample) {
  EXPECT_EQ(ToHex(AsBytes(ExampleBytes())), std::string(kHeaderHex) + std::string(kRecordHex));
}

TEST(WalFormat, TheDocumentShowsTheSameBytes) {
  std::ifstream in(std::string(STEMEDB_SOURCE_DIR) + "/docs/wal-format.md");
  std::string document{std::istreambuf_iterator<char>(in), {}};
  std::string digits;  // of the hex dump's lines, which begin with an offset and two blanks
  for (size_t at = document.find("```hex\n") + 7; at < document.size() && document[at] != '`';) {
    const size_t end = document.find('\n', at);
    std::string line = document.substr(at + 6, std::min<size_t>(end - at - 6, 47));
    std::erase(line, ' ');
    digits += line;
    at = end + 1;
  }
  EXPECT_EQ(digits, ToHex(AsBytes(ExampleBytes())));
}

TEST(WalFormat, ReadsBackWhatItWrote) {
  const std::string bytes = ExampleBytes();
  const auto header = ParseSegmentHeader(AsBytes(bytes));
  ASSERT_TRUE(header.has_value());
  EXPECT_EQ(header->number, 1u);
  SegmentScanner scanner(AsBytes(bytes), header->start);
  Record record;
  ASSERT_TRUE(scanner.Next(record));
  EXPECT_EQ(record.payload, "hello");
  EXPECT_EQ(record.sequence, 1u);
  EXPECT_EQ(record.recorded_at_ms, 1'770'804'930'000);
  EXPECT_EQ(record.marks, kMarkWriteBegins);
  EXPECT_FALSE(scanner.Next(record));
  EXPECT_EQ(scanner.fault(), Fault::kNone);
}

TEST(WalFormat, TheChainLeavesTheMarksOut) {
  std::string one, other;
  Position a, b;
  AppendRecord(one, {1, 0, 5, "x"}, 0, a);
  AppendRecord(other, {1, 0, 5, "x"}, kMarkWriteBegins, b);
  EXPECT_EQ(a, b);
  EXPECT_NE(one, other);
}

TEST(WalFormat, AHeaderOfAnotherVersionIsNamed) {
  std::string bytes = ExampleBytes();
  bytes[8] = 2;
  EXPECT_EQ(ParseSegmentHeader(AsBytes(bytes)).error().reason(), "wal_header");
  bytes[0] = 'X';
  EXPECT_THAT(std::string(ParseSegmentHeader(AsBytes(bytes)).error().message()),
              HasSubstr("WAL magic byte validation failed"));
}

TEST(SegmentNames, HaveOneSpellingEach) {
  EXPECT_EQ(SegmentName(1), "segment-00001.log");
  EXPECT_EQ(SegmentName(123456), "segment-123456.log");
  EXPECT_EQ(SegmentNumber("segment-00042.log"), 42u);
  EXPECT_EQ(SegmentNumber("segment-123456.log"), 123456u);
  for (const char* name :
       {"segment-42.log", "segment-00000.log", "segment-000042.log", "segment-00042.log.damaged-1",
        "segment-.log", "segment-0004x.log", "LOCK", "segment-99999999999.log"}) {
    EXPECT_FALSE(SegmentNumber(name)) << name;
  }
}

}  // namespace
}  // namespace stemedb::wal
