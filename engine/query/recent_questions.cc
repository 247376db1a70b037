// SPDX-License-Identifier: Apache-2.0
#include "query/recent_questions.h"

namespace stemedb::query {
namespace {

constexpr size_t kParamBytesMax = 1024;  // questions with more aren't worth their memory

size_t ParamBytes(const Question& question) {
  size_t bytes = 0;
  for (const auto& [name, value] : question.params) {
    bytes += name.size();
    if (const auto* text = std::get_if<std::string>(&value)) bytes += text->size();
  }
  return bytes;
}

}  // namespace

void RecentQuestions::List::Keep(const Question& question, uint64_t sequence, int64_t now_ms) {
  if (ParamBytes(question) > kParamBytesMax) return;
  RecordedQuestion recorded{question, now_ms};
  recorded.question.as_of = Moment{.sequence = sequence, .time_ms = {}};
  recorded.question.now_ms = now_ms;
  recorded.question.include_candidates = recorded.question.include_explain = false;
  recorded.question.limit = 0;
  const std::lock_guard lock(mutex_);
  if (kept_.size() == kKeptMax) kept_.pop_front();
  kept_.push_back(std::move(recorded));
}

RecentQuestions::List* RecentQuestions::ListFor(std::string_view lens) {
  const std::lock_guard lock(mutex_);
  const auto found = lists_.find(lens);
  if (found != lists_.end()) return found->second.get();
  if (lists_.size() == kLensesMax) return nullptr;
  return lists_.emplace(std::string(lens), std::make_unique<List>()).first->second.get();
}

void RecentQuestions::CopyTo(std::string_view lens, std::vector<RecordedQuestion>& out) const {
  List* list = nullptr;
  {
    const std::lock_guard lock(mutex_);
    const auto found = lists_.find(lens);
    if (found == lists_.end()) return;
    list = found->second.get();
  }
  const std::lock_guard lock(list->mutex_);
  out.insert(out.end(), list->kept_.begin(), list->kept_.end());
}

}  // namespace stemedb::query
