// SPDX-License-Identifier: Apache-2.0
// The request side of a connection: from bytes to requests, from requests to handlers, and their answers back
// into order.
#include <array>
#include <charconv>
#include <exception>

#include "http/connection.h"
#include "http/problem.h"
#include "http/socket_queue.h"

namespace stemedb::http {
namespace {

// A refused request's body is read to its end when it is short, so that the connection needn't be closed.
constexpr size_t kSwallowedBytesMax = 64 * 1024;

// Of a stream, in the kernel, beyond what is on its way. Streams last, thousands of them at a time, and the
// kernel would take megabytes for each that doesn't read. An answer isn't bounded so: on a busy loop, which
// comes to its sockets every 20 ms, it would be sent more slowly than a fast network takes it.
constexpr size_t kStreamUnsentBytes = 128 * 1024;

}  // namespace

void Connection::Consume(const char* bytes, size_t count) {
  while (count > 0 && life_ == Life::kOpen && input_ != Input::kDiscard) {
    if (input_ == Input::kHead && current_ == nullptr) {
      if (!MayStartRequest()) return HoldBack(bytes, count);
      BeginRequest();
    }
    size_t used = 0;
    switch (input_) {
      case Input::kHead:
        used = ConsumeHead(bytes, count);
        break;
      case Input::kBody:
        used = ConsumeBody(bytes, count);
        break;
      case Input::kChunked:
        used = ConsumeChunks(bytes, count);
        break;
      case Input::kDiscard:
        return;
    }
    bytes += used;
    count -= used;
  }
}

bool Connection::MayStartRequest() const {
  const Limits& limits = loop_.options().limits;
  return in_flight_ < limits.pipelined_max && unsent_bytes() <= limits.output_bytes_max;
}

void Connection::HoldBack(const char* bytes, size_t count) {
  held_back_.assign(bytes, count);
  StopReading();
}

void Connection::ReadOn() {
  std::string bytes = std::exchange(held_back_, std::string());
  StartReading();
  Consume(bytes.data(), bytes.size());
}

void Connection::BeginRequest() {
  current_ = loop_.NewExchange();
  current_->connection_.store(this, std::memory_order_relaxed);
  if (loop_.observer() != nullptr) current_->started_ns_ = uv_hrtime();
  phase_started_ms_ = loop_.now_ms();
  refused_ = false;
  scanner_.Reset();
}

size_t Connection::ConsumeHead(const char* bytes, size_t count) {
  size_t used = 0;
  switch (scanner_.Feed(current_->head_, bytes, count, used)) {
    case HeadScanner::State::kMore:
      break;
    case HeadScanner::State::kComplete:
      HeadDone();
      break;
    case HeadScanner::State::kRefused:
      Refuse(scanner_.refusal());
      break;
  }
  return used;
}

size_t Connection::ConsumeBody(const char* bytes, size_t count) {
  size_t used = static_cast<size_t>(std::min<uint64_t>(body_left_, count));
  continue_due_ = false;
  current_->body_.Append(bytes, used);
  body_left_ -= used;
  if (!loop_.ChargeBody(*current_)) {
    RefuseForWantOfMemory();
    return used;
  }
  if (body_left_ == 0) BodyDone();
  return used;
}

size_t Connection::ConsumeChunks(const char* bytes, size_t count) {
  size_t used = 0;
  continue_due_ = false;
  ChunkedDecoder::State state = chunks_.Feed(current_->body_, bytes, count, used);
  if (!loop_.ChargeBody(*current_)) {
    RefuseForWantOfMemory();
    return used;
  }
  switch (state) {
    case ChunkedDecoder::State::kMore:
      break;
    case ChunkedDecoder::State::kComplete:
      BodyDone();
      break;
    case ChunkedDecoder::State::kRefused:
      if (refused_) {
        current_->keep_alive_ = false;
        AnswerCurrent(std::move(current_->response_));
      } else {
        Refuse(chunks_.refusal());
      }
      break;
  }
  return used;
}

void Connection::IdentifyRequest() {
  Request& request = current_->request_;
  size_t size = peer_address_.copy(current_->peer_.data(), current_->peer_.size());
  request.peer_address = {current_->peer_.data(), size};
  request.peer_is_loopback = peer_is_loopback_;
  request.connection = number_;
  if (!request.request_id.empty()) return;
  loop_.MakeRequestId(current_->made_id_);
  request.request_id = {current_->made_id_.data(), current_->made_id_.size()};
}

void Connection::HeadDone() {
  Framing framing;
  Refusal refusal = ParseHead(current_->head_, current_->request_, framing);
  current_->readable_ = !current_->request_.target.empty();
  if (refusal) {
    // So that it is counted under its path's template.
    loop_.service().router().Match(current_->request_, current_->scratch_);
    return Refuse(refusal);
  }
  IdentifyRequest();
  current_->keep_alive_ = framing.keep_alive;
  current_->http_1_0_ = framing.http_1_0;
  current_->accepts_gzip_ = framing.accepts_gzip;
  std::optional<Response> answer = JudgeHead();
  if (answer) return RefuseSoftly(std::move(*answer), framing);
  const Route& route = *current_->request_.route;
  size_t body_max = route.max_body_bytes != 0 ? route.max_body_bytes : loop_.options().limits.body_bytes_max;
  if (framing.content_length > body_max) {
    return Refuse({413, "payload_too_large", "the request's body is larger than this path takes"});
  }
  bool has_body = framing.chunked || framing.content_length > 0;
  if (has_body && !loop_.HasRoomForBody(framing.content_length)) return RefuseForWantOfMemory();
  chunks_.Reset(body_max);
  BeginBody(framing);
}

std::optional<Response> Connection::JudgeHead() {
  Request& request = current_->request_;
  const Router& router = loop_.service().router();
  Router::Outcome outcome = router.Match(request, current_->scratch_);
  if (outcome == Router::Outcome::kFound) return loop_.service().OnHeaders(request);
  current_->refused_by_server_ = true;
  if (request.method == Method::kOptions) return OptionsAnswer();
  switch (outcome) {
    case Router::Outcome::kFound:
    case Router::Outcome::kUnknownPath:
      return Problem(404, "not_found", "there is nothing at this path");
    case Router::Outcome::kBadEscape:
      return Problem(400, "invalid_request", "the path is not valid percent-encoded UTF-8");
    case Router::Outcome::kOtherMethod:
      break;
  }
  Response response =
      Problem(405, "method_not_allowed", "the path doesn't serve this method; Allow names those it does");
  response.headers.emplace_back("Allow", router.Allow(request.path));
  return response;
}

Response Connection::OptionsAnswer() {
  std::string allow = loop_.service().router().Allow(current_->request_.path);
  if (allow.empty()) return Problem(404, "not_found", "there is nothing at this path");
  Response response;
  response.status = 204;
  response.headers.emplace_back("Allow", std::move(allow));
  return response;
}

void Connection::BeginBody(const Framing& framing) {
  if (framing.chunked) {
    input_ = Input::kChunked;
  } else if (framing.content_length > 0) {
    body_left_ = framing.content_length;
    input_ = Input::kBody;
  } else {
    return BodyDone();
  }
  phase_started_ms_ = loop_.now_ms();
  continue_due_ = framing.expects_continue;
}

void Connection::RefuseSoftly(Response&& response, const Framing& framing) {
  bool has_body = framing.chunked || framing.content_length > 0;
  if (has_body && (framing.expects_continue || framing.content_length > kSwallowedBytesMax)) {
    current_->keep_alive_ = false;
    return AnswerCurrent(std::move(response));
  }
  refused_ = true;
  current_->response_ = std::move(response);
  chunks_.Reset(kSwallowedBytesMax);
  BeginBody(framing);
}

void Connection::Refuse(const Refusal& refusal) {
  current_->refused_by_server_ = true;
  IdentifyRequest();
  current_->keep_alive_ = false;
  Response response = Problem(refusal.status, refusal.code, refusal.detail);
  if (refusal.status == 415) response.headers.emplace_back("Accept-Encoding", "identity");
  if (refusal.status == 503) response.headers.emplace_back("Retry-After", "1");
  AnswerCurrent(std::move(response));
}

void Connection::RefuseForWantOfMemory() {
  loop_.ReleaseBody(*current_);
  Refuse({503, "overloaded", "the server holds as many request bodies as it may; try again later"});
}

void Connection::BodyDone() {
  if (refused_) return AnswerCurrent(std::move(current_->response_));
  Dispatch();
}

void Connection::AnswerCurrent(Response&& response) {
  Exchange* exchange = Enqueue();
  exchange->responded_ = true;
  Answer(exchange, std::move(response));
}

Exchange* Connection::Enqueue() {
  Exchange* exchange = std::exchange(current_, nullptr);
  exchange->wire_bytes_ = exchange->head_.size() + exchange->body_.size();
  continue_due_ = false;
  input_ = exchange->keep_alive_ ? Input::kHead : Input::kDiscard;
  (queue_tail_ != nullptr ? queue_tail_->next_ : queue_head_) = exchange;
  queue_tail_ = exchange;
  ++in_flight_;
  return exchange;
}

void Connection::Dispatch() {
  current_->body_.Seal();
  current_->request_.body = current_->body_.view();
  Exchange* exchange = Enqueue();
  exchange->handed_out_ = true;
  const Route* route = exchange->request_.route;
  try {
    route->handler(ExchangePtr(exchange));
  } catch (const std::exception&) {
    // Handlers don't throw. If one does, it has dropped its pointer, and that has answered 500.
  }
}

void Connection::Answer(Exchange* exchange, Response&& response) {
  if (exchange == queue_head_) {
    Send(exchange, response);
    SendReadyAnswers();
  } else {
    exchange->response_ = std::move(response);
    exchange->waiting_ = true;
    waiting_bytes_ += exchange->response_.body.size();
  }
  if (!in_batch_) loop_.MarkDirty(this);
}

void Connection::SendReadyAnswers() {
  while (queue_head_ != nullptr && queue_head_->waiting_) {
    if (queue_head_ == stream_) return BeginStream();
    waiting_bytes_ -= queue_head_->response_.body.size();
    Send(queue_head_, queue_head_->response_);
  }
}

void Connection::Send(Exchange* exchange, Response& response) {
  AppendAnswer(exchange, response, BodyFraming::kLength);
  Dequeue(exchange);
}

void Connection::AppendAnswer(Exchange* exchange, Response& response, BodyFraming framing) {
  bool last_of_drain =
      loop_.draining() && exchange->next_ == nullptr && current_ == nullptr && held_back_.empty();
  if (!exchange->keep_alive_ || last_of_drain) {
    close_after_ = true;
    input_ = Input::kDiscard;
  }
  const Request& request = exchange->request_;
  AnswerContext context;
  context.request_id = request.request_id;
  context.head = request.method == Method::kHead;
  context.http_1_0 = exchange->http_1_0_;
  context.keep_alive = exchange->keep_alive_ && !last_of_drain;
  context.accepts_gzip = exchange->accepts_gzip_;
  context.framing = framing;
  if (!loop_.options().allowed_origins.empty()) {
    context.origin = request.header("origin");
    if (request.method == Method::kOptions) {
      context.preflight_method = request.header("access-control-request-method");
      context.preflight_headers = request.header("access-control-request-headers");
    }
  }
  if (request.note != nullptr) loop_.service().OnAnswer(request, response);
  int status = response.status;
  size_t before = out_.size();
  loop_.writer().Append(out_, response, context);
  idle_since_ms_ = loop_.now_ms();
  loop_.Record(*exchange, status, out_.size() - before);
}

// The queue's head is answered.
void Connection::Dequeue(Exchange* exchange) {
  queue_head_ = exchange->next_;
  if (queue_head_ == nullptr) queue_tail_ = nullptr;
  --in_flight_;
  Detach(exchange);
}

void Connection::Detach(Exchange* exchange) {
  exchange->connection_.store(nullptr, std::memory_order_relaxed);
  exchange->next_ = nullptr;
  if (!exchange->handed_out_) loop_.Recycle(exchange);
}

bool Connection::streams() const { return stream_ != nullptr && !stream_->waiting_; }

void Connection::StartStream(Exchange* exchange, Response&& head) {
  ForgetRequestsBehind(exchange);
  exchange->keep_alive_ = false;
  exchange->response_ = std::move(head);
  exchange->waiting_ = true;
  waiting_bytes_ += exchange->response_.body.size();
  stream_ = exchange;
  if (exchange == queue_head_) BeginStream();
  if (!in_batch_) loop_.MarkDirty(this);
}

// It is the connection's last: who has sent further ones is told so by "Connection: close", and asks again
// elsewhere.
void Connection::ForgetRequestsBehind(Exchange* exchange) {
  while (exchange->next_ != nullptr) {
    Exchange* behind = std::exchange(exchange->next_, exchange->next_->next_);
    if (behind->waiting_) waiting_bytes_ -= behind->response_.body.size();
    --in_flight_;
    Detach(behind);
  }
  queue_tail_ = exchange;
  if (current_ != nullptr) loop_.Recycle(std::exchange(current_, nullptr));
  continue_due_ = false;
  held_back_.clear();
  input_ = Input::kDiscard;
}

void Connection::BeginStream() {
  Exchange* exchange = stream_;
  exchange->waiting_ = false;
  BoundUnsentBytes(fd(), kStreamUnsentBytes);
  const std::string first = std::exchange(exchange->response_.body, std::string());
  waiting_bytes_ -= first.size();
  AppendAnswer(exchange, exchange->response_,
               exchange->http_1_0_ ? BodyFraming::kUntilClose : BodyFraming::kChunked);
  AppendPiece(first);
  const bool ends = exchange->stream_ended_ || exchange->request_.method == Method::kHead;
  if (ends || peer_ended_ || loop_.draining()) FinishStream();
}

void Connection::SendPiece(Exchange* exchange, std::string_view piece) {
  if (unsent_bytes() >= loop_.options().limits.stream_output_bytes_max) return Drop();
  if (exchange->waiting_) {
    exchange->response_.body.append(piece);
    waiting_bytes_ += piece.size();
    return;
  }
  AppendPiece(piece);
  idle_since_ms_ = loop_.now_ms();
  if (!in_batch_) loop_.MarkDirty(this);
}

void Connection::EndStream(Exchange* exchange) {
  if (exchange->waiting_) return;  // it ends when it begins
  FinishStream();
  if (!in_batch_) loop_.MarkDirty(this);
}

// An empty chunk would end the body.
void Connection::AppendPiece(std::string_view piece) {
  if (piece.empty() || stream_->request_.method == Method::kHead) return;
  if (stream_->http_1_0_) {
    out_.append(piece);
    return;
  }
  std::array<char, 16> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), piece.size(), 16).ptr;
  out_.append(digits.data(), end).append("\r\n").append(piece).append("\r\n");
}

void Connection::FinishStream() {
  Exchange* exchange = std::exchange(stream_, nullptr);
  if (!exchange->http_1_0_ && exchange->request_.method != Method::kHead) out_.append("0\r\n\r\n");
  Dequeue(exchange);
}

void Connection::SendContinueIfDue() {
  if (!continue_due_ || queue_head_ != nullptr) return;
  continue_due_ = false;
  out_.append("HTTP/1.1 100 Continue\r\n\r\n");
}

}  // namespace stemedb::http
