// SPDX-License-Identifier: Apache-2.0
// A service is its context, its router and its observer: the routes are the resources' business.
#include "api/service.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "api/request_observer.h"
#include "api/routes.h"

namespace stemedb::api {
namespace {

void AddOperationsRoutes(http::Router& router, LoopContext& context) {
  AddHealthRoutes(router, context);
  AddMetricsRoutes(router, context);
  AddAdminScriptsRoutes(router, context);
  AddAdminAuditRoutes(router, context);
  AddAuditQueriesRoutes(router, context);
  AddDescriptionRoutes(router, context);
}

void AddClientRoutes(http::Router& router, LoopContext& context) {
  AddAssertRoutes(router, context);
  AddBatchRoutes(router, context);
  AddAssertionsRoutes(router, context);
  AddQueryRoutes(router, context);
  AddLensesRoutes(router, context);
  AddConceptsRoutes(router, context);
  AddOpinionsRoutes(router, context);
  AddSourcesRoutes(router, context);
  AddTraceRoutes(router, context);
  AddWatchRoutes(router, context);
  AddAdminTrustRoutes(router, context);
  AddOperationsRoutes(router, context);
}

class LoopService final : public http::Service {
 public:
  LoopService(Backend& backend, LoopContext::Role role, std::shared_ptr<WatchBell> bell)
      : role_(role), context_(backend, role, std::move(bell)), observer_(backend) {
    if (role == LoopContext::Role::kClients) {
      AddClientRoutes(router_, context_);
      context_.rates().Learn(router_);
    } else {
      AddOperationsRoutes(router_, context_);
    }
  }

  const http::Router& router() const override { return router_; }
  std::optional<http::Response> OnHeaders(http::Request& request) override {
    if (role_ != LoopContext::Role::kClients) return std::nullopt;
    const Status judged = context_.rates().Judge(request);
    if (judged.ok()) return std::nullopt;
    return context_.Refusal(request, judged);
  }
  void OnAnswer(const http::Request& request, http::Response& response) override {
    RateGate::Finish(request, response);
  }
  void OnTurnEnd() override {
    if (std::exchange(context_.has_submitted, false)) context_.backend().store->Begin();
    if (role_ != LoopContext::Role::kClients) return;
    context_.watches().OnTurnEnd();
    context_.turns().OnTurnEnd();
    context_.rates().OnTurnEnd();
    // Idle loops have turns as well, two a second, by their connections' time-outs.
    context_.TakeUpLive();
  }
  http::Observer* observer() override { return &observer_; }

 private:
  const LoopContext::Role role_;
  LoopContext context_;
  http::Router router_;
  RequestObserver observer_;
};

http::ServiceFactory Services(Backend& backend, LoopContext::Role role, std::shared_ptr<WatchBell> bell) {
  return [&backend, role, bell = std::move(bell)](http::Loop&) -> Result<std::unique_ptr<http::Service>> {
    return std::unique_ptr<http::Service>(std::make_unique<LoopService>(backend, role, bell));
  };
}

}  // namespace

http::ServiceFactory ClientServices(Backend& backend) {
  auto bell = std::make_shared<WatchBell>();
  backend.store->SetPublishListener([bell] { bell->Ring(); });
  return Services(backend, LoopContext::Role::kClients, std::move(bell));
}
http::ServiceFactory OperationsServices(Backend& backend) {
  return Services(backend, LoopContext::Role::kOperations, nullptr);
}

std::vector<std::string> ListRoutes() {
  LoopContext context;
  http::Router router;
  AddClientRoutes(router, context);
  std::vector<std::string> list;
  for (const http::Route& route : router.routes()) {
    for (http::Method method : route.methods)
      list.push_back(std::string(http::MethodName(method)) + " " + route.path);
  }
  std::sort(list.begin(), list.end());
  return list;
}

}  // namespace stemedb::api
