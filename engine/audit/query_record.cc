// SPDX-License-Identifier: Apache-2.0
#include "audit/query_record.h"

#include <simdjson.h>

#include <algorithm>
#include <cmath>

#include "base/crc32c.h"
#include "base/time.h"

namespace stemedb::audit {
namespace {

constexpr uint8_t kQueryKind = 1, kGapKind = 2, kSealKind = 3;
constexpr uint8_t kAnswered = 1, kFellBack = 2, kHasMoment = 4, kHasAgent = 8, kStale = 16, kFlagsKnown = 31;

void AppendVarint(std::string& out, uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  out += static_cast<char>(value);
}

template <typename T>
void AppendFixed(std::string& out, T value) {
  char bytes[sizeof value];
  StoreLittle(bytes, value);
  out.append(bytes, sizeof bytes);
}

// What is no number can't be told; lenses' numbers are checked before they come here.
void AppendNumber(std::string& out, double number) { AppendFixed(out, std::isfinite(number) ? number : 0.0); }

void AppendTime(std::string& out, int64_t time_ms) {
  AppendFixed(out, std::clamp(time_ms, kTimeMin, kTimeMax));
}

void AppendByte(std::string& out, uint8_t byte) { out += static_cast<char>(byte); }

constexpr size_t kCharacterBytesMax = 4;

// Between two characters; where that is not UTF-8, anywhere.
std::string_view Cut(std::string_view text, size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  for (size_t end = bytes_max; end + kCharacterBytesMax > bytes_max; --end)
    if ((static_cast<uint8_t>(text[end]) & 0xC0) != 0x80) return text.substr(0, end);
  return text.substr(0, bytes_max);
}

void AppendText(std::string& out, std::string_view text, size_t bytes_max = kTextBytesMax) {
  text = Cut(text, bytes_max);
  AppendVarint(out, text.size());
  const size_t at = out.size();
  out += text;
  if (simdjson::validate_utf8(text.data(), text.size())) return;
  const auto is_ascii = [](char c) { return static_cast<uint8_t>(c) < 0x80; };
  std::replace_if(
      out.begin() + static_cast<ptrdiff_t>(at), out.end(), [&](char c) { return !is_ascii(c); }, '?');
}

// A frame whose payload is written between its making and Close.
class Frame {
 public:
  Frame(std::string& out, uint8_t kind) : out_(out), at_(out.size()) {
    out_.append(kFrameHeaderBytes, '\0');
    AppendByte(out_, kind);
  }
  void Close() {
    char* const frame = out_.data() + at_;
    StoreLittle(frame, static_cast<uint32_t>(out_.size() - at_ - kFrameHeaderBytes));
    const auto bytes = AsBytes(std::string_view(out_).substr(at_));
    StoreLittle(frame + 4, Crc32cExtend(Crc32c(bytes.first(4)), bytes.subspan(kFrameHeaderBytes)));
  }

 private:
  std::string& out_;
  const size_t at_;
};

// Reads a payload from its beginning. After the first field that isn't there all further ones are empty.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : left_(bytes) {}

  bool ok() const { return ok_; }
  bool is_done() const { return ok_ && left_.empty(); }
  void Require(bool holds) { ok_ = ok_ && holds; }

  uint64_t Varint() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const uint8_t byte = Byte();
      if (shift == 63) Require(byte <= 1);
      value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) {
        Require(byte != 0 || shift == 0);
        return ok_ ? value : 0;
      }
    }
    ok_ = false;
    return 0;
  }
  uint8_t Byte() { return Fixed<uint8_t>(); }
  template <typename T>
  T Fixed() {
    const std::string_view bytes = Take(sizeof(T));
    return bytes.empty() ? T{} : LoadLittle<T>(bytes.data());
  }
  int64_t Time() {
    const auto time_ms = Fixed<int64_t>();
    Require(time_ms >= kTimeMin && time_ms <= kTimeMax);
    return time_ms;
  }
  double Number() {
    const double number = Fixed<double>();
    Require(std::isfinite(number));
    return number;
  }
  Hash256 Hash() {
    Hash256 hash{};
    const std::string_view bytes = Take(hash.size());
    std::copy(bytes.begin(), bytes.end(), hash.begin());
    return hash;
  }
  std::string_view Text(size_t bytes_max = kTextBytesMax) {
    const uint64_t size = Varint();
    Require(size <= bytes_max);
    const std::string_view text = ok_ ? Take(size) : std::string_view();
    Require(simdjson::validate_utf8(text.data(), text.size()));
    return text;
  }
  // A number of things, each of which takes a byte at the least.
  uint64_t Count(uint64_t max) {
    const uint64_t count = Varint();
    Require(count <= max);
    return ok_ ? count : 0;
  }
  template <typename Enum>
  Enum OneOf(uint8_t last, uint8_t first = 0) {
    const uint8_t byte = Byte();
    Require(byte >= first && byte <= last);
    return static_cast<Enum>(ok_ ? byte : first);
  }

 private:
  std::string_view Take(size_t bytes) {
    Require(left_.size() >= bytes);
    if (!ok_) return {};
    const std::string_view taken = left_.substr(0, bytes);
    left_.remove_prefix(bytes);
    return taken;
  }

  std::string_view left_;
  bool ok_ = true;
};

void ParseLenses(Fields& fields, std::vector<LensUsed>& lenses) {
  for (uint64_t count = fields.Count(kLensesUsedMax); count > 0 && fields.ok(); --count) {
    LensUsed& lens = lenses.emplace_back();
    lens.name = fields.Text();
    lens.version = fields.Text();
    lens.sha256 = fields.Hash();
    lens.generation = fields.Varint();
  }
}

void ParseClaims(Fields& fields, std::vector<ClaimUsed>& claims) {
  for (uint64_t count = fields.Count(kClaimsUsedMax); count > 0 && fields.ok(); --count) {
    ClaimUsed& claim = claims.emplace_back();
    claim.sequence = fields.Varint();
    const uint64_t resolution = fields.Varint();
    fields.Require(resolution <= UINT32_MAX);
    claim.resolution = static_cast<uint32_t>(resolution);
    claim.lens = fields.Byte();
    claim.role = fields.OneOf<Role>(static_cast<uint8_t>(Role::kOpposes));
    claim.weight = fields.Number();
    claim.share = fields.Number();
  }
}

// The question is whole, or was longer than what is kept of it; a cut may have split its last character.
bool IsQuestionLength(uint64_t whole, size_t kept) {
  if (whole <= kQuestionBytesKept) return kept == whole;
  return kept <= kQuestionBytesKept && kept + kCharacterBytesMax > kQuestionBytesKept;
}

QueryRecord ParseQuery(Fields& fields) {
  QueryRecord record;
  record.time_ms = fields.Time();
  const uint8_t flags = fields.Byte();
  fields.Require((flags & ~kFlagsKnown) == 0);
  record.answered = (flags & kAnswered) != 0;
  record.fell_back = (flags & kFellBack) != 0;
  record.has_moment = (flags & kHasMoment) != 0;
  record.is_stale = (flags & kStale) != 0;
  record.client = fields.OneOf<ClientKind>(static_cast<uint8_t>(ClientKind::kRemote));
  record.address = fields.Text();
  if ((flags & kHasAgent) != 0) record.agent = fields.Text();
  record.request_id = fields.Text();
  record.endpoint = fields.Text();
  if (!record.answered) record.code = fields.Text();
  record.duration_us = fields.Varint();
  if (record.has_moment) {
    record.sequence = fields.Varint();
    record.now_ms = fields.Time();
  }
  record.resolutions = fields.Varint();
  record.candidates = fields.Varint();
  record.assertions = fields.Varint();
  ParseLenses(fields, record.lenses);
  if (record.answered) {
    record.answer_bytes = fields.Varint();
    record.answer_sha256 = fields.Hash();
  }
  record.question_bytes = fields.Varint();
  record.question = fields.Text(kQuestionBytesKept);
  fields.Require(IsQuestionLength(record.question_bytes, record.question.size()));
  ParseClaims(fields, record.claims);
  record.claims_not_told = fields.Varint();
  return record;
}

Gap ParseGap(Fields& fields) {
  Gap gap;
  gap.time_ms = fields.Time();
  gap.reason = fields.OneOf<GapReason>(static_cast<uint8_t>(GapReason::kFileLost),
                                       static_cast<uint8_t>(GapReason::kBufferFull));
  gap.from_ms = fields.Time();
  gap.to_ms = fields.Time();
  gap.queries = fields.Varint();
  gap.bytes = fields.Varint();
  return gap;
}

Seal ParseSeal(Fields& fields) {
  Seal seal;
  seal.entries = fields.Fixed<uint64_t>();
  seal.time_min_ms = fields.Time();
  seal.time_max_ms = fields.Time();
  return seal;
}

}  // namespace

std::string_view NameOf(ClientKind kind) {
  switch (kind) {
    case ClientKind::kLoopback:
      return "loopback";
    case ClientKind::kProxied:
      return "proxied";
    case ClientKind::kRemote:
      break;
  }
  return "remote";
}

std::string_view NameOf(Role role) {
  switch (role) {
    case Role::kWinner:
      return "winner";
    case Role::kSupports:
      return "supports";
    case Role::kOpposes:
      return "opposes";
    case Role::kListed:
      break;
  }
  return "listed";
}

std::string_view NameOf(GapReason reason) {
  switch (reason) {
    case GapReason::kBufferFull:
      return "buffer_full";
    case GapReason::kWriteFailed:
      return "write_failed";
    case GapReason::kFileLost:
      return "file_lost";
    case GapReason::kUncleanStop:
      break;
  }
  return "unclean_stop";
}

void AppendFrame(std::string& out, const QueryRecord& record) {
  Frame frame(out, kQueryKind);
  AppendTime(out, record.time_ms);
  AppendByte(out,
             static_cast<uint8_t>((record.answered ? kAnswered : 0) | (record.fell_back ? kFellBack : 0) |
                                  (record.has_moment ? kHasMoment : 0) | (record.agent ? kHasAgent : 0) |
                                  (record.is_stale ? kStale : 0)));
  AppendByte(out, static_cast<uint8_t>(record.client));
  AppendText(out, record.address);
  if (record.agent) AppendText(out, *record.agent);
  AppendText(out, record.request_id);
  AppendText(out, record.endpoint);
  if (!record.answered) AppendText(out, record.code);
  AppendVarint(out, record.duration_us);
  if (record.has_moment) {
    AppendVarint(out, record.sequence);
    AppendTime(out, record.now_ms);
  }
  AppendVarint(out, record.resolutions);
  AppendVarint(out, record.candidates);
  AppendVarint(out, record.assertions);
  const size_t lenses = std::min(record.lenses.size(), kLensesUsedMax);
  AppendVarint(out, lenses);
  for (size_t i = 0; i < lenses; ++i) {
    const LensUsed& lens = record.lenses[i];
    AppendText(out, lens.name);
    AppendText(out, lens.version);
    out += AsView(lens.sha256);
    AppendVarint(out, lens.generation);
  }
  if (record.answered) {
    AppendVarint(out, record.answer_bytes);
    out += AsView(record.answer_sha256);
  }
  AppendVarint(out, std::max<uint64_t>(record.question_bytes, record.question.size()));
  AppendText(out, record.question, kQuestionBytesKept);
  const size_t claims = std::min(record.claims.size(), kClaimsUsedMax);
  AppendVarint(out, claims);
  for (size_t i = 0; i < claims; ++i) {
    const ClaimUsed& claim = record.claims[i];
    AppendVarint(out, claim.sequence);
    AppendVarint(out, claim.resolution);
    AppendByte(out, claim.lens);
    AppendByte(out, static_cast<uint8_t>(claim.role));
    AppendNumber(out, claim.weight);
    AppendNumber(out, claim.share);
  }
  AppendVarint(out, record.claims_not_told + (record.claims.size() - claims));
  frame.Close();
}

void AppendFrame(std::string& out, const Gap& gap) {
  Frame frame(out, kGapKind);
  AppendTime(out, gap.time_ms);
  AppendByte(out, static_cast<uint8_t>(gap.reason));
  AppendTime(out, gap.from_ms);
  AppendTime(out, gap.to_ms);
  AppendVarint(out, gap.queries);
  AppendVarint(out, gap.bytes);
  frame.Close();
}

void AppendFrame(std::string& out, const Seal& seal) {
  Frame frame(out, kSealKind);
  AppendFixed(out, seal.entries);
  AppendTime(out, seal.time_min_ms);
  AppendTime(out, seal.time_max_ms);
  frame.Close();
}

std::string_view FrameAt(std::string_view bytes) {
  if (bytes.size() <= kFrameHeaderBytes) return {};
  const auto length = LoadLittle<uint32_t>(bytes.data());
  if (length == 0 || length > kPayloadBytesMax || length > bytes.size() - kFrameHeaderBytes) return {};
  const std::string_view frame = bytes.substr(0, kFrameHeaderBytes + length);
  const uint32_t crc = Crc32cExtend(Crc32c(AsBytes(frame.substr(0, 4))), AsBytes(PayloadOf(frame)));
  return crc == LoadLittle<uint32_t>(frame.data() + 4) ? frame : std::string_view();
}

int64_t TimeOf(std::string_view frame) {
  const std::string_view payload = PayloadOf(frame);
  if (payload.size() < 1 + sizeof(int64_t) || IsSeal(frame)) return 0;
  return std::clamp(LoadLittle<int64_t>(payload.data() + 1), kTimeMin, kTimeMax);
}

int64_t EarliestOf(std::string_view frame) {
  constexpr size_t kFromAt = 1 + sizeof(int64_t) + 1;  // behind kind, time and reason
  const std::string_view payload = PayloadOf(frame);
  if (payload.size() < kFromAt + sizeof(int64_t) || payload.front() != kGapKind) return TimeOf(frame);
  return std::clamp(LoadLittle<int64_t>(payload.data() + kFromAt), kTimeMin, kTimeMax);
}

bool IsSeal(std::string_view frame) {
  return frame.size() > kFrameHeaderBytes && static_cast<uint8_t>(frame[kFrameHeaderBytes]) == kSealKind;
}

Status ParsePayload(std::string_view payload, TrailEntry& entry) {
  Fields fields(payload);
  switch (fields.Byte()) {
    case kQueryKind:
      entry = ParseQuery(fields);
      break;
    case kGapKind:
      entry = ParseGap(fields);
      break;
    case kSealKind:
      entry = ParseSeal(fields);
      break;
    default:
      fields.Require(false);
  }
  if (fields.is_done()) return Status::Ok();
  return Status(Code::kCorruption, "trail_entry", "the entry makes no sense to this version of the server");
}

}  // namespace stemedb::audit
