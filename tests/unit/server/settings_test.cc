// SPDX-License-Identifier: Apache-2.0
#include "server/settings.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

namespace stemedb::server {
namespace {

std::vector<SettingValue> ResolveWith(std::string_view env, const std::string& flag_text) {
  std::vector<std::string> texts(Settings().size());
  std::vector<bool> given(Settings().size(), false);
  for (size_t i = 0; i < Settings().size(); ++i) {
    if (Settings()[i].env != env) continue;
    texts[i] = flag_text;
    given[i] = true;
  }
  return Resolve(texts, given);
}

TEST(Settings, TheDefaultsAreGood) {
  Config config;
  ASSERT_TRUE(Apply(ResolveWith("", ""), config).ok());
  EXPECT_EQ(FormatAddress(config.bind), "127.0.0.1:18180");
  EXPECT_EQ(FormatAddress(config.dashboard), "127.0.0.1:18188");
  EXPECT_EQ(config.wal_dir, "data/wal");
  EXPECT_EQ(config.db_dir, "data/db");
  EXPECT_FALSE(config.require_signatures);
  EXPECT_GE(config.loops, 1U);
}

TEST(Settings, EveryRowHasANameAFlagAndSomethingToSay) {
  std::set<std::string_view> names, flags;
  for (const Setting& setting : Settings()) {
    EXPECT_TRUE(setting.env.starts_with("STEMEDB_"));
    EXPECT_TRUE(setting.flag.starts_with("--"));
    EXPECT_FALSE(setting.allowed.empty() || setting.description.empty());
    names.insert(setting.env);
    flags.insert(setting.flag);
  }
  EXPECT_EQ(names.size(), Settings().size());
  EXPECT_EQ(flags.size(), Settings().size());
}

TEST(Settings, AFlagBeatsTheEnvironmentAndThatTheDefault) {
  setenv("STEMEDB_LOOPS", "5", 1);
  Config config;
  ASSERT_TRUE(Apply(ResolveWith("", ""), config).ok());
  EXPECT_EQ(config.loops, 5U);
  ASSERT_TRUE(Apply(ResolveWith("STEMEDB_LOOPS", "6"), config).ok());
  EXPECT_EQ(config.loops, 6U);
  unsetenv("STEMEDB_LOOPS");
}

TEST(Settings, AnswersAreKeptUnlessTheirMemoryIsNone) {
  Config config;
  ASSERT_TRUE(Apply(ResolveWith("", ""), config).ok());
  EXPECT_EQ(config.answer_cache_bytes, size_t{64} << 20);
  ASSERT_TRUE(Apply(ResolveWith("STEMEDB_ANSWER_CACHE_BYTES", "0"), config).ok());
  EXPECT_EQ(config.answer_cache_bytes, 0U);
  for (const char* wrong : {"-1", "1099511627777", "64M", ""}) {
    const Status status = Apply(ResolveWith("STEMEDB_ANSWER_CACHE_BYTES", wrong), config);
    EXPECT_EQ(status.reason(), "invalid_setting") << wrong;
  }
}

TEST(Settings, ABadValueIsNamedWithItsOriginAndWhatIsAllowed) {
  Config config;
  const Status status = Apply(ResolveWith("STEMEDB_LOG_LEVEL", "loud"), config);
  EXPECT_EQ(status.reason(), "invalid_setting");
  for (std::string_view part : {"STEMEDB_LOG_LEVEL", "--log-level", "'loud'", "flag", "debug, info"}) {
    EXPECT_NE(status.message().find(part), std::string_view::npos) << status.message();
  }
}

TEST(Settings, AVariableThatNobodyReadsIsRefused) {
  const auto check = [](std::string_view variable) { return CheckEnvironment({"PATH=/bin", variable}); };
  for (std::string_view fine :
       {"STEMEDB_LOOPS=4", "STEMEDB_AUTH_ENABLED=false", "STEMEDB_METER_ENABLED=true",
        "STEMEDB_ROOT_API_KEY=", "STEMEDB_URL=x", "STEMEDB_TEST_LONG=1", "STEMEDBX=1"}) {
    EXPECT_TRUE(check(fine).ok()) << fine;
  }
  const Status unknown = check("STEMEDB_BIND_ADR=0.0.0.0:80");
  EXPECT_EQ(unknown.reason(), "unknown_setting");
  EXPECT_NE(unknown.message().find("STEMEDB_BIND_ADDR?"), std::string_view::npos) << unknown.message();
  const std::string endless = "STEMEDB_" + std::string(5000, 'X') + "=1";
  EXPECT_EQ(check(endless).reason(), "unknown_setting");
  for (std::string_view later : {"STEMEDB_AUTH_ENABLED=true", "STEMEDB_TLS_ENABLED=1", "STEMEDB_TLS_CERT=/c",
                                 "STEMEDB_METER_ENABLED=false", "STEMEDB_ROOT_API_KEY=hush"}) {
    const Status status = check(later);
    EXPECT_EQ(status.reason(), "unavailable_setting") << later;
    EXPECT_NE(status.message().find("not available in this version"), std::string_view::npos);
    EXPECT_EQ(status.message().find("hush"), std::string_view::npos) << "a secret";
  }
}

TEST(Settings, ADirectoryOfPoliciesThatIsGivenMustExist) {
  Config config;
  EXPECT_EQ(Apply(ResolveWith("STEMEDB_POLICIES_DIR", "/nonexistent/policies"), config).reason(),
            "invalid_setting");
  EXPECT_TRUE(Apply(ResolveWith("STEMEDB_POLICIES_DIR", testing::TempDir()), config).ok());
}

TEST(Settings, ReadsAddresses) {
  Address address;
  ASSERT_TRUE(ParseAddress("[::1]:80", address));
  EXPECT_EQ(address.host, "::1");
  EXPECT_EQ(FormatAddress(address), "[::1]:80");
  ASSERT_TRUE(ParseAddress("localhost:0", address));
  EXPECT_EQ(address.port, 0);
  for (std::string_view bad :
       {"", ":80", "host", "host:", "host:x", "host:65536", "::1:80", "[host]:80", "a:1 "}) {
    EXPECT_FALSE(ParseAddress(bad, address)) << bad;
  }
}

TEST(Settings, OneAddressForBothListenersIsRefusedByName) {
  Config config;
  const Status same = Apply(ResolveWith("STEMEDB_BIND_ADDR", "127.0.0.1:18188"), config);
  EXPECT_EQ(same.reason(), "invalid_setting");
  EXPECT_NE(same.message().find("STEMEDB_DASHBOARD_ADDR"), std::string_view::npos) << same.message();
  EXPECT_TRUE(Apply(ResolveWith("STEMEDB_BIND_ADDR", "127.0.0.2:18188"), config).ok());
}

TEST(Settings, ReadsOrigins) {
  Config config;
  ASSERT_TRUE(
      Apply(ResolveWith("STEMEDB_ALLOWED_ORIGINS", "https://a.example,http://b.example:8080"), config).ok());
  EXPECT_EQ(config.allowed_origins, (std::vector<std::string>{"https://a.example", "http://b.example:8080"}));
  for (const char* bad : {"a.example", "https://a.example/", "https://a, https://b"}) {
    EXPECT_FALSE(Apply(ResolveWith("STEMEDB_ALLOWED_ORIGINS", bad), config).ok()) << bad;
  }
}

}  // namespace
}  // namespace stemedb::server
