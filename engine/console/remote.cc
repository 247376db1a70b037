// SPDX-License-Identifier: Apache-2.0
// libcurl's easy interface, one handle. The progress callback is where a call is ended and where its progress
// is told.
#include "console/remote.h"

#include <curl/curl.h>

#include <chrono>
#include <cstdio>
#include <utility>

#include "base/json_writer.h"
#include "console/problem.h"

namespace stemedb::console {
namespace {

constexpr long kConnectSecondsMax = 5;
constexpr size_t kAnswerBytesMax = 64u << 20;  // the server's own bound is half of it
constexpr auto kProgressAfter = std::chrono::milliseconds(500);

class Remote final : public Backend {
 public:
  explicit Remote(RemoteOptions options) : options_(std::move(options)) {}
  ~Remote() override;
  Status Start();

  std::string Banner() override;
  Result<std::string> Query(std::string_view question) override { return Post("/v1/query", question); }
  Result<std::string> Compare(std::string_view question) override {
    return Post("/v1/lenses/compare", question);
  }
  Result<std::string> Try(std::string_view source, std::string_view name, std::string_view question) override;
  Result<std::string> Assertion(std::string_view id) override { return Get("/v1/assertions/" + Escape(id)); }
  Result<std::string> Concepts(std::string_view prefix) override {
    return Get("/v1/concepts?limit=10000&prefix=" + Escape(prefix));
  }
  Result<std::string> Lenses() override { return Get("/v1/lenses"); }
  Result<std::string> Scripts(std::string_view name) override {
    return Get("/v1/admin/scripts" + (name.empty() ? "" : "/" + Escape(name)));
  }
  Result<std::string> Health() override { return Get("/v1/health"); }

 private:
  static size_t Take(char* bytes, size_t size, size_t count, void* self);
  static int Progress(void* self, curl_off_t total, curl_off_t received, curl_off_t, curl_off_t);
  std::string Escape(std::string_view text);
  Result<std::string> Get(const std::string& target) { return Call(target, nullptr); }
  Result<std::string> Post(const std::string& target, std::string_view body) { return Call(target, &body); }
  Result<std::string> Call(const std::string& target, const std::string_view* body);
  Status Unreachable(CURLcode code, const char* detail) const;
  void TellProgress(curl_off_t received);
  void EndProgress();

  RemoteOptions options_;
  CURL* curl_ = nullptr;
  curl_slist* headers_ = nullptr;
  std::string answer_;
  std::chrono::steady_clock::time_point started_;
  bool has_told_ = false;
};

Remote::~Remote() {
  curl_slist_free_all(headers_);
  if (curl_ != nullptr) curl_easy_cleanup(curl_);
}

Status Remote::Start() {
  while (options_.url.ends_with('/')) options_.url.pop_back();
  if (!options_.url.starts_with("http://") && !options_.url.starts_with("https://")) {
    return Status(Code::kInvalidArgument, "invalid_url",
                  "'" + options_.url + "' is no address of a server: give one such as http://127.0.0.1:18180");
  }
  curl_global_init(CURL_GLOBAL_DEFAULT);
  curl_ = curl_easy_init();
  if (curl_ == nullptr) return Status(Code::kInternal, "internal", "libcurl can't be started");
  headers_ = curl_slist_append(headers_, "Content-Type: application/json");
  headers_ = curl_slist_append(headers_, "Expect:");
  if (!options_.api_key.empty()) {
    headers_ = curl_slist_append(headers_, ("X-API-Key: " + options_.api_key).c_str());
  }
  return Status::Ok();
}

std::string Remote::Banner() {
  auto health = Health();
  if (!health) return options_.url + ": " + std::string(health.error().message());
  return options_.url + ", " + HealthLine(*health);
}

size_t Remote::Take(char* bytes, size_t size, size_t count, void* self) {
  std::string& answer = static_cast<Remote*>(self)->answer_;
  if (answer.size() + size * count > kAnswerBytesMax) return 0;
  answer.append(bytes, size * count);
  return size * count;
}

int Remote::Progress(void* self, curl_off_t, curl_off_t received, curl_off_t, curl_off_t) {
  auto* remote = static_cast<Remote*>(self);
  if (remote->options_.interrupted->load(std::memory_order_relaxed)) return 1;
  if (remote->options_.shows_progress) remote->TellProgress(received);
  return 0;
}

void Remote::TellProgress(curl_off_t received) {
  const auto elapsed = std::chrono::steady_clock::now() - started_;
  if (elapsed < kProgressAfter) return;
  has_told_ = true;
  const double seconds = std::chrono::duration<double>(elapsed).count();
  std::fprintf(stderr, "\r%.1f s, %.1f MB \r", seconds, static_cast<double>(received) / 1e6);
}

void Remote::EndProgress() {
  if (std::exchange(has_told_, false)) std::fprintf(stderr, "\r%20s\r", "");
}

std::string Remote::Escape(std::string_view text) {
  char* escaped = curl_easy_escape(curl_, text.data(), static_cast<int>(text.size()));
  std::string result = escaped == nullptr ? "" : escaped;
  curl_free(escaped);
  return result;
}

Status Remote::Unreachable(CURLcode code, const char* detail) const {
  if (code == CURLE_ABORTED_BY_CALLBACK) return Status(Code::kUnavailable, "interrupted", "interrupted");
  if (code == CURLE_WRITE_ERROR) {
    return Status(Code::kTooLarge, "answer_too_large", "the answer is larger than 64 MiB: ask for less");
  }
  const std::string why = *detail != '\0' ? detail : curl_easy_strerror(code);
  return Status(Code::kUnavailable, "unreachable",
                "no answer from " + options_.url + " (" + why +
                    "): start the server with scripts/run, or name another with --url");
}

Result<std::string> Remote::Call(const std::string& target, const std::string_view* body) {
  char detail[CURL_ERROR_SIZE] = "";
  answer_.clear();
  started_ = std::chrono::steady_clock::now();
  curl_easy_reset(curl_);  // keeps the connection
  curl_easy_setopt(curl_, CURLOPT_URL, (options_.url + target).c_str());
  curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, headers_);
  curl_easy_setopt(curl_, CURLOPT_USERAGENT, "stemedb/" STEMEDB_VERSION);
  curl_easy_setopt(curl_, CURLOPT_ACCEPT_ENCODING, "");
  curl_easy_setopt(curl_, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl_, CURLOPT_CONNECTTIMEOUT, kConnectSecondsMax);
  curl_easy_setopt(curl_, CURLOPT_ERRORBUFFER, detail);
  curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, &Remote::Take);
  curl_easy_setopt(curl_, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(curl_, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl_, CURLOPT_XFERINFOFUNCTION, &Remote::Progress);
  curl_easy_setopt(curl_, CURLOPT_XFERINFODATA, this);
  if (body != nullptr) {
    curl_easy_setopt(curl_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body->size()));
    curl_easy_setopt(curl_, CURLOPT_POSTFIELDS, body->data());
  }
  const CURLcode code = curl_easy_perform(curl_);
  EndProgress();
  if (code != CURLE_OK) return Unreachable(code, detail);
  long status = 0;
  curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &status);
  if (status < 200 || status >= 300) return ProblemStatus(answer_, status);
  return std::move(answer_);
}

Result<std::string> Remote::Try(std::string_view source, std::string_view name, std::string_view question) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject();
  json.Field("source", source);
  json.Field("name", name);
  json.Key("question");
  json.Raw(question);
  json.EndObject();
  return Post("/v1/admin/scripts/try", body);
}

}  // namespace

Result<std::unique_ptr<Backend>> OpenRemote(RemoteOptions options) {
  auto remote = std::make_unique<Remote>(std::move(options));
  STEMEDB_RETURN_IF_ERROR(remote->Start());
  return std::unique_ptr<Backend>(std::move(remote));
}

}  // namespace stemedb::console
