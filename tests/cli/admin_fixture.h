// An admin server with a fake node behind it, on a real UNIX socket and the daemon's event loop,
// which runs in a thread of its own; whoever touches the service does it there, through on_loop().
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "base/uv/uv_loop.h"
#include "base/uv/uv_stream.h"
#include "cli/admin/admin_server.h"
#include "tests/cli/fake_admin_service.h"
#include "tests/support/temp_dir.h"

namespace migd {

class AdminFixture : public testing::Test {
 protected:
  AdminFixture();
  ~AdminFixture() override;

  // Runs `task` in the loop's thread and waits for it.
  void on_loop(const std::function<void()>& task);
  // Waits (bounded) until `condition` holds, asked in the loop's thread.
  [[nodiscard]] bool eventually(const std::function<bool()>& condition);

  const std::string& socket_path() const { return socket_path_; }
  // While false, the loop's thread sleeps: a daemon that hangs.
  void stop_answering();
  void go_on();

  TempDir dir_;
  FakeAdminService service_;
  std::unique_ptr<AdminServer> server_;  // null once the daemon has ended
  void end_daemon();

 private:
  void serve(std::promise<void>& ready);

  std::string socket_path_ = dir_.file("admin.sock");
  int wake_fd_ = -1;
  std::mutex mutex_;
  std::vector<std::function<void()>> tasks_;
  std::promise<void> hang_;
  std::thread thread_;
  bool running_ = true;
};

// A client that writes and reads raw bytes.
class RawClient {
 public:
  explicit RawClient(const std::string& socket_path);
  ~RawClient();
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  void send(std::string_view bytes);
  void shutdown_write();
  std::string read_some();                       // "" at the end or after a bounded wait
  std::string read_until(std::string_view end);  // what came until then
  std::string read_all();                        // until the server closes

 private:
  int fd_;
};

}  // namespace migd
