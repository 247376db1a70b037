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

}  // namespace
}  // namespace stemedb::api
