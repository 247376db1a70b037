// SPDX-License-Identifier: Apache-2.0
// Who a request is counted for: no header that a client may write can make it somebody else.
#include "api/sender.h"

#include <gtest/gtest.h>

#include <vector>

namespace stemedb::api {
namespace {

http::Request From(std::string_view peer, bool is_loopback, std::vector<http::Header> headers = {}) {
  http::Request request;
  request.peer_address = peer;
  request.peer_is_loopback = is_loopback;
  request.headers = std::move(headers);
  return request;
}

std::string_view Hop(std::vector<http::Header> headers) {
  static http::Request request;
  request = From("127.0.0.1", true, std::move(headers));
  const Sender sender = SenderOf(request);
  EXPECT_FALSE(sender.is_loopback);
  return sender.address;
}

TEST(Sender, IsThePeer) {
  const auto request = From("192.0.2.7", false, {{"host", "x"}});
  const Sender sender = SenderOf(request);
  EXPECT_EQ(sender.address, "192.0.2.7");
  EXPECT_FALSE(sender.is_loopback);
  const auto local = From("127.0.0.1", true);
  EXPECT_TRUE(SenderOf(local).is_loopback);
}

TEST(Sender, APeerThatIsNotThisMachineIsNotBelievedWhatItSaysOfOthers) {
  const auto request =
      From("192.0.2.7", false, {{"x-forwarded-for", "198.51.100.1"}, {"forwarded", "for=198.51.100.1"}});
  EXPECT_EQ(SenderOf(request).address, "192.0.2.7");
}

TEST(Sender, BehindAProxyOfThisMachineIsTheLastHop) {
  EXPECT_EQ(Hop({{"x-forwarded-for", "203.0.113.9"}}), "203.0.113.9");
  EXPECT_EQ(Hop({{"x-forwarded-for", "6.6.6.6, 7.7.7.7 , 203.0.113.9 "}}), "203.0.113.9");
  EXPECT_EQ(Hop({{"x-forwarded-for", "6.6.6.6"}, {"host", "h"}, {"x-forwarded-for", "203.0.113.9"}}),
            "203.0.113.9");
  EXPECT_EQ(Hop({{"x-forwarded-for", "203.0.113.9:4711"}}), "203.0.113.9");
  EXPECT_EQ(Hop({{"x-forwarded-for", "2001:db8::1"}}), "2001:db8::1");
  EXPECT_EQ(Hop({{"x-forwarded-for", "[2001:db8::1]:4711"}}), "2001:db8::1");
  EXPECT_EQ(Hop({{"forwarded", "for=6.6.6.6, for=203.0.113.9;proto=https;by=203.0.113.43"}}), "203.0.113.9");
  EXPECT_EQ(Hop({{"forwarded", "proto=https ; For=\"[2001:db8::1]:80\""}}), "2001:db8::1");
}

TEST(Sender, IsNobodyInParticularWhereTheProxyDoesNotSay) {
  for (const char* text : {"", "unknown", "_hidden", "203.0.113.999", "a, b", "203.0.113.9, ", "[::1"})
    EXPECT_EQ(Hop({{"x-forwarded-for", text}}), "unknown") << text;
  EXPECT_EQ(Hop({{"forwarded", "proto=https"}}), "unknown");
  EXPECT_EQ(Hop({{"forwarded", "for=\"_gazonk\""}}), "unknown");
}

TEST(Sender, IsNobodyInParticularBehindAProxyThatOnlyShowsItself) {
  EXPECT_EQ(Hop({{"via", "1.1 proxy"}}), "unknown");
  EXPECT_EQ(Hop({{"x-real-ip", "203.0.113.9"}}), "unknown")
      << "any client may write it, and most proxies pass it on";
  EXPECT_EQ(Hop({{"x-forwarded-proto", "https"}}), "unknown");
  EXPECT_EQ(Hop({{"via", "1.1 proxy"}, {"x-forwarded-for", "203.0.113.9"}}), "203.0.113.9");
}

TEST(Sender, TwoFieldsThatDisagreeNameNobody) {
  EXPECT_EQ(Hop({{"forwarded", "for=6.6.6.6"}, {"x-forwarded-for", "203.0.113.9"}}), "unknown");
  EXPECT_EQ(Hop({{"forwarded", "for=203.0.113.9"}, {"x-forwarded-for", "203.0.113.9"}}), "203.0.113.9");
}

TEST(Sender, NamesAnAgentOnlyByAWholeKey) {
  const std::string key(64, 'a');
  const auto named =
      From("192.0.2.7", false, {{"x-agent-id", key}, {"x-agent-signature", "00"}, {"content-length", "77"}});
  EXPECT_EQ(SenderOf(named).agent, key);
  EXPECT_TRUE(SenderOf(named).is_signed);
  EXPECT_EQ(SenderOf(named).body_bytes, 77u);
  for (const std::string& text : {std::string("abc"), std::string(64, 'A'), std::string(65, 'a')})
    EXPECT_EQ(SenderOf(From("192.0.2.7", false, {{"x-agent-id", text}})).agent, "") << text;
}

TEST(AddressKey, IsOneForANetworkOf64Bits) {
  EXPECT_EQ(AddressKey("2001:db8:1:2::1"), AddressKey("2001:db8:1:2:ffff:ffff:ffff:ffff"));
  EXPECT_NE(AddressKey("2001:db8:1:2::1"), AddressKey("2001:db8:1:3::1"));
  EXPECT_EQ(AddressKey("192.0.2.1"), AddressKey("::ffff:192.0.2.1"));
  EXPECT_NE(AddressKey("192.0.2.1"), AddressKey("192.0.2.2"));
  EXPECT_EQ(AddressKey("unknown"), "unknown");
}

http::Request Remote(std::string_view address, uint64_t connection) {
  http::Request request = From(address, false);
  request.connection = connection;
  return request;
}

http::Request Local(std::vector<http::Header> headers, uint64_t connection) {
  http::Request request = From("127.0.0.1", true, std::move(headers));
  request.connection = connection;
  return request;
}

TEST(Client, IsAnAddressAndThenAConnection) {
  const Client client = ClientOf(Remote("192.0.2.1", 1));
  EXPECT_EQ(ClientOf(Remote("192.0.2.1", 2)).address, client.address);
  EXPECT_EQ(ClientOf(Remote("::ffff:192.0.2.1", 3)).address, client.address);
  EXPECT_NE(ClientOf(Remote("192.0.2.2", 1)).address, client.address);
  EXPECT_EQ(client.connection, 1u);
  EXPECT_EQ(ClientOf(Remote("192.0.2.1", 2)).connection, 2u);
  EXPECT_EQ(ClientOf(Remote("2001:db8::1", 1)).address, ClientOf(Remote("2001:db8::ffff:1", 2)).address)
      << "a network of 64 bits is one customer's";
  http::Request liar = Remote("192.0.2.1", 1);
  liar.headers = {{"x-forwarded-for", "192.0.2.9"}, {"x-agent-id", std::string_view()}};
  EXPECT_EQ(ClientOf(liar).address, client.address);
}

TEST(Client, IsAConnectionOnThisMachine) {
  EXPECT_NE(ClientOf(Local({}, 1)).address, ClientOf(Local({}, 2)).address);
  EXPECT_EQ(ClientOf(Local({}, 1)).address, ClientOf(Local({}, 1)).address);
}

TEST(Client, IsWhomAProxyAsksFor) {
  const auto behind = [](std::string_view hop, uint64_t connection) {
    return ClientOf(Local({{"x-forwarded-for", hop}}, connection)).address;
  };
  EXPECT_EQ(behind("192.0.2.1", 1), ClientOf(Remote("192.0.2.1", 5)).address);
  EXPECT_EQ(behind("198.51.100.7, 192.0.2.1", 1), behind("192.0.2.1", 2))
      << "the last hop is the proxy's word";
  EXPECT_NE(behind("192.0.2.1", 1), behind("192.0.2.2", 1));
  EXPECT_EQ(ClientOf(Local({{"via", "1.1 proxy"}}, 1)).address,
            ClientOf(Local({{"via", "1.1 proxy"}}, 2)).address)
      << "one that names nobody";
}

}  // namespace
}  // namespace stemedb::api
