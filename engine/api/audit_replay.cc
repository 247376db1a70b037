// SPDX-License-Identifier: Apache-2.0
#include "api/audit_replay.h"

#include <simdjson.h>

#include <string>
#include <utility>
#include <vector>

#include "api/errors.h"
#include "api/question_reader.h"
#include "crypto/sha256.h"

namespace stemedb::api {
namespace {

void WriteImpossible(JsonWriter& json, std::string_view reason, std::string_view detail) {
  json.BeginObject();
  json.Key("possible");
  json.Bool(false);
  json.Field("reason", reason);
  json.Field("detail", detail);
  json.EndObject();
}

// Why it can't be asked again; empty when it can.
std::string_view Obstacle(const audit::QueryRecord& record) {
  if (!record.answered || !record.has_moment) return "failed";
  if (record.fell_back) return "fell_back";
  if (record.is_stale) return "stale";
  if (!record.is_question_whole()) return "question_cut";
  return {};
}

std::string_view DetailOf(std::string_view obstacle) {
  if (obstacle == "failed") return "the question had no answer, so there is none to compare with";
  if (obstacle == "fell_back")
    return "a fallback answered since the lens failed or took too long, which need not happen again";
  if (obstacle == "stale") return "a kept answer was given that names its own age";
  return "the question was too long to be kept whole";
}

// The question of the record, at its moment.
ReadQuestion QuestionOf(const audit::QueryRecord& record) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  ReadQuestion read;
  if (const auto error = parser.parse(std::string(record.question)).get(root); error != simdjson::SUCCESS) {
    read.status = Status(Code::kCorruption, "invalid_json", simdjson::error_message(error));
    return read;
  }
  QuestionForm form;
  if (record.endpoint == "compare") form.lens_field = LensField::kList;
  read = ReadQuestionElement(root, form, "");
  read.question.as_of = query::Moment{.sequence = record.sequence, .time_ms = {}};
  read.question.now_ms = record.now_ms;
  read.question.max_stale_ms = 0;
  return read;
}

}  // namespace

void WriteReplay(JsonWriter& json, const audit::TrailEntry& entry, const deploy::Deployment& deployment) {
  const auto* record = std::get_if<audit::QueryRecord>(&entry);
  if (record == nullptr) return WriteImpossible(json, "gap", "queries that are missing can't be asked again");
  if (const std::string_view obstacle = Obstacle(*record); !obstacle.empty())
    return WriteImpossible(json, obstacle, DetailOf(obstacle));
  const ReadQuestion read = QuestionOf(*record);
  if (!read.status.ok()) {
    return WriteImpossible(
        json, "question_unreadable",
        "this server doesn't understand the question: " + std::string(read.status.message()));
  }
  std::vector<deploy::PastLens> lenses;
  for (const audit::LensUsed& lens : record->lenses)
    lenses.push_back({std::string(lens.name), lens.sha256, lens.generation});
  std::string answer;
  const Status status = deployment.Replay(read.question, read.lenses, lenses, answer);
  if (status.reason() == "unknown_version") return WriteImpossible(json, "unknown_version", status.message());
  json.BeginObject();
  json.Key("possible");
  json.Bool(true);
  json.Key("same");
  const Hash256 sha256 = crypto::Sha256::Of(answer);
  json.Bool(status.ok() && sha256 == record->answer_sha256);
  if (status.ok()) {
    json.Key("answer");
    json.BeginObject();
    json.Key("bytes");
    json.Unsigned(answer.size());
    json.Key("sha256");
    json.Hex(sha256);
    json.EndObject();
  } else {
    json.Field("reason", Classify(status).reason);
    json.Field("detail", status.message());
  }
  json.EndObject();
}

}  // namespace stemedb::api
