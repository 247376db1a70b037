// SPDX-License-Identifier: Apache-2.0
// The life of a loop: made by the server's thread, run by its own until it has drained, then joined. The
// libuv loop and the wake-up handle exist before the thread does, so that posting is always safe.
#include "http/loop_thread.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <random>
#include <system_error>

#include "base/check.h"
#include "http/connection.h"
#include "http/listen_socket.h"

namespace stemedb::http {
namespace {

constexpr size_t kSpareExchangesMax = 512;
constexpr int kAcceptedAtOnceMax = kBacklog;
constexpr int kDrainRounds =
    3;  // to accept what is queued, to read what has come on it, and one for events in between

LoopThread& LoopOf(const uv_handle_t* handle) { return *static_cast<LoopThread*>(handle->loop->data); }

template <typename T>
uv_handle_t* AsHandle(T* handle) {
  return reinterpret_cast<uv_handle_t*>(handle);
}

Status UvFailure(const char* what, int error) {
  return Status(Code::kIoError, "loop_failed",
                std::string("http: cannot make ") + what + ": " + SystemFailureText(-error));
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
  if (int error = uv_loop_init(&uv_); error != 0) return UvFailure("an event loop", error);
  uv_.data = this;
  if (Status status = InitHandles(); !status.ok()) {
    AbandonHandles();
    return status;
  }
  Starting starting{factory, Status(), {}};
  uv_sem_init(&starting.done, 0);
  Status status = StartThread(starting);
  if (status.ok()) {
    uv_sem_wait(&starting.done);
    status = starting.outcome;
    if (!status.ok()) Join();
  } else {
    AbandonHandles();
  }
  uv_sem_destroy(&starting.done);
  return status;
}

Status LoopThread::InitHandles() {
  uv_prepare_init(&uv_, &prepare_);
  uv_timer_init(&uv_, &timer_);
  if (int error = uv_poll_init(&uv_, &listener_, listen_fd_); error != 0) {
    return UvFailure("a listener", error);
  }
  int error = uv_async_init(&uv_, &wake_, [](uv_async_t* handle) { LoopOf(AsHandle(handle)).RunPosted(); });
  if (error != 0) return UvFailure("a wake-up handle", error);
  OpenPosts();
  return Status::Ok();
}

// For a loop that never got a thread.
void LoopThread::AbandonHandles() {
  CloseHandles();
  uv_run(&uv_, UV_RUN_DEFAULT);
  STEMEDB_CHECK(uv_loop_close(&uv_) == 0);
}

Status LoopThread::StartThread(Starting& starting) try {
  thread_ = std::thread([this, &starting] { Run(starting); });
  return Status::Ok();
} catch (const std::system_error& error) {
  return UvFailure("a thread", -error.code().value());
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
  uv_prepare_start(&prepare_, [](uv_prepare_t* handle) { LoopOf(AsHandle(handle)).EndTurn(); });
  uint64_t interval = TickInterval(options_.timeouts);
  uv_timer_start(
      &timer_, [](uv_timer_t* handle) { LoopOf(AsHandle(handle)).Tick(); }, interval, interval);
  if (int error = WatchListener(); error != 0) return UvFailure("a listener", error);
  listening_ = true;
  return Status::Ok();
}

int LoopThread::WatchListener() {
  auto on_readable = [](uv_poll_t* listener, int, int) { LoopOf(AsHandle(listener)).OnListenerReadable(); };
  int error = uv_poll_start(&listener_, UV_READABLE, on_readable);
  accepting_ = error == 0;
  return error;
}

// We accept ourselves: uv_listen goes round without end when no descriptor is left and another loop has taken
// the one that libuv keeps in reserve. Here what can't be accepted stays in the kernel's queue until the next
// tick.
void LoopThread::OnListenerReadable() {
  for (int i = 0; i < kAcceptedAtOnceMax; ++i) {
    int fd = accept4(listen_fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      Connection::Accept(*this, fd);
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno == EAGAIN) return;
    uv_poll_stop(&listener_);
    accepting_ = false;
    return;
  }
}

void LoopThread::StopListening() {
  if (!listening_) return;
  listening_ = accepting_ = false;
  uv_close(AsHandle(&listener_), nullptr);
  close(std::exchange(listen_fd_, -1));
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

// A request that lies in the kernel when the drain begins is in flight, too: its sender can't know that
// nobody has read it. So the loop goes round a few times before it closes what looks idle.
void LoopThread::AwaitArrived(int rounds) {
  if (rounds == 0) return CloseIdle();
  Post([this, rounds] { AwaitArrived(rounds - 1); });
}

void LoopThread::CloseIdle() {
  StopListening();
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
  auto close_handle = [](uv_handle_t* handle, void*) {
    if (!uv_is_closing(handle)) uv_close(handle, nullptr);
  };
  uv_walk(&uv_, close_handle, nullptr);  // those that were made: no connection is left
}

void LoopThread::Tick() {
  uint64_t now = now_ms();
  bool overdue = draining_ && now >= drain_deadline_ms_;
  for (Connection* c = connections_; c != nullptr;) {
    Connection* next = c->next;  // closing is asynchronous: the list doesn't change under us
    overdue ? c->Close() : c->Tick(now);
    c = next;
  }
  if (listening_ && !accepting_) WatchListener();
}

void LoopThread::MarkDirty(Connection* connection) {
  if (connection->dirty) return;
  connection->dirty = true;
  dirty_.push_back(connection);
}

void LoopThread::EndTurn() {
  FlushDirty();
  service_->OnTurnEnd();
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
  ReleaseBody(*exchange);
  if (spare_count_ >= kSpareExchangesMax) {
    delete exchange;
    return;
  }
  exchange->Reset();
  exchange->next_ = spare_;
  spare_ = exchange;
  ++spare_count_;
}

bool LoopThread::ChargeBody(Exchange& exchange) {
  body_bytes_ += exchange.body_.capacity() - exchange.charged_bytes_;
  exchange.charged_bytes_ = exchange.body_.capacity();
  return body_bytes_ <= options_.limits.body_bytes_total_max;
}

bool LoopThread::HasRoomForBody(uint64_t bytes) const {
  size_t max = options_.limits.body_bytes_total_max;
  return body_bytes_ <= max && bytes <= max - body_bytes_;
}

void LoopThread::ReleaseBody(Exchange& exchange) {
  constexpr size_t kKeptBytes = 16 * 1024;  // by an exchange that is pooled
  body_bytes_ -= std::exchange(exchange.charged_bytes_, 0);
  if (exchange.body_.capacity() > kKeptBytes) exchange.body_.Release();
  exchange.body_.Clear();
}

void LoopThread::ChargeOutput(size_t now, size_t before) {
  output_bytes_ = output_bytes_ - before + now;
  while (output_bytes_ > options_.limits.output_bytes_total_max) CloseLargestOutput();
}

// The largest, so that as few as possible are closed; of several, the one whose peer has rested longest. What
// is charged belongs to open connections, so that there is one.
void LoopThread::CloseLargestOutput() {
  auto smaller = [](const Connection* a, const Connection* b) {
    if (a->charged_output_bytes() != b->charged_output_bytes()) {
      return a->charged_output_bytes() < b->charged_output_bytes();
    }
    return a->stalled_since_ms() > b->stalled_since_ms();
  };
  Connection* largest = connections_;
  for (Connection* c = connections_; c != nullptr; c = c->next) {
    if (smaller(largest, c)) largest = c;
  }
  STEMEDB_CHECK(largest != nullptr && largest->charged_output_bytes() > 0);
  largest->Drop();
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
  observer_->OnRequestDone(
      {.request = request,
       .method = exchange.readable_ ? MethodName(request.method) : std::string_view("invalid"),
       .route =
           request.route != nullptr ? std::string_view(request.route->path) : std::string_view("unmatched"),
       .status = status,
       .refused_by_server = exchange.refused_by_server_,
       .duration_seconds = static_cast<double>(uv_hrtime() - exchange.started_ns_) * 1e-9,
       .request_bytes = exchange.wire_bytes_,
       .response_bytes = response_bytes});
}

}  // namespace stemedb::http
