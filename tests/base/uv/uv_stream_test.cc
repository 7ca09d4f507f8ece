#include "base/uv/uv_stream.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

namespace migd {
namespace {

using Strings = std::vector<std::string>;

Bytes ramp(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<std::uint8_t>(i % 251);
  return bytes;
}

// One end of a connection: writes down what it is told, and may react.
struct End : StreamSocketHandler {
  void on_connected() override { note("connected"); }
  void on_data(ByteView bytes) override {
    append(received, bytes);
    if (react) react();
  }
  void on_end() override {
    note("end");
    if (answer_end && socket) socket->shutdown_write();
  }
  void on_drained() override { note("drained"); }
  void on_closed(bool reset) override { note(reset ? "reset" : "closed"); }
  void note(const std::string& what) {
    events.push_back(what);
    if (react) react();
  }
  bool saw(const std::string& what) const {
    return std::find(events.begin(), events.end(), what) != events.end();
  }

  std::unique_ptr<StreamSocket> socket;
  Bytes received;
  Strings events;
  bool answer_end = false;
  std::function<void()> react;
};

// The contract of StreamSocket holds for TCP and UNIX sockets alike.
class UvStream : public ::testing::TestWithParam<StreamAddress::Kind> {
 protected:
  UvStream() {
    char name[] = "/tmp/migd_stream_test.XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~UvStream() override { std::filesystem::remove_all(folder_); }

  bool tcp() const { return GetParam() == StreamAddress::Kind::kTcp; }
  StreamAddress where() const {
    if (tcp()) return {StreamAddress::Kind::kTcp, "127.0.0.1", 0};
    return {StreamAddress::Kind::kUnix, folder_ + "/socket", 0};
  }

  void listen() {
    auto made = network_.listen(where(), [this](std::unique_ptr<StreamSocket> socket) {
      server_.socket = std::move(socket);
      server_.socket->set_handler(&server_);
      check();
    });
    ASSERT_TRUE(made) << made.error().text;
    listener_ = std::move(*made);
  }
  void connect() { client_.socket = network_.connect(listener_->address(), &client_); }

  // Runs until the condition holds, or fails.
  void run_until(std::function<bool()> condition) {
    condition_ = std::move(condition);
    client_.react = server_.react = [this] { check(); };
    const auto limit = loop_.make_timer([this] {
      ADD_FAILURE() << "timed out";
      loop_.stop();
    });
    limit->start(loop_.now() + 20s);
    if (!condition_()) loop_.run();
  }
  void check() {
    if (condition_ && condition_()) loop_.stop();
  }
  void run_for(Duration d) {
    const auto end = loop_.make_timer([this] { loop_.stop(); });
    end->start(loop_.now() + d);
    loop_.run();
  }
  void open_connection() {
    listen();
    connect();
    run_until([this] { return server_.socket != nullptr && client_.saw("connected"); });
  }

  UvLoop loop_;
  UvStreamNetwork network_{loop_};
  std::string folder_;
  std::unique_ptr<StreamListener> listener_;
  End client_, server_;
  std::function<bool()> condition_;
};

INSTANTIATE_TEST_SUITE_P(Kinds, UvStream,
                         ::testing::Values(StreamAddress::Kind::kTcp, StreamAddress::Kind::kUnix),
                         [](const auto& kind) {
                           return kind.param == StreamAddress::Kind::kTcp ? "Tcp" : "Unix";
                         });

TEST_P(UvStream, BytesArriveInOrderAndBothHalvesCloseInOrder) {
  open_connection();
  const Bytes request = ramp(3'000'000), response = ramp(5'000'000);
  client_.socket->write(request);
  client_.socket->shutdown_write();
  run_until([this] { return server_.saw("end"); });
  EXPECT_EQ(server_.received, request);
  EXPECT_FALSE(server_.saw("closed")) << "its own half is still open";
  server_.socket->write(response);
  server_.socket->shutdown_write();
  run_until([this] { return client_.saw("closed") && server_.saw("closed"); });
  EXPECT_EQ(client_.received, response);
  EXPECT_TRUE(client_.saw("end"));
  EXPECT_EQ(client_.events.back(), "closed");
  EXPECT_EQ(server_.events.back(), "closed");
}

TEST_P(UvStream, WhatIsWrittenBeforeTheConnectionIsThereFollowsIt) {
  listen();
  connect();
  const Bytes early = ramp(100'000);
  client_.socket->write(early);
  client_.socket->shutdown_write();
  EXPECT_EQ(client_.socket->pending_bytes(), early.size());
  EXPECT_TRUE(client_.events.empty());
  run_until([this] { return server_.saw("end"); });
  EXPECT_EQ(server_.received, early);
  EXPECT_EQ(client_.events.front(), "connected");
}

TEST_P(UvStream, DrainedIsSaidOnceForASynchronousWriteToo) {
  open_connection();
  client_.socket->write(as_bytes("x"));
  client_.socket->write(as_bytes("y"));
  EXPECT_FALSE(client_.saw("drained")) << "not from inside of write()";
  run_until([this] { return client_.saw("drained") && server_.received.size() == 2; });
  run_for(1ms);
  EXPECT_EQ(client_.events, (Strings{"connected", "drained"}));
}

TEST_P(UvStream, PausedReaderHoldsTheWriterBack) {
  open_connection();
  server_.socket->pause_reading(true);
  const Bytes much = ramp(32'000'000);
  client_.socket->write(much);
  run_for(20ms);
  EXPECT_TRUE(server_.received.empty());
  EXPECT_GT(client_.socket->pending_bytes(), 1'000'000u);
  EXPECT_FALSE(client_.saw("drained"));
  server_.socket->pause_reading(false);
  run_until([&] { return server_.received.size() == much.size() && client_.saw("drained"); });
  EXPECT_EQ(server_.received, much);
  EXPECT_EQ(client_.socket->pending_bytes(), 0u);
}

TEST_P(UvStream, NothingIsReadBeforeThereIsAHandler) {
  std::unique_ptr<StreamSocket> accepted;
  const auto made = network_.listen(where(), [&](std::unique_ptr<StreamSocket> socket) {
    accepted = std::move(socket);
    check();
  });
  ASSERT_TRUE(made);
  client_.socket = network_.connect((*made)->address(), &client_);
  client_.socket->write(as_bytes("hello"));
  run_until([&] { return accepted != nullptr; });
  run_for(2ms);
  server_.socket = std::move(accepted);
  server_.socket->set_handler(&server_);
  run_until([&] { return server_.received.size() == 5; });
}

TEST_P(UvStream, ResetReachesBothEnds) {
  open_connection();
  client_.socket->write(as_bytes("x"));
  run_until([this] { return server_.received.size() == 1; });
  client_.socket->reset();
  EXPECT_FALSE(client_.saw("reset")) << "not from inside of reset()";
  run_until(
      [this] { return client_.saw("reset") && (server_.saw("reset") || server_.saw("end")); });
  EXPECT_EQ(server_.saw("reset"), tcp()) << "a UNIX socket can only end";
}

TEST_P(UvStream, ResetWorksWhileAShutdownIsUnderWay) {
  open_connection();
  server_.socket->pause_reading(true);
  client_.socket->write(ramp(32'000'000));
  client_.socket->shutdown_write();
  run_for(2ms);
  client_.socket->reset();
  run_until([this] { return client_.saw("reset"); });
  server_.socket->pause_reading(false);
  run_until([this] { return server_.saw("reset") || server_.saw("end"); });
}

TEST_P(UvStream, DestructionInsideEachCallback) {
  for (const char* const when : {"connected", "data", "end", "drained"}) {
    server_ = End();
    client_ = End();
    listener_.reset();
    run_for(0ms);
    listen();
    client_.socket = network_.connect(listener_->address(), &client_);
    client_.socket->write(as_bytes("request"));
    bool done = false;
    condition_ = [&] {
      if (server_.socket && server_.events.empty() && !server_.received.empty()) {
        server_.socket->write(as_bytes("response"));
        server_.socket->shutdown_write();
        server_.events.push_back("answered");
      }
      const bool now =
          client_.saw(when) || (when == std::string("data") && !client_.received.empty());
      if (now) client_.socket.reset();
      done = done || now;
      return done;
    };
    run_until(condition_);
    EXPECT_TRUE(done) << when;
    const std::size_t events = client_.events.size();
    run_for(2ms);
    EXPECT_EQ(client_.events.size(), events) << "called after its socket was destroyed: " << when;
  }
}

TEST_P(UvStream, ConnectionThatNobodyTakesIsClosed) {
  listen();
  const StreamAddress gone = listener_->address();
  listener_.reset();
  run_for(0ms);
  client_.socket = network_.connect(gone, &client_);
  EXPECT_TRUE(client_.events.empty()) << "not from inside of connect()";
  run_until([this] { return client_.saw("reset"); });
  client_.socket->write(as_bytes("x"));  // goes nowhere
  EXPECT_EQ(client_.socket->pending_bytes(), 0u);
}

// Of UNIX sockets only: in TCP an RST discards what was not read.
class UvUnixStream : public UvStream {};
INSTANTIATE_TEST_SUITE_P(Kinds, UvUnixStream, ::testing::Values(StreamAddress::Kind::kUnix));

TEST_P(UvUnixStream, DataThatCameBeforeAFailedWriteIsStillRead) {
  open_connection();
  client_.socket->pause_reading(true);
  const Bytes answer = ramp(100'000);
  server_.socket->write(answer);
  run_until([this] { return server_.saw("drained"); });
  server_.socket.reset();
  run_for(0ms);
  client_.socket->write(as_bytes("too late"));
  run_for(2ms);
  EXPECT_FALSE(client_.saw("reset"));
  client_.socket->pause_reading(false);
  run_until([this] { return client_.saw("reset"); });
  EXPECT_EQ(client_.received, answer);
}

TEST_P(UvStream, ListenerMayBeDestroyedInsideItsCallback) {
  std::unique_ptr<StreamListener> listener;
  std::unique_ptr<StreamSocket> accepted;
  auto made = network_.listen(where(), [&](std::unique_ptr<StreamSocket> socket) {
    listener.reset();
    accepted = std::move(socket);
    loop_.stop();
  });
  ASSERT_TRUE(made);
  listener = std::move(*made);
  client_.socket = network_.connect(listener->address(), &client_);
  loop_.run();
  EXPECT_NE(accepted, nullptr);
}

TEST(UvStreamListener, UnixPathIsForItsOwnerOnlyAndGoesWithTheListener) {
  char name[] = "/tmp/migd_stream_test.XXXXXX";
  const std::string folder = mkdtemp(name), path = folder + "/admin";
  const StreamAddress at{StreamAddress::Kind::kUnix, path, 0};
  UvLoop loop;
  UvStreamNetwork network(loop);
  {
    const auto first = network.listen(at, [](std::unique_ptr<StreamSocket>) {});
    ASSERT_TRUE(first) << first.error().text;
    struct stat status;
    ASSERT_EQ(stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);

    const auto second = network.listen(at, [](std::unique_ptr<StreamSocket>) {});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::kBusy);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  std::filesystem::remove_all(folder);
}

TEST(UvStreamListener, StaleSocketIsReplacedButNoOtherFile) {
  char name[] = "/tmp/migd_stream_test.XXXXXX";
  const std::string folder = mkdtemp(name), path = folder + "/admin";
  const StreamAddress at{StreamAddress::Kind::kUnix, path, 0};
  // As a killed daemon leaves it.
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, path.c_str());
  const int stale = socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(bind(stale, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  close(stale);

  UvLoop loop;
  UvStreamNetwork network(loop);
  EXPECT_TRUE(network.listen(at, [](std::unique_ptr<StreamSocket>) {}));

  const StreamAddress file{StreamAddress::Kind::kUnix, folder + "/file", 0};
  close(open(file.host_or_path.c_str(), O_CREAT | O_WRONLY, 0600));
  const auto refused = network.listen(file, [](std::unique_ptr<StreamSocket>) {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kRefused);
  EXPECT_TRUE(std::filesystem::exists(file.host_or_path));
  std::filesystem::remove_all(folder);
}

TEST(UvStreamListener, ErrorsAreValues) {
  UvLoop loop;
  UvStreamNetwork network(loop);
  const auto listen = [&](const StreamAddress& at) {
    return network.listen(at, [](std::unique_ptr<StreamSocket>) {});
  };
  EXPECT_EQ(listen({StreamAddress::Kind::kTcp, "not an address", 1}).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_FALSE(listen({StreamAddress::Kind::kUnix, "/no/such/folder/socket", 0}));
  const auto first = listen({StreamAddress::Kind::kTcp, "localhost", 0});
  ASSERT_TRUE(first);
  EXPECT_NE((*first)->address().port, 0);
  EXPECT_EQ(listen((*first)->address()).error().code, ErrorCode::kBusy);
}

}  // namespace
}  // namespace migd
