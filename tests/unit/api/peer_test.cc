// SPDX-License-Identifier: Apache-2.0
// What a request may say of where it comes from, and what is then believed.
#include "api/peer.h"

#include <gtest/gtest.h>

#include <vector>

namespace stemedb::api {
namespace {

http::Request Local(std::vector<http::Header> headers) {
  http::Request request;
  request.peer_address = "127.0.0.1";
  request.peer_is_loopback = true;
  request.headers = std::move(headers);
  return request;
}

TEST(Peer, AnOperatorsCallIsAddressedToThisMachineOrAnAllowedOrigin) {
  Backend backend;
  backend.allowed_origins = {"*", "https://Good.example:8443", "http://[2001:db8::1]:80"};
  for (const char* host : {"127.0.0.1", "127.0.0.1:18180", "127.255.0.9:1", "[::1]", "[::1]:18180",
                           "localhost", "LocalHost:80", "good.example", "good.example:9", "[2001:db8::1]"}) {
    EXPECT_TRUE(AdminFault(backend, Local({{"host", host}})).ok()) << host;
  }
  for (const char* host :
       {"", ":80", "*", "evil.example", "evil.example:18180", "127.0.0.1.evil.example", "127.evil.example",
        "localhost.evil.example", "notgood.example", "[::1", "[2001:db8::2]", "192.0.2.1", "0.0.0.0"}) {
    EXPECT_EQ(AdminFault(backend, Local({{"host", host}})).reason(), "forbidden") << host;
  }
  EXPECT_EQ(AdminFault(backend, Local({})).reason(), "forbidden") << "HTTP/1.0 may leave it out";
}

TEST(Peer, AFieldThatAProxyAddsMeansThatOneIsBetween) {
  Backend backend;
  for (const char* field : {"forwarded", "via", "x-real-ip", "x-forwarded-for", "x-forwarded-proto",
                            "x-forwarded-host", "x-forwarded-server"}) {
    const http::Request request = Local({{"host", "localhost"}, {field, ""}});
    EXPECT_TRUE(CameThroughProxy(request)) << field;
    EXPECT_EQ(AdminFault(backend, request).reason(), "forbidden") << field;
  }
  EXPECT_FALSE(CameThroughProxy(Local({{"host", "localhost"}, {"x-forward", ""}, {"viable", ""}})));
}

TEST(Peer, APageOfAnotherSiteIsRefusedAlsoWhenItNamesNoOrigin) {
  Backend backend;
  backend.allowed_origins = {"https://good.example"};
  for (const char* site : {"cross-site", "same-site", "", "what comes next"}) {
    EXPECT_EQ(AdminFault(backend, Local({{"host", "localhost"}, {"sec-fetch-site", site}})).reason(),
              "forbidden")
        << site;
  }
  for (const char* site : {"same-origin", "none"})
    EXPECT_TRUE(AdminFault(backend, Local({{"host", "localhost"}, {"sec-fetch-site", site}})).ok()) << site;
  const auto from = [&](const char* origin) {
    return AdminFault(backend,
                      Local({{"host", "localhost"}, {"sec-fetch-site", "cross-site"}, {"origin", origin}}));
  };
  EXPECT_TRUE(from("https://good.example").ok());
  EXPECT_EQ(from("https://evil.example").reason(), "forbidden");
}

TEST(Peer, ATargetThatNamesAHostMustNameThisMachineAsWell) {
  Backend backend;
  backend.allowed_origins = {"https://good.example"};
  const auto fault = [&](const char* target) {
    http::Request request = Local({{"host", "localhost"}});
    request.target = target;
    return AdminFault(backend, request);
  };
  for (const char* target :
       {"/v1/admin/scripts", "/v1/admin/scripts?a=http://evil.example/", "http://localhost/v1/admin/scripts",
        "HTTP://127.0.0.1:18180/v1/admin/scripts", "https://good.example?x", "http://[::1]:80/"}) {
    EXPECT_TRUE(fault(target).ok()) << target;
  }
  for (const char* target : {"http://evil.example/v1/admin/scripts", "http://evil.example:80?localhost/",
                             "http://127.0.0.1.evil.example/", "http://localhost@evil.example/"}) {
    EXPECT_EQ(fault(target).reason(), "forbidden") << target;
  }
}

http::Request Remote(std::string_view address, uint64_t connection) {
  http::Request request;
  request.peer_address = address;
  request.connection = connection;
  return request;
}

http::Request Local(std::vector<http::Header> headers, uint64_t connection) {
  http::Request request = Local(std::move(headers));
  request.connection = connection;
  return request;
}

TEST(Peer, AClientIsAnAddressAndThenAConnection) {
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

TEST(Peer, OnThisMachineEachConnectionIsAClient) {
  EXPECT_NE(ClientOf(Local({}, 1)).address, ClientOf(Local({}, 2)).address);
  EXPECT_EQ(ClientOf(Local({}, 1)).address, ClientOf(Local({}, 1)).address);
}

TEST(Peer, BehindAProxyAClientIsWhomItAsksFor) {
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
