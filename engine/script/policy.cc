// SPDX-License-Identifier: Apache-2.0
// PolicyRunner: fills the frame, calls the script, takes the verdict. As with lenses, a state is thrown away
// when a call fails, so that nothing a broken script left behind colours the next verdict.
#include "script/policy.h"

#include <vector>

#include "base/check.h"
#include "script/state.h"

namespace stemedb::script {
namespace {

Status Failed(const Status& cause, Failure failure) {
  const Code code = failure == Failure::kTime ? Code::kDeadlineExceeded : Code::kInternal;
  return Status(code, "policy_failed", std::string(cause.message()));
}

void FillFrame(PolicyFrame& frame, const PolicyRequest& request, int64_t now_ms) {
  frame.route = request.route.data();
  frame.route_size = static_cast<uint32_t>(request.route.size());
  frame.method = request.method.data();
  frame.method_size = static_cast<uint32_t>(request.method.size());
  frame.agent = request.agent.data();
  frame.agent_size = static_cast<uint32_t>(request.agent.size());
  frame.peer = request.peer.data();
  frame.peer_size = static_cast<uint32_t>(request.peer.size());
  frame.now_ms = static_cast<double>(now_ms);
  frame.body_bytes = static_cast<double>(request.body_bytes);
  frame.items = static_cast<double>(request.items);
  frame.loopback = request.loopback ? 1 : 0;
  frame.is_signed = request.is_signed ? 1 : 0;
  frame.limited = 0;
}

}  // namespace

struct PolicyRunner::Impl {
  struct One {
    std::unique_ptr<State> state;  // null until asked
    Params defaults;
  };
  Options options;
  std::vector<One> policies;  // by script; lenses have no state here
};

PolicyRunner::PolicyRunner(std::shared_ptr<const ScriptSet> scripts, Options options)
    : impl_(std::make_unique<Impl>()) {
  impl_->options = options;
  Use(std::move(scripts));
}

PolicyRunner::~PolicyRunner() = default;

void PolicyRunner::Use(std::shared_ptr<const ScriptSet> scripts) {
  if (scripts == scripts_) return;
  std::vector<Impl::One> policies;
  for (const ScriptInfo& script : scripts->scripts()) {
    Impl::One& one = policies.emplace_back(Impl::One{nullptr, DefaultParams(script)});
    const int old = scripts_ == nullptr ? -1 : scripts_->Find(script.name);
    if (old < 0) continue;
    const ScriptInfo& before = scripts_->scripts()[static_cast<size_t>(old)];
    if (before.sha256 == script.sha256 && before.file == script.file)
      one.state = std::move(impl_->policies[static_cast<size_t>(old)].state);
  }
  impl_->policies = std::move(policies);
  scripts_ = std::move(scripts);
}

int PolicyRunner::FindHook(std::string_view hook) const {
  const int found = scripts_->Find(hook);
  if (found < 0 || scripts_->scripts()[static_cast<size_t>(found)].hook != hook) return -1;
  return found;
}

Status PolicyRunner::Open(int script, int64_t load_time_ms_max) {
  Impl::One& policy = impl_->policies[static_cast<size_t>(script)];
  if (policy.state) return Status::Ok();
  const ScriptInfo& info = scripts_->scripts()[static_cast<size_t>(script)];
  auto opened = State::Open(
      info.file, info.source,
      {impl_->options.memory_bytes_max, impl_->options.time_ms_max, load_time_ms_max, Stopping::kOn});
  if (!opened) {
    const bool is_time = opened.error().code() == Code::kDeadlineExceeded;
    return Failed(opened.error(), is_time ? Failure::kTime : Failure::kError);
  }
  policy.state = std::move(opened).value();
  return Status::Ok();
}

Status PolicyRunner::Prepare(int script) {
  STEMEDB_CHECK(script >= 0 && static_cast<size_t>(script) < impl_->policies.size());
  return Open(script, impl_->options.load_time_ms_max);
}

Result<std::optional<RateVerdict>> PolicyRunner::Limit(int script, const PolicyRequest& request,
                                                       int64_t now_ms, const Params* params,
                                                       Reading reading) {
  STEMEDB_CHECK(script >= 0 && static_cast<size_t>(script) < impl_->policies.size());
  const ScriptInfo& info = scripts_->scripts()[static_cast<size_t>(script)];
  STEMEDB_CHECK(info.hook == "rate_limit");
  Impl::One& policy = impl_->policies[static_cast<size_t>(script)];
  if (params == nullptr) params = &policy.defaults;
  STEMEDB_CHECK(params->values.size() == info.params.size());
  STEMEDB_RETURN_IF_ERROR(Open(script, State::kInFirstRun));
  PolicyFrame& frame = policy.state->policy_frame();
  FillFrame(frame, request, now_ms);
  if (Status status = policy.state->Run(info, params, Notes::kNone, reading); !status.ok()) {
    const Failure failure = policy.state->failure();
    policy.state.reset();
    return Failed(status, failure);
  }
  if (frame.limited == 0) return std::optional<RateVerdict>();
  return std::optional<RateVerdict>({std::string(frame.bucket, frame.bucket_size), frame.cost, frame.limit,
                                     frame.window_s, frame.peer_limit});
}

Status SelfCheckPolicy(PolicyRunner& runner, int script) {
  constexpr int64_t kSomeTimeMs = 1767225600000;
  const std::string agent(64, 'f'), route(8 * 1024, 'r');
  struct Awkward {
    const char* what;
    PolicyRequest request;
  };
  const Awkward list[] = {
      {"a request of which nothing is known", {}},
      {"a question from this machine",
       {.route = "/v1/query", .method = "GET", .loopback = true, .peer = "::1"}},
      {"a batch without claims",
       {.route = "/v1/assert/batch", .method = "POST", .items = 0, .peer = "unknown"}},
      {"a giant batch of an agent",
       {.route = "/v1/assert/batch",
        .method = "POST",
        .body_bytes = uint64_t{1} << 40,
        .items = 1'000'000,
        .is_signed = true,
        .agent = agent,
        .peer = "2001:db8::1"}},
      {"a request to a long path", {.route = route, .method = "DELETE", .peer = "192.0.2.1"}},
  };
  for (const Awkward& one : list) {
    const auto verdict = runner.Limit(script, one.request, kSomeTimeMs, nullptr, Reading::kThorough);
    if (!verdict) return verdict.error().Annotate(std::string("asked about ") + one.what);
  }
  return Status::Ok();
}

}  // namespace stemedb::script
