#include "base/uv/uv_stream.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/uv/sockaddr.h"

namespace migd {
namespace {

constexpr int kBacklog = 128;
constexpr std::size_t kReadSize = 65536;

// All sockets of the process read into one buffer: what was read is handed on before the next read.
std::array<char, kReadSize> read_buffer;

// The part of a socket that libuv holds on to until it has closed it.
struct StreamCore : std::enable_shared_from_this<StreamCore> {
  union {
    uv_handle_t any;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  } handle;
  uv_connect_t connect_request;
  uv_write_t write_request;
  uv_shutdown_t shutdown_request;

  EventLoop* loop = nullptr;
  StreamSocketHandler* handler = nullptr;  // null: nothing is called
  std::shared_ptr<StreamCore> keep_alive;  // until libuv has closed the handle

  bool connected = false;
  bool closing = false;
  bool paused = false;
  bool reading = false;
  bool read_ended = false;
  bool write_failed = false;
  bool shutdown_wanted = false;
  bool shutdown_started = false;
  bool shutdown_done = false;
  bool drained_due = false;
  Bytes in_flight;  // with libuv
  Bytes waiting;    // behind it

  void open(EventLoop& event_loop, uv_loop_t* uv, StreamAddress::Kind kind);
  void connect(const StreamAddress& to);
  void on_connected();
  void write(ByteView bytes);
  void write_waiting();
  void on_written(int status);
  void after_write();
  void report_drained_later();
  void start_shutdown();
  void on_shut_down();
  void update_reading();
  void on_read(ssize_t n);
  void on_read_end(bool orderly);
  void finish_if_both_ended();
  void finish(bool reset);
  void finish_later();
  void close();
};

void StreamCore::open(EventLoop& event_loop, uv_loop_t* uv, StreamAddress::Kind kind) {
  loop = &event_loop;
  if (kind == StreamAddress::Kind::kTcp) {
    MIGD_CHECK(uv_tcp_init(uv, &handle.tcp) == 0);
  } else {
    MIGD_CHECK(uv_pipe_init(uv, &handle.pipe, 0) == 0);
  }
  handle.any.data = connect_request.data = write_request.data = shutdown_request.data = this;
  keep_alive = shared_from_this();
}

Result<SocketAddress> resolve(const StreamAddress& address) {
  const std::string host = address.host_or_path == "localhost" ? "127.0.0.1" : address.host_or_path;
  const Result<IpAddress> ip = IpAddress::parse(host);
  if (!ip) return tl::unexpected(ip.error());
  return to_socket_address({*ip, address.port});
}

void StreamCore::connect(const StreamAddress& to) {
  const uv_connect_cb on_done = [](uv_connect_t* request, int status) {
    auto* core = static_cast<StreamCore*>(request->data);
    if (core->closing) return;
    if (status == 0) {
      core->on_connected();
    } else {
      core->finish(true);
    }
  };
  if (to.kind == StreamAddress::Kind::kUnix) {
    uv_pipe_connect(&connect_request, &handle.pipe, to.host_or_path.c_str(), on_done);
    return;
  }
  const Result<SocketAddress> address = resolve(to);
  if (!address || uv_tcp_connect(&connect_request, &handle.tcp, address->get(), on_done) != 0) {
    finish_later();
  }
}

void StreamCore::on_connected() {
  connected = true;
  if (handle.any.type == UV_TCP) uv_tcp_nodelay(&handle.tcp, 1);
  update_reading();
  if (!waiting.empty()) write_waiting();
  after_write();
  if (handler != nullptr) handler->on_connected();
}

void StreamCore::write(ByteView bytes) {
  MIGD_CHECK(!shutdown_wanted);
  if (closing || write_failed || bytes.empty()) return;
  if (connected && in_flight.empty()) {
    // Almost always the system takes all of it at once.
    uv_buf_t buffer = uv_buf_init(const_cast<char*>(reinterpret_cast<const char*>(bytes.data())),
                                  static_cast<unsigned>(bytes.size()));
    const int taken = uv_try_write(&handle.stream, &buffer, 1);
    if (taken > 0) bytes = bytes.subspan(static_cast<std::size_t>(taken));
  }
  append(waiting, bytes);
  if (waiting.empty()) {
    report_drained_later();
  } else if (connected && in_flight.empty()) {
    write_waiting();
  }
}

void StreamCore::write_waiting() {
  in_flight.swap(waiting);
  uv_buf_t buffer = uv_buf_init(reinterpret_cast<char*>(in_flight.data()),
                                static_cast<unsigned>(in_flight.size()));
  const int status =
      uv_write(&write_request, &handle.stream, &buffer, 1, [](uv_write_t* request, int result) {
        static_cast<StreamCore*>(request->data)->on_written(result);
      });
  if (status != 0) loop->post([self = shared_from_this(), status] { self->on_written(status); });
}

void StreamCore::on_written(int status) {
  if (closing) return;
  in_flight.clear();
  if (status != 0) {
    // Nothing more can be said, but what the other side has said before is still to be read.
    write_failed = true;
    waiting.clear();
    finish_if_both_ended();
    return;
  }
  if (!waiting.empty()) {
    write_waiting();
    return;
  }
  report_drained_later();
  after_write();
}

void StreamCore::after_write() {
  if (shutdown_wanted && !shutdown_started && connected && in_flight.empty()) start_shutdown();
}

void StreamCore::report_drained_later() {
  if (std::exchange(drained_due, true)) return;
  loop->post([self = shared_from_this()] {
    self->drained_due = false;
    if (self->handler == nullptr || self->closing || self->write_failed) return;
    if (self->in_flight.empty() && self->waiting.empty()) self->handler->on_drained();
  });
}

void StreamCore::start_shutdown() {
  shutdown_started = true;
  const int status = uv_shutdown(&shutdown_request, &handle.stream, [](uv_shutdown_t* r, int) {
    static_cast<StreamCore*>(r->data)->on_shut_down();
  });
  if (status != 0) loop->post([self = shared_from_this()] { self->on_shut_down(); });
}

void StreamCore::on_shut_down() {
  if (closing) return;
  shutdown_done = true;
  finish_if_both_ended();
}

void StreamCore::update_reading() {
  const bool wanted = connected && !closing && !read_ended && !paused && handler != nullptr;
  if (wanted == reading) return;
  reading = wanted;
  if (!wanted) {
    uv_read_stop(&handle.stream);
    return;
  }
  const int status = uv_read_start(
      &handle.stream,
      [](uv_handle_t*, std::size_t, uv_buf_t* buffer) {
        *buffer = uv_buf_init(read_buffer.data(), static_cast<unsigned>(read_buffer.size()));
      },
      [](uv_stream_t* stream, ssize_t n, const uv_buf_t*) {
        static_cast<StreamCore*>(stream->data)->on_read(n);
      });
  if (status != 0) finish_later();
}

void StreamCore::on_read(ssize_t n) {
  if (n > 0) {
    handler->on_data(
        {reinterpret_cast<const std::uint8_t*>(read_buffer.data()), static_cast<std::size_t>(n)});
  } else if (n < 0) {
    on_read_end(n == UV_EOF);
  }
}

void StreamCore::on_read_end(bool orderly) {
  read_ended = true;
  update_reading();
  if (!orderly) {
    finish(true);
    return;
  }
  if (!write_failed) handler->on_end();
  if (!closing) finish_if_both_ended();
}

void StreamCore::finish_if_both_ended() {
  if (read_ended && (shutdown_done || write_failed)) finish(write_failed);
}

void StreamCore::finish(bool reset) {
  if (closing) return;
  close();
  if (handler != nullptr) std::exchange(handler, nullptr)->on_closed(reset);
}

void StreamCore::finish_later() {
  loop->post([self = shared_from_this()] { self->finish(true); });
}

void StreamCore::close() {
  if (std::exchange(closing, true)) return;
  reading = false;
  uv_close(&handle.any, [](uv_handle_t* h) {
    const auto last = std::move(static_cast<StreamCore*>(h->data)->keep_alive);
  });
}

class UvStreamSocket : public StreamSocket {
 public:
  explicit UvStreamSocket(std::shared_ptr<StreamCore> core) : core_(std::move(core)) {}
  ~UvStreamSocket() override {
    core_->handler = nullptr;
    core_->close();
  }

  void set_handler(StreamSocketHandler* handler) override {
    core_->handler = handler;
    if (!core_->closing) core_->update_reading();
  }
  void write(ByteView bytes) override { core_->write(bytes); }
  std::size_t pending_bytes() const override {
    return core_->in_flight.size() + core_->waiting.size();
  }
  void pause_reading(bool paused) override {
    core_->paused = paused;
    if (!core_->closing) core_->update_reading();
  }
  void shutdown_write() override {
    core_->shutdown_wanted = true;
    if (!core_->closing && !core_->write_failed) core_->after_write();
  }
  void reset() override {
    if (core_->closing) return;
    uv_os_fd_t fd;
    if (core_->handle.any.type == UV_TCP && uv_fileno(&core_->handle.any, &fd) == 0) {
      // uv_tcp_close_reset() refuses while a shutdown is under way.
      const linger at_once{1, 0};
      setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    core_->close();
    core_->loop->post([core = core_] {
      if (core->handler != nullptr) std::exchange(core->handler, nullptr)->on_closed(true);
    });
  }

 private:
  std::shared_ptr<StreamCore> core_;
};

struct ListenerCore : std::enable_shared_from_this<ListenerCore> {
  union {
    uv_handle_t any;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  } handle;
  UvLoop* loop = nullptr;
  StreamAddress address;
  StreamListener::AcceptHandler on_accept;
  bool closing = false;
  std::shared_ptr<ListenerCore> keep_alive;

  void accept_one();
  void close();
};

void ListenerCore::accept_one() {
  const auto core = std::make_shared<StreamCore>();
  core->open(*loop, loop->handle(), address.kind);
  if (uv_accept(&handle.stream, &core->handle.stream) != 0) {
    core->close();
    return;
  }
  core->connected = true;
  if (address.kind == StreamAddress::Kind::kTcp) uv_tcp_nodelay(&core->handle.tcp, 1);
  on_accept(std::make_unique<UvStreamSocket>(core));
}

void ListenerCore::close() {
  closing = true;
  uv_close(&handle.any, [](uv_handle_t* h) {
    const auto last = std::move(static_cast<ListenerCore*>(h->data)->keep_alive);
  });
}

class UvStreamListener : public StreamListener {
 public:
  explicit UvStreamListener(std::shared_ptr<ListenerCore> core) : core_(std::move(core)) {}
  ~UvStreamListener() override { core_->close(); }
  const StreamAddress& address() const override { return core_->address; }

 private:
  std::shared_ptr<ListenerCore> core_;
};

// True when a process answers at the path; false when nobody does any more.
bool is_served(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return true;  // in doubt it stays
  const int status = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const bool refused = status < 0 && errno == ECONNREFUSED;
  ::close(fd);
  return !refused;
}

Result<void> make_way_for(const StreamAddress& at) {
  struct stat status;
  const std::string& path = at.host_or_path;
  if (lstat(path.c_str(), &status) != 0) return {};  // nothing there, or bind() will say why not
  if (!S_ISSOCK(status.st_mode)) {
    return fail(ErrorCode::kRefused, path + " exists and is not a socket");
  }
  if (is_served(path)) return fail(ErrorCode::kBusy, path + " is served by another process");
  if (unlink(path.c_str()) != 0) {
    return fail(ErrorCode::kIo, "cannot remove the stale " + path + ": " + std::strerror(errno));
  }
  return {};
}

int bind_unix(ListenerCore& core) {
  const char* const path = core.address.host_or_path.c_str();
  const int status = uv_pipe_bind(&core.handle.pipe, path);
  if (status != 0) return status;
  // Before listen() nobody can connect, so there is no moment with wider rights.
  return chmod(path, S_IRUSR | S_IWUSR) == 0 ? 0 : uv_translate_sys_error(errno);
}

int bind_tcp(ListenerCore& core, const SocketAddress& address) {
  const int status = uv_tcp_bind(&core.handle.tcp, address.get(), 0);
  if (status != 0) return status;
  SocketAddress bound;
  int size = sizeof bound.storage;
  if (uv_tcp_getsockname(&core.handle.tcp, bound.get(), &size) == 0) {
    if (const auto endpoint = to_endpoint(bound)) core.address.port = endpoint->port;
  }
  return 0;
}

}  // namespace

std::unique_ptr<StreamSocket> UvStreamNetwork::connect(const StreamAddress& to,
                                                       StreamSocketHandler* handler) {
  const auto core = std::make_shared<StreamCore>();
  core->open(loop_, loop_.handle(), to.kind);
  core->handler = handler;
  core->connect(to);
  return std::make_unique<UvStreamSocket>(core);
}

Result<std::unique_ptr<StreamListener>> UvStreamNetwork::listen(
    const StreamAddress& at, StreamListener::AcceptHandler on_accept) {
  const bool tcp = at.kind == StreamAddress::Kind::kTcp;
  Result<SocketAddress> address;
  if (tcp) {
    address = resolve(at);
    if (!address) return tl::unexpected(address.error());
  } else if (const Result<void> way = make_way_for(at); !way) {
    return tl::unexpected(way.error());
  }
  const auto core = std::make_shared<ListenerCore>();
  core->loop = &loop_;
  core->address = at;
  core->on_accept = std::move(on_accept);
  MIGD_CHECK((tcp ? uv_tcp_init(loop_.handle(), &core->handle.tcp)
                  : uv_pipe_init(loop_.handle(), &core->handle.pipe, 0)) == 0);
  core->handle.any.data = core.get();
  core->keep_alive = core;
  auto listener = std::make_unique<UvStreamListener>(core);

  int status = tcp ? bind_tcp(*core, *address) : bind_unix(*core);
  if (status == 0) {
    status = uv_listen(&core->handle.stream, kBacklog, [](uv_stream_t* stream, int error) {
      auto* self = static_cast<ListenerCore*>(stream->data);
      if (error == 0 && !self->closing) self->accept_one();
    });
  }
  if (status != 0) {
    return fail(status == UV_EADDRINUSE                     ? ErrorCode::kBusy
                : status == UV_EACCES || status == UV_EPERM ? ErrorCode::kPermission
                                                            : ErrorCode::kIo,
                "cannot listen at " + at.to_string() + ": " + uv_strerror(status));
  }
  return listener;
}

}  // namespace migd
