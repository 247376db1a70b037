// SPDX-License-Identifier: Apache-2.0
// The life of a loop: made by the server's thread, run by its own until it has drained, then joined. The
// libuv loop and the wake-up handle exist before the thread does, so that posting is always safe.
#include "http/loop_thread.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "base/check.h"
#include "http/connection.h"

namespace stemedb::http {
namespace {

constexpr size_t kSpareExchangesMax = 512;
constexpr int kDrainRounds = 3;  // to accept what is queued, to read what has come on it, and one for events in between

LoopThread& LoopOf(const uv_handle_t* handle) { return *static_cast<LoopThread*>(handle->loop->data); }

template <typename T>
uv_handle_t* AsHandle(T* handle) {
  return reinterpret_cast<uv_handle_t*>(handle);
}

Status UvFailure(const char* what, int error) {
  return Status(Code::kIoError, "loop_failed", std::string("http: ") + what + ": " + uv_strerror(error));
}

// Often enough that a time-out is late by a quarter at most, seldom enough to cost nothing.
uint64_t TickInterval(const Timeouts& t) {
  uint64_t shortest =
      std::min({t.header_ms, t.body_ms, t.idle_ms, t.write_stall_ms, t.linger_ms, t.drain_ms});
  return std::clamp<uint64_t>(shortest / 4, 10, 500);
}

}  // namespace

// What Start waits for.
struct LoopThread::Starting {
  const ServiceFactory& factory;
  Status outcome;
  uv_sem_t done{};
};

LoopThread::LoopThread(int index, const Options& options, int listen_fd)
    : Loop(index),
      options_(options),
      listen_fd_(listen_fd),
      writer_(options),
      read_buffer_(new char[kReadBufferBytes]) {
  std::random_device random;
  next_request_id_.fill('0');
  for (size_t i = 0; i < 16; ++i) next_request_id_[i] = "0123456789abcdef"[random() & 15];
}

LoopThread::~LoopThread() {
  STEMEDB_CHECK(!thread_.joinable());
  if (listen_fd_ >= 0) close(listen_fd_);
  while (spare_ != nullptr) {
    Exchange* exchange = std::exchange(spare_, spare_->next_);
    delete exchange;
  }
}

Status LoopThread::Start(const ServiceFactory& factory) {
  if (int error = uv_loop_init(&uv_); error != 0) return UvFailure("event loop", error);
  uv_.data = this;
  int error = uv_async_init(&uv_, &wake_, [](uv_async_t* handle) { LoopOf(AsHandle(handle)).RunPosted(); });
  if (error != 0) {
    uv_loop_close(&uv_);
    return UvFailure("wake-up handle", error);
  }
  uv_prepare_init(&uv_, &prepare_);
  uv_timer_init(&uv_, &timer_);
  uv_tcp_init(&uv_, &listener_);
  Starting starting{factory, Status(), {}};
  uv_sem_init(&starting.done, 0);
  thread_ = std::thread([this, &starting] { Run(starting); });
  uv_sem_wait(&starting.done);
  uv_sem_destroy(&starting.done);
  if (!starting.outcome.ok()) Join();
  return starting.outcome;
}

void LoopThread::Run(Starting& starting) {
  EnterThread();
  std::string name = options_.thread_name.substr(0, 11) + "-" + std::to_string(index());
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
  starting.outcome = Open(starting.factory);
  if (!starting.outcome.ok()) CloseHandles();
  uv_sem_post(&starting.done);  // `starting` may be gone from here on
  uv_run(&uv_, UV_RUN_DEFAULT);
  service_.reset();
  STEMEDB_CHECK(uv_loop_close(&uv_) == 0);
  LeaveThread();
}

Status LoopThread::Open(const ServiceFactory& factory) {
  Result<std::unique_ptr<Service>> service = factory(*this);
  if (!service) return service.error();
  STEMEDB_CHECK(*service != nullptr);
  service_ = std::move(*service);
  observer_ = service_->observer();
  uv_prepare_start(&prepare_, [](uv_prepare_t* handle) { LoopOf(AsHandle(handle)).FlushDirty(); });
  uint64_t interval = TickInterval(options_.timeouts);
  uv_timer_start(
      &timer_, [](uv_timer_t* handle) { LoopOf(AsHandle(handle)).Tick(); }, interval, interval);
  return Listen();
}

Status LoopThread::Listen() {
  constexpr int kBacklog = 1024;
  if (int error = uv_tcp_open(&listener_, listen_fd_); error != 0) return UvFailure("listener", error);
  listen_fd_ = -1;
  auto on_connection = [](uv_stream_t* listener, int status) {
    if (status == 0) Connection::Accept(LoopOf(AsHandle(listener)), listener);
  };
  int error = uv_listen(reinterpret_cast<uv_stream_t*>(&listener_), kBacklog, on_connection);
  if (error != 0) return UvFailure("listen", error);
  listening_ = true;
  return Status::Ok();
}

void LoopThread::Drain() {
  Post([this] { BeginDrain(); });
}

void LoopThread::Join() {
  if (thread_.joinable()) thread_.join();
}

void LoopThread::BeginDrain() {
  if (draining_) return;
  draining_ = true;
  drain_deadline_ms_ = now_ms() + options_.timeouts.drain_ms;
  AwaitArrived(kDrainRounds);
}

// A request that lies in the kernel when the drain begins is in flight, too: its sender can't know that nobody has read
// it. So the loop goes round a few times before it closes what looks idle.
void LoopThread::AwaitArrived(int rounds) {
  if (rounds == 0) return CloseIdle();
  Post([this, rounds] { AwaitArrived(rounds - 1); });
}

void LoopThread::CloseIdle() {
  if (listening_) uv_close(AsHandle(&listener_), nullptr);
  listening_ = false;
  for (Connection* c = connections_; c != nullptr;) {
    Connection* next = c->next;
    c->Drain();
    c = next;
  }
  EndIfDrained();
}

void LoopThread::EndIfDrained() {
  if (draining_ && !listening_ && connections_ == nullptr && !ending_) CloseHandles();
}

void LoopThread::CloseHandles() {
  ending_ = true;
  ClosePosts();
  for (uv_handle_t* handle :
       {AsHandle(&wake_), AsHandle(&prepare_), AsHandle(&timer_), AsHandle(&listener_)}) {
    if (!uv_is_closing(handle)) uv_close(handle, nullptr);
  }
}

void LoopThread::Tick() {
  uint64_t now = now_ms();
  bool overdue = draining_ && now >= drain_deadline_ms_;
  for (Connection* c = connections_; c != nullptr;) {
    Connection* next = c->next;  // closing is asynchronous: the list doesn't change under us
    overdue ? c->Close() : c->Tick(now);
    c = next;
  }
}

void LoopThread::MarkDirty(Connection* connection) {
  if (connection->dirty) return;
  connection->dirty = true;
  dirty_.push_back(connection);
}

void LoopThread::FlushDirty() {
  // By index: a flush may call a handler that answers on another connection.
  for (size_t i = 0; i < dirty_.size(); ++i) {
    Connection* connection = dirty_[i];
    connection->dirty = false;
    connection->Flush();
  }
  dirty_.clear();
}

bool LoopThread::Add(Connection* connection) {
  connection->next = connections_;
  if (connections_ != nullptr) connections_->prev = connection;
  connections_ = connection;
  return ++connection_count_ <= options_.limits.connections_max;
}

void LoopThread::Remove(Connection* connection) {
  if (connection->dirty) std::erase(dirty_, connection);
  if (connection->prev != nullptr) connection->prev->next = connection->next;
  if (connection->next != nullptr) connection->next->prev = connection->prev;
  if (connections_ == connection) connections_ = connection->next;
  --connection_count_;
  delete connection;
  EndIfDrained();
}

Exchange* LoopThread::NewExchange() {
  if (spare_ == nullptr) return new Exchange(*this);
  --spare_count_;
  Exchange* exchange = std::exchange(spare_, spare_->next_);
  exchange->next_ = nullptr;  // or the connection's queue would run on into the pool
  return exchange;
}

void LoopThread::Recycle(Exchange* exchange) {
  if (spare_count_ >= kSpareExchangesMax) {
    delete exchange;
    return;
  }
  exchange->Reset();
  exchange->next_ = spare_;
  spare_ = exchange;
  ++spare_count_;
}

void LoopThread::MakeRequestId(std::array<char, 32>& out) {
  // The text counts up in place, as an odometer does: mostly its last digit alone changes.
  for (size_t i = next_request_id_.size(); i-- > 16;) {
    char& digit = next_request_id_[i];
    digit = digit == '9' ? 'a' : digit == 'f' ? '0' : static_cast<char>(digit + 1);
    if (digit != '0') break;
  }
  out = next_request_id_;
}

void LoopThread::Record(const Exchange& exchange, int status, size_t response_bytes) {
  if (observer_ == nullptr) return;
  const Request& request = exchange.request_;
  RequestRecord record;
  record.method = exchange.readable_ ? MethodName(request.method) : std::string_view("invalid");
  record.route =
      request.route != nullptr ? std::string_view(request.route->path) : std::string_view("unmatched");
  record.target = request.target;
  record.status = status;
  record.duration_seconds = static_cast<double>(uv_hrtime() - exchange.started_ns_) * 1e-9;
  record.request_bytes = exchange.wire_bytes_;
  record.response_bytes = response_bytes;
  record.request_id = request.request_id;
  record.traceparent = request.traceparent;
  record.peer_address = request.peer_address;
  observer_->OnRequestDone(record);
}

}  // namespace stemedb::http
