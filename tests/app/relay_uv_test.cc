// The relay on real sockets: an echo server behind a UNIX socket, a client in memory.
#include <gtest/gtest.h>

#include "app/files/memory_file_store.h"
#include "app/registry.h"
#include "base/uv/uv_stream.h"
#include "tests/app/fake_connection.h"
#include "tests/support/temp_dir.h"

namespace migd {
namespace {

// The server's end; echoes, and ends when its peer does.
struct EchoEnd : StreamSocketHandler {
  void on_data(ByteView bytes) override { socket->write(bytes); }
  void on_end() override { socket->shutdown_write(); }
  void on_drained() override {}
  void on_closed(bool was_reset) override { reset = was_reset; }
  std::unique_ptr<StreamSocket> socket;
  std::optional<bool> reset;
};

class RelayUvTest : public testing::Test {
 protected:
  RelayUvTest() {
    address_ = *StreamAddress::parse("unix:" + dir_.file("server.sock"));
    ApplicationOptions relay;
    relay.name = "relay";
    relay.kind = ApplicationKind::kRelay;
    relay.address = address_;
    registry_ =
        std::move(*ApplicationRegistry::create({relay}, {files_, network_, log_, metrics_, {}}));
  }

  void listen() {
    listener_ = std::move(*network_.listen(address_, [this](std::unique_ptr<StreamSocket> socket) {
      server_.socket = std::move(socket);
      server_.socket->set_handler(&server_);
    }));
  }
  void attach() { ASSERT_TRUE(registry_->attach(connection_, "relay", {}, false)); }

  // Lets the client act every millisecond, until it returns false.
  void run(const std::function<bool()>& client_acts) {
    int steps = 0;
    std::unique_ptr<Timer> timer;
    timer = loop_.make_timer([&] {
      const bool more = client_acts();
      if (!connection_.gone()) connection_.deliver_events();
      if (!more || ++steps == 20'000) return loop_.stop();
      timer->start(loop_.now() + 1ms);
    });
    timer->start(loop_.now());
    loop_.run();
    EXPECT_LT(steps, 20'000);
  }

  TempDir dir_;
  StreamAddress address_;
  UvLoop loop_;
  UvStreamNetwork network_{loop_};
  MemoryFileStore files_;
  NullLog log_;
  Metrics metrics_;
  std::unique_ptr<ApplicationRegistry> registry_;
  std::unique_ptr<StreamListener> listener_;
  EchoEnd server_;
  FakeConnection connection_{{.send_buffer = 50'000}};
};

TEST_F(RelayUvTest, EveryByteComesBackThroughARealSocket) {
  listen();
  attach();
  Bytes sent(2'000'000), received;
  for (std::size_t i = 0; i < sent.size(); ++i)
    sent[i] = static_cast<std::uint8_t>(i % 251);
  std::size_t at = 0;
  run([&] {
    const std::size_t size = std::min<std::size_t>(200'000, sent.size() - at);
    connection_.client_sends(ByteView(sent).subspan(at, size));
    at += size;
    if (size == 0 && !connection_.gone() && !connection_.peer_closed()) connection_.client_closes();
    append(received, connection_.client_takes(40'000));
    return !connection_.gone();
  });
  EXPECT_EQ(received, sent);
  EXPECT_TRUE(connection_.client_sees_fin());
  EXPECT_EQ(registry_->session_count(), 0u);
  run([&] { return !server_.reset.has_value(); });
  EXPECT_EQ(server_.reset, false);
}

TEST_F(RelayUvTest, NoServerIsAReset) {
  attach();
  run([&] { return !connection_.gone(); });
  EXPECT_TRUE(connection_.aborted());
  EXPECT_EQ(registry_->session_count(), 0u);
}

// A UNIX socket has no RST: the client sees the server's end, or a reset, and never waits.
TEST_F(RelayUvTest, AServerThatDisappearsEndsTheConnection) {
  listen();
  attach();
  int steps = 0;
  run([&] {
    ++steps;
    if (steps < 5) connection_.client_sends(as_bytes("hello"));
    if (steps == 5) server_.socket->reset();
    connection_.client_takes(1000);
    if (!connection_.gone() && connection_.client_sees_fin()) connection_.client_closes();
    return !connection_.gone();
  });
  EXPECT_TRUE(connection_.aborted() || connection_.client_sees_fin());
  EXPECT_EQ(registry_->session_count(), 0u);
}

}  // namespace
}  // namespace migd
