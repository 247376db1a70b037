// SPDX-License-Identifier: Apache-2.0
// Both header fields at once come from a proxy that writes one of them and passes the client's own on: which
// one, we can't know. Then they must agree, or the request belongs to nobody in particular.
#include "api/sender.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "base/bytes.h"

namespace stemedb::api {
namespace {

// Requests through a proxy that doesn't say for whom share one account.
constexpr std::string_view kUnknown = "unknown";

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool IsAddress(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> copy{};
  std::array<uint8_t, 16> bytes{};
  if (text.size() >= copy.size()) return false;
  std::copy(text.begin(), text.end(), copy.begin());
  return inet_pton(AF_INET, copy.data(), bytes.data()) == 1 ||
         inet_pton(AF_INET6, copy.data(), bytes.data()) == 1;
}

// The address of "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:80"; empty for anything else.
std::string_view WithoutPort(std::string_view node) {
  if (node.starts_with('[')) {
    const size_t end = node.find(']');
    return end == std::string_view::npos ? std::string_view() : node.substr(1, end - 1);
  }
  const size_t colon = node.find(':');
  const bool has_port =
      colon != std::string_view::npos && node.find(':', colon + 1) == std::string_view::npos;
  return has_port ? node.substr(0, colon) : node;
}

std::string_view LastOfList(std::string_view list) {
  const size_t comma = list.rfind(',');
  return Trim(comma == std::string_view::npos ? list : list.substr(comma + 1));
}

bool IsFor(std::string_view name) {
  return name.size() == 3 && (name[0] | 0x20) == 'f' && (name[1] | 0x20) == 'o' && (name[2] | 0x20) == 'r';
}

// RFC 7239: for="[2001:db8::1]:80";proto=https
std::string_view ForOf(std::string_view element) {
  while (!element.empty()) {
    const size_t end = std::min(element.find(';'), element.size());
    const std::string_view pair = element.substr(0, end);
    element.remove_prefix(std::min(end + 1, element.size()));
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos || !IsFor(Trim(pair.substr(0, equals)))) continue;
    std::string_view value = Trim(pair.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
      value = value.substr(1, value.size() - 2);
    return value;
  }
  return {};
}

std::string_view AddressOr(std::string_view node) {
  const std::string_view address = WithoutPort(node);
  return IsAddress(address) ? address : kUnknown;
}

// The lists of a field given several times follow each other: the last line has the last hop.
std::string_view LastHop(const http::Header* forwarded, const http::Header* forwarded_for) {
  if (forwarded == nullptr)
    return forwarded_for == nullptr ? kUnknown : AddressOr(LastOfList(forwarded_for->value));
  const std::string_view hop = AddressOr(ForOf(LastOfList(forwarded->value)));
  if (forwarded_for == nullptr) return hop;
  return AddressKey(hop) == AddressKey(AddressOr(LastOfList(forwarded_for->value))) ? hop : kUnknown;
}

bool IsKey(std::string_view text) {
  std::array<uint8_t, 32> key;
  return FromHex(text, key);
}

}  // namespace

bool IsProxyField(std::string_view name) {
  return name == "forwarded" || name == "via" || name == "x-real-ip" || name.starts_with("x-forwarded-");
}

Sender SenderOf(const http::Request& request) {
  Sender sender;
  const http::Header* forwarded = nullptr;
  const http::Header* forwarded_for = nullptr;
  bool has_proxy_field = false;
  for (const http::Header& header : request.headers) {
    has_proxy_field = has_proxy_field || IsProxyField(header.name);
    switch (header.name.size()) {
      case 9:
        if (header.name == "forwarded") forwarded = &header;
        break;
      case 10:
        if (header.name == "x-agent-id") sender.agent = header.value;
        break;
      case 14:
        if (header.name == "content-length")
          std::from_chars(header.value.data(), header.value.data() + header.value.size(), sender.body_bytes);
        break;
      case 15:
        if (header.name == "x-forwarded-for") forwarded_for = &header;
        break;
      case 17:
        if (header.name == "x-agent-signature") sender.is_signed = true;
        break;
      default:
        break;
    }
  }
  if (!sender.agent.empty() && !IsKey(sender.agent)) sender.agent = {};
  sender.address = request.peer_address;
  if (!request.peer_is_loopback) return sender;
  sender.is_loopback = !has_proxy_field;
  if (!sender.is_loopback) sender.address = LastHop(forwarded, forwarded_for);
  return sender;
}

std::string AddressKey(std::string_view address) {
  const std::string text(address);
  std::array<uint8_t, 16> bytes{};
  if (inet_pton(AF_INET, text.c_str(), bytes.data()) == 1) return {bytes.begin(), bytes.begin() + 4};
  if (inet_pton(AF_INET6, text.c_str(), bytes.data()) != 1) return text;
  constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(kMapped.begin(), kMapped.end(), bytes.begin())) return {bytes.begin() + 12, bytes.end()};
  return {bytes.begin(), bytes.begin() + 8};
}

// What stands for a connection is no address's key: those are 4 or 8 bytes, or a text without a blank.
Client ClientOf(const http::Request& request) {
  const Sender sender = SenderOf(request);
  if (sender.is_loopback) return {"connection " + std::to_string(request.connection), request.connection};
  return {AddressKey(sender.address), request.connection};
}

}  // namespace stemedb::api
