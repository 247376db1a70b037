// SPDX-License-Identifier: Apache-2.0
#include "tool/command_line.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "console/console.h"
#include "console/text.h"
#include "tool/script_commands.h"

namespace stemedb::tool {
namespace {

constexpr int kUsageError = 2;

void AddScript(CLI::App& app, int& exit_code) {
  CLI::App* script = app.add_subcommand("script", "check and test lenses and policies, without a server");
  script->require_subcommand(1);

  CLI::App* check = script->add_subcommand("check", "what a server would say to these files");
  const auto files = std::make_shared<std::vector<std::string>>();
  check->add_option("FILE", *files, "scripts and specs")->required();
  check->callback([files, &exit_code] { exit_code = CheckScripts(*files); });

  CLI::App* test = script->add_subcommand("test", "run specs");
  const auto options = std::make_shared<TestOptions>();
  const auto is_strict = std::make_shared<bool>(false), is_json = std::make_shared<bool>(false);
  test->add_option("PATH", options->paths, "a directory of scripts, scripts, or specs")->required();
  test->add_flag("--strict", *is_strict, "a script without a spec is a failure");
  test->add_flag("--json", *is_json, "the results as JSON");
  test->callback([options, is_strict, is_json, &exit_code] {
    if (*is_strict) options->missing_spec = MissingSpec::kFailure;
    if (*is_json) options->output = TestOutput::kJson;
    exit_code = TestScripts(*options);
  });
}

void AddConsole(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("console", "ask a server, or a data directory at rest, in Lua");
  const auto options = std::make_shared<console::ConsoleOptions>();
  const auto is_json = std::make_shared<bool>(false);
  if (const char* address = std::getenv("STEMEDB_URL")) options->url = address;
  CLI::Option* url =
      command->add_option("--url", options->url, "the server's address; STEMEDB_URL when not given")
          ->capture_default_str();
  CLI::Option* data =
      command->add_option("--data-dir", options->data_dir,
                          "ask this directory (with wal/ and db/) instead of a server, read-only");
  data->excludes(url);
  command->add_option("--lenses-dir", options->lenses_dir, "the lenses for --data-dir")
      ->envname("STEMEDB_LENSES_DIR")
      ->capture_default_str();
  command->add_option("-e,--execute", options->expressions, "run this and end; may be repeated");
  command->add_flag("--json", *is_json, "values as JSON, one on each line");
  command->add_option("--width", options->width, "columns that tables may take (default: the terminal's)")
      ->check(CLI::Range(size_t{20}, size_t{100000}));
  command->footer(
      "STEMEDB_API_KEY is sent as X-API-Key. Without -e, expressions come from the terminal or the pipe.");
  command->callback([options, is_json, &exit_code] {
    if (*is_json) options->form = console::OutputForm::kJson;
    if (const char* key = std::getenv("STEMEDB_API_KEY")) options->api_key = key;
    exit_code = console::RunConsole(*options);
  });
}

}  // namespace

int Run(int argc, char** argv) {
  console::UseUtf8();
  CLI::App app("StemeDB's tool.", "stemedb");
  app.set_version_flag("--version", std::string("stemedb ") + STEMEDB_VERSION);
  app.require_subcommand(1);
  int exit_code = 0;
  AddConsole(app, exit_code);
  AddScript(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help and --version
    std::fprintf(stderr, "stemedb: %s; --help lists commands and options\n", error.what());
    return kUsageError;
  }
  return exit_code;
}

}  // namespace stemedb::tool
