// SPDX-License-Identifier: Apache-2.0
// One function for each view. What has no view is shown by its shape.
#include "console/show.h"

#include <algorithm>
#include <set>

#include "console/account.h"
#include "console/help_text.h"
#include "console/text.h"
#include "console/values.h"

namespace stemedb::console {
namespace {

using simdjson::dom::array;
using simdjson::dom::object;

array ListOf(element value, std::string_view name) {
  static simdjson::dom::parser nothing;
  static const element empty = nothing.parse(std::string_view("[]"));
  const element list = Member(value, name);
  return array(list.is_array() ? list : empty);
}

std::string Lines(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    out += Visible(text.substr(0, end)) + "\n";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out.empty() ? "\n" : out;
}

// By shape ------------------------------------------------------------------------------------------------

bool IsListOfObjects(element value) {
  array list;
  return value.get(list) == simdjson::SUCCESS && list.size() > 0 &&
         std::all_of(list.begin(), list.end(), [](element item) { return item.is_object(); });
}

std::string ShowObjects(array list, size_t width) {
  std::vector<std::string> columns;
  for (const element item : list) {
    for (const auto [key, value] : object(item)) {
      if (std::find(columns.begin(), columns.end(), key) == columns.end()) columns.emplace_back(key);
    }
  }
  Table table(columns);
  for (const element item : list) {
    std::vector<Cell> row;
    for (const std::string& column : columns) row.push_back(CellOf(item, column));
    table.Add(std::move(row));
  }
  return table.Render(width);
}

std::string ShowObject(element value, size_t width) {
  Table table({"field", "value"});
  std::string below;
  for (const auto [key, item] : object(value)) {
    if (IsListOfObjects(item)) {
      below += Visible(key) + ":\n" + ShowObjects(array(item), width);
    } else {
      table.Add({{std::string(key)}, {TextOf(item)}});
    }
  }
  std::string out = table.Render(width);
  if (out.empty() && below.empty()) return "{}\n";
  return out + below;
}

std::string ShowByShape(element value, size_t width) {
  if (IsListOfObjects(value)) return ShowObjects(array(value), width);
  if (value.is_object()) return ShowObject(value, width);
  if (value.is_array()) {
    std::string out;
    for (const element item : array(value)) out += Visible(TextOf(item)) + "\n";
    return out.empty() ? "[]\n" : out;
  }
  return value.is_null() ? "nil\n" : Lines(TextOf(value));
}

// Answers -------------------------------------------------------------------------------------------------

std::string Foot(element answer) {
  const element lens = Member(answer, "lens"), as_of = Member(answer, "as_of");
  std::string foot = "-- ";
  if (!lens.is_null()) {
    foot += "lens " + TextOf(lens, "name") + " " + TextOf(lens, "version") + " (" +
            ShortHash(TextOf(lens, "sha256")) + "), ";
  }
  foot += "as of sequence " + TextOf(as_of, "sequence") + ", " + ShortTime(TextOf(as_of, "time"));
  if (Has(answer, "stale"))
    foot += ", which was right " + TextOf(Member(answer, "stale"), "age_ms") + " ms ago and may not be now";
  if (Has(answer, "next_cursor"))
    foot += "; there is more: cursor = \"" + TextOf(answer, "next_cursor") + "\"";
  return Visible(foot) + "\n";
}

std::vector<Cell> ResolutionCells(element resolution) {
  return {CellOf(resolution, "concept_path"),
          CellOf(resolution, "predicate"),
          CellOf(resolution, "value"),
          RoundedCell(resolution, "confidence"),
          CellOf(resolution, "status"),
          RoundedCell(resolution, "conflict_score"),
          CellOf(resolution, "candidates_count"),
          CellOf(resolution, "explain")};
}

std::string ShowResolutions(element answer, size_t width) {
  Table table({"concept", "predicate", "value", "confidence", "status", "conflict", "claims", "explain"});
  for (const element resolution : ListOf(answer, "resolutions")) table.Add(ResolutionCells(resolution));
  return table.Render(width);
}

std::vector<Cell> AssertionCells(element assertion) {
  const element source = Member(assertion, "source");
  return {
      CellOf(assertion, "concept_path"),           CellOf(assertion, "predicate"), CellOf(assertion, "value"),
      RoundedCell(assertion, "confidence"),        CellOf(source, "class"),        CellOf(source, "id"),
      {ShortTime(TextOf(assertion, "timestamp"))}, CellOf(assertion, "sequence"),  CellOf(assertion, "id")};
}

std::string ShowAssertions(element answer, size_t width) {
  Table table(
      {"concept", "predicate", "value", "confidence", "class", "source", "timestamp", "sequence", "id"});
  for (const element assertion : ListOf(answer, "assertions")) table.Add(AssertionCells(assertion));
  return table.Render(width);
}

std::string ShowAnswer(element answer, size_t width) {
  const std::string table =
      Has(answer, "lens") ? ShowResolutions(answer, width) : ShowAssertions(answer, width);
  return (table.empty() ? "no claims\n" : table) + Foot(answer);
}

std::string ShowCompare(element answer, size_t width) {
  Table table(
      {"lens", "concept", "predicate", "value", "confidence", "status", "conflict", "claims", "explain"});
  for (const element result : ListOf(answer, "results")) {
    const std::string lens = TextOf(Member(result, "lens"), "name");
    const element error = Member(result, "error");
    if (!error.is_null()) {
      table.Add({{lens}, {}, {}, {}, {}, {TextOf(error, "code")}, {}, {}, {TextOf(error, "detail")}});
    }
    for (const element resolution : ListOf(result, "resolutions")) {
      std::vector<Cell> row = ResolutionCells(resolution);
      row.insert(row.begin(), Cell{lens});
      table.Add(std::move(row));
    }
  }
  const std::string out = table.Render(width);
  return (out.empty() ? "no claims\n" : out) + Foot(answer);
}

std::string ShowLenses(element answer, size_t width) {
  Table table({"lens", "version", "params", "sha256", "description"});
  for (const element lens : ListOf(answer, "lenses")) {
    std::string params;
    for (const element param : ListOf(lens, "params")) {
      params += (params.empty() ? "" : ", ") + TextOf(param, "name") + " = " + TextOf(param, "default");
    }
    table.Add({CellOf(lens, "name"),
               {TextOf(lens, "version")},
               {params},
               {ShortHash(TextOf(lens, "sha256"))},
               CellOf(lens, "description")});
  }
  return table.Render(width);
}

std::string ShowConcepts(element answer, size_t width) {
  Table table({"concept", "claims", "below"});
  for (const element one : ListOf(answer, "concepts")) {
    table.Add(
        {CellOf(one, "concept_path"), CellOf(one, "assertion_count"), CellOf(one, "assertion_count_below")});
  }
  const std::string out = table.Render(width);
  return out.empty() ? "no concepts\n" : out;
}

std::string ShowTrace(element steps, size_t width) {
  Table table(
      {"", "concept", "predicate", "value", "confidence", "class", "source", "timestamp", "id", "note"});
  for (const element step : array(steps)) {
    const auto depth = static_cast<size_t>(NumberOf(step, "depth"));
    const std::string place =
        depth == 0 ? "" : std::string(2 * (depth - 1), ' ') + "└ " + TextOf(step, "relation");
    const std::vector<Cell> of = AssertionCells(Member(step, "assertion"));
    table.Add(
        {{place}, of[0], of[1], of[2], of[3], of[4], of[5], of[6], CellOf(step, "id"), CellOf(step, "note")});
  }
  return table.Render(width);
}

}  // namespace

std::string Show(std::string_view json, std::string_view view, size_t width) {
  simdjson::dom::parser parser;
  element value;
  if (parser.parse(json.data(), json.size()).get(value) != simdjson::SUCCESS) return Lines(json);
  if (view == "answer" && Has(value, "as_of")) return ShowAnswer(value, width);
  if (view == "explain" && Has(value, "as_of")) return ShowAccount(value, width) + Foot(value);
  if (view == "compare" && Has(value, "results")) return ShowCompare(value, width);
  if (view == "lenses" && Has(value, "lenses")) return ShowLenses(value, width);
  if (view == "concepts" && Has(value, "concepts")) return ShowConcepts(value, width);
  if (view == "trace" && IsListOfObjects(value)) return ShowTrace(value, width);
  if (view == "help" && (Has(value, "entry") || Has(value, "section"))) return ShowHelp(value, width);
  return ShowByShape(value, width);
}

}  // namespace stemedb::console
