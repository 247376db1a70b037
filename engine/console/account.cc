// SPDX-License-Identifier: Apache-2.0
#include "console/account.h"

#include "console/text.h"

namespace stemedb::console {
namespace {

using simdjson::dom::array;

bool IsByLens(element judgement, std::string_view part) {
  return TextOf(Member(judgement, "said_by"), part) == "lens";
}

std::string Shortened(const std::string& line, size_t width) {
  const std::string visible = Visible(line);
  return (width == kUnlimited ? visible : Shorten(visible, width)) + "\n";
}

// "confidence 0.67, the share of the winner's value": the number, and where it is from.
std::string Verdict(element judgement, bool declined, size_t width) {
  const bool has_winner = Has(judgement, "winner");
  const auto line = [&](const std::string& name, const std::string& number, const std::string& why) {
    return Shortened("  " + Fit(name, 11, Align::kLeft) + Fit(number, 10, Align::kLeft) + " " + why, width);
  };
  const auto said = [&](std::string_view part, const std::string& by_default) {
    return declined ? "the lens gives no verdict" : IsByLens(judgement, part) ? "as the lens says" : by_default;
  };
  std::string out = line("confidence", Rounded(NumberOf(judgement, "confidence")),
                         said("confidence", has_winner ? "the share of the winner's value" : "the leading share"));
  out += line("status", TextOf(judgement, "status"),
              said("status", "unanimous: one value; agreed: a leading share of 0.8 or more; else contested"));
  out += line("conflict", Rounded(NumberOf(judgement, "conflict_score")),
              IsByLens(judgement, "conflict_score") ? "as the lens says"
                                                    : "entropy of the shares over its maximum");
  return out;
}

std::string Values(element judgement, size_t width) {
  Table table({"value", "weight", "share", "claims", ""});
  array claims;
  if (Member(judgement, "claims").get(claims) != simdjson::SUCCESS) return "";
  const std::string winner = simdjson::minify(Member(judgement, "value"));
  const bool has_winner = Has(judgement, "winner");
  for (const element claim : claims) {
    const bool is_winner = has_winner && simdjson::minify(Member(claim, "value")) == winner;
    table.Add({CellOf(claim, "value"), RoundedCell(claim, "weight"), RoundedCell(claim, "share"),
               CellOf(claim, "assertions_count"), {is_winner ? "wins" : ""}});
  }
  return table.Render(width);
}

std::string Candidates(element resolution, size_t width) {
  array candidates;
  if (Member(resolution, "candidates").get(candidates) != simdjson::SUCCESS) return "";
  Table table({"claim", "value", "confidence", "decayed", "× class", "= weight", "class", "voice", "source",
               "timestamp", "share", "role", "note"});
  for (const element one : candidates) {
    const bool is_decayed = NumberOf(one, "effective_confidence") != NumberOf(one, "confidence");
    table.Add({{ShortHash(TextOf(one, "id"))},
               CellOf(one, "value"),
               RoundedCell(one, "confidence"),
               is_decayed ? RoundedCell(one, "effective_confidence") : Cell{},
               RoundedCell(one, "class_multiplier"),
               RoundedCell(one, "weight"),
               CellOf(one, "source_class"),
               CellOf(one, "voice"),
               {Has(one, "source_id") ? TextOf(one, "source_id") : ShortHash(TextOf(one, "agent_id"))},
               {ShortTime(TextOf(one, "timestamp"))},
               RoundedCell(one, "value_share"),
               CellOf(one, "role"),
               CellOf(one, "note")});
  }
  return table.Render(width);
}

std::string ShowResolution(element resolution, size_t width) {
  std::string head = TextOf(resolution, "concept_path") + " " + TextOf(resolution, "predicate");
  head += Has(resolution, "winner") ? " = " + TextOf(resolution, "value") : ": no winner";
  std::string out = Shortened(head, width);
  if (Has(resolution, "explain") && !TextOf(resolution, "explain").empty()) {
    out += Shortened("  " + TextOf(resolution, "explain"), width);
  }
  const bool declined = TextOf(resolution, "declined") == "true";
  out += Verdict(resolution, declined, width);
  out += IsByLens(resolution, "weights") ? "values, weighed by the lens\n" : "values, by the sum of their claims' weights\n";
  out += Values(resolution, width);
  array layers;
  if (Member(resolution, "layers").get(layers) == simdjson::SUCCESS) {
    for (const element layer : layers) {
      out += Shortened("tier " + TextOf(layer, "tier") + ", " + TextOf(layer, "source_class"), width);
      out += Verdict(layer, false, width) + Values(layer, width);
    }
  }
  if (Has(resolution, "details")) out += Shortened("details " + TextOf(resolution, "details"), width);
  out += "claims\n" + Candidates(resolution, width);
  if (Has(resolution, "candidates_not_shown")) {
    out += TextOf(resolution, "candidates_not_shown") + " more claims are not shown\n";
  }
  if (Has(resolution, "candidates_left_out")) {
    out += TextOf(resolution, "candidates_left_out") + " more claims were not weighed\n";
  }
  return out;
}

}  // namespace

std::string ShowAccount(element answer, size_t width) {
  array resolutions;
  if (Member(answer, "resolutions").get(resolutions) != simdjson::SUCCESS || resolutions.size() == 0) {
    return "no claims\n";
  }
  std::string out;
  for (const element resolution : resolutions) {
    if (!out.empty()) out += "\n";
    out += ShowResolution(resolution, width);
  }
  return out;
}

}  // namespace stemedb::console
