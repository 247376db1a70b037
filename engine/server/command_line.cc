// SPDX-License-Identifier: Apache-2.0
// The flags are made from the settings' table; CLI11 reads them.
#include "server/command_line.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "api/service.h"
#include "server/startup_log.h"

namespace stemedb::server {
namespace {

constexpr int kUsageError = 2;

struct Wishes {
  bool print_config = false;
  bool list_routes = false;
  std::string port_file;
};

std::string DescriptionOf(const Setting& setting) {
  const std::string value = setting.default_value();
  return std::string(setting.description) + " (" + std::string(setting.env) + "; " +
         std::string(setting.allowed) + "; default " + (value.empty() ? "none" : value) + ")";
}

bool IsSwitch(const Setting& setting) { return setting.allowed == "true or false"; }

void AddSettings(CLI::App& app, std::vector<std::string>& texts, std::vector<CLI::Option*>& options) {
  texts.resize(Settings().size());
  for (size_t i = 0; i < Settings().size(); ++i) {
    const Setting& setting = Settings()[i];
    const std::string flag(setting.flag);
    CLI::Option* option = IsSwitch(setting) ? app.add_flag(flag, texts[i], DescriptionOf(setting))
                                            : app.add_option(flag, texts[i], DescriptionOf(setting));
    options.push_back(option);
  }
}

void PrintConfig(const std::vector<SettingValue>& values) {
  for (const SettingValue& value : values) {
    std::printf("%s=%s  # %s\n", std::string(value.setting->env).c_str(), value.text.c_str(),
                std::string(NameOf(value.origin)).c_str());
  }
}

// One line, as a failure later in the start is.
int Refuse(const Status& fault) {
  std::fprintf(stderr, "stemedb-api: %s. %s\n", std::string(fault.message()).c_str(),
               RemedyLine(fault).c_str());
  return kUsageError;
}

std::vector<std::string_view> EnvironmentVariables() {
  std::vector<std::string_view> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) variables.emplace_back(*variable);
  return variables;
}

ParsedCommandLine Decide(const std::vector<SettingValue>& values, const Wishes& wishes) {
  ParsedCommandLine parsed;
  if (wishes.list_routes) {
    for (const std::string& route : api::ListRoutes()) std::printf("%s\n", route.c_str());
    return parsed;
  }
  Config config;
  Status applied = CheckEnvironment(EnvironmentVariables());
  if (applied.ok()) applied = Apply(values, config);
  if (!applied.ok()) {
    parsed.exit_code = Refuse(applied);
  } else if (wishes.print_config) {
    PrintConfig(values);
  } else {
    parsed.invocation = Invocation{std::move(config), wishes.port_file};
  }
  return parsed;
}

}  // namespace

ParsedCommandLine ParseCommandLine(int argc, char** argv) {
  CLI::App app("StemeDB's server: keeps every claim and chooses when it is asked.", "stemedb-api");
  app.set_version_flag("--version", std::string("stemedb-api ") + STEMEDB_VERSION);
  std::vector<std::string> texts;
  std::vector<CLI::Option*> options;
  AddSettings(app, texts, options);
  Wishes wishes;
  app.add_flag("--print-config", wishes.print_config,
               "print every setting, its value and where that came from");
  app.add_option("--port-file", wishes.port_file, "write the addresses to this file once they are bound");
  app.add_flag("--list-routes", wishes.list_routes)->group("");  // for the tests that read the documents
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return {std::nullopt, app.exit(error)};  // --help and --version
    const std::string fault = std::string(error.what()) + "; --help lists every flag";
    return {std::nullopt, Refuse(Status(Code::kInvalidArgument, "unknown_flag", fault))};
  }
  std::vector<bool> given;
  given.reserve(options.size());
  for (const CLI::Option* option : options) given.push_back(option->count() > 0);
  return Decide(Resolve(texts, given), wishes);
}

}  // namespace stemedb::server
