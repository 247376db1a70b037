// SPDX-License-Identifier: Apache-2.0
// Any bytes as the value of every setting, as an address and as a variable of the environment. What is taken
// as an address is written back to one that means the same, and a refusal says which setting and what it may
// be.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "server/settings.h"

namespace {

using namespace stemedb;
using namespace stemedb::server;

void CheckAddress(std::string_view text) {
  Address address;
  if (!ParseAddress(text, address)) return;
  STEMEDB_CHECK(!address.host.empty());
  const std::string written = FormatAddress(address);
  Address again;
  STEMEDB_CHECK(ParseAddress(written, again));
  STEMEDB_CHECK(again.host == address.host && again.port == address.port);
  STEMEDB_CHECK(FormatAddress(again) == written);
}

void CheckSetting(const Setting& setting, std::string_view text) {
  Config config;
  const bool taken = setting.apply(text, config);
  SettingValue value;
  value.setting = &setting;
  value.origin = Origin::kFlag;
  value.text = text;
  Config whole;
  const Status status = Apply({value}, whole);
  if (!taken) STEMEDB_CHECK(!status.ok());
  if (status.ok()) return;
  STEMEDB_CHECK(status.code() == Code::kInvalidArgument);
  STEMEDB_CHECK(status.message().find(setting.env) != std::string_view::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  CheckAddress(text);
  for (const Setting& setting : Settings()) CheckSetting(setting, text);
  const std::string variable = "STEMEDB_" + text;
  const Status status = CheckEnvironment({text, variable});
  STEMEDB_CHECK(status.ok() || status.code() == Code::kInvalidArgument);
  return 0;
}
