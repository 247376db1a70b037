// SPDX-License-Identifier: Apache-2.0
// bench_bare_loop PORT: the least that an HTTP server on libuv and llhttp can do. One loop, no checks, no
// limits, one fixed answer, and one write for all requests of a read. What our server costs is measured
// against it.
#include <llhttp.h>
#include <uv.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

constexpr std::string_view kAnswer =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{\"status\":\"healthy\"}";

char read_buffer[64 * 1024];
llhttp_settings_t settings;

struct Connection {
  uv_tcp_t tcp{};
  llhttp_t parser{};
  std::string out;
};

int OnMessageComplete(llhttp_t* parser) {
  static_cast<Connection*>(parser->data)->out.append(kAnswer);
  return 0;
}

void Close(Connection* connection) {
  uv_close(reinterpret_cast<uv_handle_t*>(&connection->tcp),
           [](uv_handle_t* handle) { delete static_cast<Connection*>(handle->data); });
}

void OnRead(uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) {
  auto* connection = static_cast<Connection*>(stream->data);
  if (count == 0) return;
  if (count < 0 || llhttp_execute(&connection->parser, buffer->base, static_cast<size_t>(count)) != HPE_OK) {
    return Close(connection);
  }
  if (connection->out.empty()) return;
  uv_buf_t out = uv_buf_init(connection->out.data(), static_cast<unsigned>(connection->out.size()));
  // A benchmark's client takes what it asked for; one that doesn't is dropped.
  if (uv_try_write(stream, &out, 1) != static_cast<int>(connection->out.size())) return Close(connection);
  connection->out.clear();
}

void OnConnection(uv_stream_t* listener, int status) {
  if (status != 0) return;
  auto* connection = new Connection;
  uv_tcp_init(listener->loop, &connection->tcp);
  connection->tcp.data = connection;
  llhttp_init(&connection->parser, HTTP_REQUEST, &settings);
  connection->parser.data = connection;
  auto* stream = reinterpret_cast<uv_stream_t*>(&connection->tcp);
  if (uv_accept(listener, stream) != 0) return Close(connection);
  uv_tcp_nodelay(&connection->tcp, 1);
  uv_read_start(
      stream,
      [](uv_handle_t*, size_t, uv_buf_t* buffer) { *buffer = uv_buf_init(read_buffer, sizeof read_buffer); },
      OnRead);
}

}  // namespace

int main(int argc, char** argv) {
  int port = argc == 2 ? std::atoi(argv[1]) : 0;
  if (port <= 0 || port > 65535) {
    std::fprintf(stderr, "usage: bench_bare_loop PORT\n");
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  llhttp_settings_init(&settings);
  settings.on_message_complete = OnMessageComplete;
  uv_tcp_t listener{};
  sockaddr_in address{};
  uv_tcp_init(uv_default_loop(), &listener);
  uv_ip4_addr("127.0.0.1", port, &address);
  int error = uv_tcp_bind(&listener, reinterpret_cast<sockaddr*>(&address), 0);
  if (error == 0) error = uv_listen(reinterpret_cast<uv_stream_t*>(&listener), 1024, OnConnection);
  if (error != 0) {
    std::fprintf(stderr, "bench_bare_loop: port %d: %s\n", port, uv_strerror(error));
    return 1;
  }
  return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
