#include "tests/cli/admin_fixture.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "base/check.h"

namespace migd {
namespace {

constexpr int kPatienceMs = 20'000;  // far beyond what a loaded machine needs

}  // namespace

AdminFixture::AdminFixture() {
  wake_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  MIGD_CHECK(wake_fd_ >= 0);
  std::promise<void> ready;
  thread_ = std::thread([this, &ready] { serve(ready); });
  ready.get_future().wait();
}

AdminFixture::~AdminFixture() {
  end_daemon();
  close(wake_fd_);
}

void AdminFixture::serve(std::promise<void>& ready) {
  UvLoop loop;
  UvStreamNetwork streams(loop);
  server_ = std::make_unique<AdminServer>(
      AdminServerOptions{"a", {{NodeId{1}, "a"}, {NodeId{2}, "b"}}, 5s}, loop, service_);
  auto listener =
      streams.listen({StreamAddress::Kind::kUnix, socket_path_, 0},
                     [this](std::unique_ptr<StreamSocket> s) { server_->accept(std::move(s)); });
  MIGD_CHECK(listener.has_value());
  auto wake = loop.watch(wake_fd_, {.readable = true}, [&](FdEvents) {
    std::uint64_t count = 0;
    MIGD_CHECK(read(wake_fd_, &count, sizeof count) == sizeof count);
    std::vector<std::function<void()>> tasks;
    {
      const std::lock_guard lock(mutex_);
      tasks.swap(tasks_);
    }
    for (const auto& task : tasks)
      task();
    if (!running_) loop.stop();
  });
  ready.set_value();
  loop.run();
  wake.reset();
  listener->reset();
  server_.reset();
}

void AdminFixture::on_loop(const std::function<void()>& task) {
  std::promise<void> done;
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back([&] {
      task();
      done.set_value();
    });
  }
  const std::uint64_t one = 1;
  MIGD_CHECK(write(wake_fd_, &one, sizeof one) == sizeof one);
  done.get_future().wait();
}

bool AdminFixture::eventually(const std::function<bool()>& condition) {
  for (int waited_ms = 0; waited_ms < kPatienceMs; waited_ms += 5) {
    bool holds = false;
    on_loop([&] { holds = condition(); });
    if (holds) return true;
    std::this_thread::sleep_for(5ms);
  }
  return false;
}

void AdminFixture::stop_answering() {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back([this] { hang_.get_future().wait(); });
  }
  const std::uint64_t one = 1;
  MIGD_CHECK(write(wake_fd_, &one, sizeof one) == sizeof one);
}

void AdminFixture::go_on() {
  hang_.set_value();
}

void AdminFixture::end_daemon() {
  if (!thread_.joinable()) return;
  on_loop([this] { running_ = false; });
  thread_.join();
}

RawClient::RawClient(const std::string& socket_path)
    : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  MIGD_CHECK(socket_path.size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, socket_path.c_str(), socket_path.size() + 1);
  MIGD_CHECK(connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
}

RawClient::~RawClient() {
  close(fd_);
}

void RawClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0) return;  // the server has had enough
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

void RawClient::shutdown_write() {
  shutdown(fd_, SHUT_WR);
}

std::string RawClient::read_some() {
  pollfd waiting{fd_, POLLIN, 0};
  if (poll(&waiting, 1, kPatienceMs) != 1) return "";
  std::array<char, 65536> buffer;
  const ssize_t n = recv(fd_, buffer.data(), buffer.size(), 0);
  return n > 0 ? std::string(buffer.data(), static_cast<std::size_t>(n)) : "";
}

std::string RawClient::read_until(std::string_view end) {
  std::string all;
  while (all.find(end) == std::string::npos) {
    const std::string some = read_some();
    if (some.empty()) break;
    all += some;
  }
  return all;
}

std::string RawClient::read_all() {
  std::string all;
  for (std::string some = read_some(); !some.empty(); some = read_some())
    all += some;
  return all;
}

}  // namespace migd
