// SPDX-License-Identifier: Apache-2.0
#include "console/local.h"

#include "api/question_reader.h"
#include "base/json_writer.h"
#include "query/engine.h"
#include "script/lens.h"
#include "store/archive.h"
#include "telemetry/metrics.h"

namespace stemedb::console {
namespace {

// As Remote says what a server refused.
Status Coded(const Status& failure) {
  return Status(failure.code(), failure.reason(),
                std::string(failure.reason()) + ": " + std::string(failure.message()));
}

class Local final : public Backend {
 public:
  explicit Local(const LocalOptions& options) : options_(options) {}
  Status Start();

  std::string Banner() override;
  Result<std::string> Query(std::string_view question) override { return Ask(*engine_, question); }
  Result<std::string> Compare(std::string_view question) override;
  Result<std::string> Try(std::string_view source, std::string_view name, std::string_view question) override;
  Result<std::string> Assertion(std::string_view id) override;
  Result<std::string> Concepts(std::string_view prefix) override;
  Result<std::string> Lenses() override;
  Result<std::string> Scripts(std::string_view name) override;
  Result<std::string> Health() override;

 private:
  static constexpr size_t kConceptsMax = 10'000;

  std::unique_ptr<query::Engine> NewEngine(std::shared_ptr<const script::ScriptSet> scripts);
  Result<std::string> Ask(query::Engine& engine, std::string_view question, std::string_view lens = {});
  static Status Refusal(const api::ReadQuestion& read);

  const LocalOptions options_;
  telemetry::Metrics metrics_;
  std::unique_ptr<store::Archive> archive_;
  std::unique_ptr<query::Engine> engine_;  // its reader goes before the archive
  simdjson::dom::parser parser_;
};

Status Local::Start() {
  auto archive = store::Archive::Open({.env = env::Env::Posix(),
                                       .wal_dir = options_.data_dir + "/wal",
                                       .db_dir = options_.data_dir + "/db"});
  if (!archive && archive.error().reason() == "already_running") {
    return Status(Code::kConflict, "already_running",
                  std::string(archive.error().message()) + ": ask it, with --url instead of --data-dir");
  }
  if (!archive) return archive.error();
  archive_ = std::move(*archive);
  auto scripts = script::ScriptSet::Load(options_.lenses_dir, 1);
  if (!scripts) return scripts.error();
  engine_ = NewEngine(std::move(*scripts));
  return Status::Ok();
}

std::unique_ptr<query::Engine> Local::NewEngine(std::shared_ptr<const script::ScriptSet> scripts) {
  query::EngineOptions options;
  options.clock = env::Env::Posix()->clock();
  options.metrics = &metrics_;
  return std::make_unique<query::Engine>(archive_->NewReader(), std::move(scripts), options);
}

std::string Local::Banner() {
  std::string banner =
      options_.data_dir + " at rest, read-only, " + std::to_string(engine_->assertion_count()) + " assertions";
  if (archive_->records_from_log() > 0) {
    banner += " (" + std::to_string(archive_->records_from_log()) + " of them from the log alone)";
  }
  return banner + "; no server can start on it until this console ends";
}

Status Local::Refusal(const api::ReadQuestion& read) {
  std::string message = std::string(read.status.reason()) + ": " + std::string(read.status.message());
  for (const auto& error : read.errors) {
    const std::string field = error.pointer.starts_with('/') ? error.pointer.substr(1) : error.pointer;
    if (message.find(error.detail) == std::string::npos) message += "\n  " + field + " " + error.detail;
  }
  return Status(read.status.code(), read.status.reason(), message);
}

Result<std::string> Local::Ask(query::Engine& engine, std::string_view question, std::string_view lens) {
  api::ReadQuestion read = api::ReadQuestionJson(parser_, question, {});
  if (!read.status.ok()) return Refusal(read);
  if (!lens.empty()) read.question.lens = lens;
  std::string answer;
  const Status answered = engine.Answer(read.question, answer);
  if (!answered.ok()) return Coded(answered);
  return answer;
}

Result<std::string> Local::Compare(std::string_view question) {
  const api::ReadQuestion read =
      api::ReadQuestionJson(parser_, question, {.lens_field = api::LensField::kList, .fixed_lens = {}});
  if (!read.status.ok()) return Refusal(read);
  std::string answer;
  const Status compared = engine_->Compare(read.question, read.lenses, answer);
  if (!compared.ok()) return Coded(compared);
  return answer;
}

Result<std::string> Local::Try(std::string_view source, std::string_view name, std::string_view question) {
  auto draft = script::CheckDraft(source, std::string(name) + ".lua");
  if (!draft) return Coded(draft.error());
  const std::string lens = draft->name;
  auto scripts = script::ScriptSet::Of({std::move(*draft)}, 0);
  if (!scripts) return Coded(scripts.error());
  const auto engine = NewEngine(std::move(*scripts));
  return Ask(*engine, question, lens);
}

Result<std::string> Local::Assertion(std::string_view id) {
  Hash256 hash;
  if (!FromHex(id, hash)) {
    return Status(Code::kInvalidArgument, "invalid_request",
                  "invalid_request: id must be an assertion id: 64 lower-case hex digits");
  }
  std::string answer;
  const Status found = engine_->Assertion(hash, answer);
  if (!found.ok()) return Coded(found);
  return answer;
}

Result<std::string> Local::Concepts(std::string_view prefix) {
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  std::string answer;
  const Status listed = engine_->Concepts(prefix, "", kConceptsMax, answer);
  if (!listed.ok()) return Coded(listed);
  return answer;
}

Result<std::string> Local::Lenses() {
  std::string answer;
  engine_->Lenses(answer);
  return answer;
}

Result<std::string> Local::Scripts(std::string_view /*name*/) {
  return Status(Code::kUnavailable, "needs_server",
                "scripts() asks a running server: this is a data directory at rest. lenses() lists the lenses of " +
                    options_.lenses_dir);
}

Result<std::string> Local::Health() {
  std::string answer;
  JsonWriter json(answer);
  json.BeginObject();
  json.Field("status", "at rest");
  json.Field("version", STEMEDB_VERSION);
  json.Field("data_dir", options_.data_dir);
  json.Field("lenses_dir", options_.lenses_dir);
  json.Key("assertion_count");
  json.Unsigned(engine_->assertion_count());
  json.Key("records_from_log");
  json.Unsigned(archive_->records_from_log());
  json.EndObject();
  return answer;
}

}  // namespace

Result<std::unique_ptr<Backend>> OpenLocal(const LocalOptions& options) {
  auto local = std::make_unique<Local>(options);
  STEMEDB_RETURN_IF_ERROR(local->Start());
  return std::unique_ptr<Backend>(std::move(local));
}

}  // namespace stemedb::console
