// SPDX-License-Identifier: Apache-2.0
#include "console/functions.h"

#include <simdjson.h>

#include <memory>
#include <vector>

#include "script/script_files.h"

namespace stemedb::console {
namespace {

// Texts as they are, everything else as JSON.
struct Arguments {
  std::vector<std::string> items;
  std::string_view at(size_t i) const { return i < items.size() ? std::string_view(items[i]) : std::string_view(); }
};

Arguments Parse(simdjson::dom::parser& parser, std::string_view json) {
  Arguments arguments;
  simdjson::dom::array list;
  if (parser.parse(json.data(), json.size()).get(list) != simdjson::SUCCESS) return arguments;
  for (const simdjson::dom::element item : list) {
    std::string_view text;
    if (item.is_null()) {
      arguments.items.emplace_back();
    } else if (item.get(text) == simdjson::SUCCESS) {
      arguments.items.emplace_back(text);
    } else {
      arguments.items.push_back(simdjson::minify(item));
    }
  }
  return arguments;
}

// "drafts/oldest.lua" is the lens "oldest".
std::string LensNameOf(std::string_view path) { return script::ScriptNameOf(path.substr(path.rfind('/') + 1)); }

Result<std::string> TryDraft(Backend& backend, const Arguments& arguments) {
  auto draft = script::ReadScriptFile(std::string(arguments.at(0)));
  if (!draft) return draft.error();
  return backend.Try(draft->text, LensNameOf(arguments.at(0)), arguments.at(1));
}

}  // namespace

std::map<std::string, script::PromptFunction> FunctionsOf(Backend& backend,
                                                          std::function<void(const std::string&)> print) {
  auto parser = std::make_shared<simdjson::dom::parser>();
  const auto with = [parser](auto call) {
    return [parser, call](std::string_view json) -> Result<std::string> { return call(Parse(*parser, json)); };
  };
  Backend* const asked = &backend;
  return {
      {"query", with([asked](const Arguments& a) { return asked->Query(a.at(0)); })},
      {"compare", with([asked](const Arguments& a) { return asked->Compare(a.at(0)); })},
      {"try", with([asked](const Arguments& a) { return TryDraft(*asked, a); })},
      {"assertion", with([asked](const Arguments& a) { return asked->Assertion(a.at(0)); })},
      {"concepts", with([asked](const Arguments& a) { return asked->Concepts(a.at(0)); })},
      {"lenses", with([asked](const Arguments&) { return asked->Lenses(); })},
      {"scripts", with([asked](const Arguments& a) { return asked->Scripts(a.at(0)); })},
      {"health", with([asked](const Arguments&) { return asked->Health(); })},
      {"print", with([print = std::move(print)](const Arguments& a) -> Result<std::string> {
         print(std::string(a.at(0)));
         return std::string("null");
       })},
  };
}

}  // namespace stemedb::console
