#include "cli/node_streams.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace migd {
namespace {

// Says what it is told to say, when it is told to.
struct FakeNetwork : StreamNetwork {
  struct Socket : StreamSocket {
    explicit Socket(FakeNetwork& of) : network(of) {}
    ~Socket() override { network.log.push_back("destroyed"); }
    void set_handler(StreamSocketHandler*) override {}
    void write(ByteView bytes) override {
      network.log.push_back("write " + std::string(as_text(bytes)));
    }
    std::size_t pending_bytes() const override { return 7; }
    void pause_reading(bool paused) override {
      network.log.push_back(paused ? "paused" : "reading");
    }
    void shutdown_write() override { network.log.push_back("shutdown"); }
    void reset() override { network.log.push_back("reset"); }
    FakeNetwork& network;
  };
  std::unique_ptr<StreamSocket> connect(const StreamAddress&, StreamSocketHandler* to) override {
    handler = to;
    return std::make_unique<Socket>(*this);
  }
  StreamSocketHandler* handler = nullptr;
  std::vector<std::string> log;
};

struct Application : StreamSocketHandler {
  explicit Application(std::vector<std::string>& to) : log(to) {}
  void on_connected() override { log.push_back("connected"); }
  void on_data(ByteView bytes) override { log.push_back("data " + std::string(as_text(bytes))); }
  void on_end() override { log.push_back("end"); }
  void on_drained() override { log.push_back("drained"); }
  void on_closed(bool reset) override {
    log.push_back(reset ? "closed, reset" : "closed");
    socket.reset();
  }
  std::vector<std::string>& log;
  std::unique_ptr<StreamSocket> socket;
};

class NodeStreamsTest : public ::testing::Test {
 protected:
  FakeNetwork system;
  NodeStreams streams{
      system, {[this] { system.log.push_back("["); }, [this] { system.log.push_back("]"); }}};
  Application application{system.log};
  using Log = std::vector<std::string>;
};

TEST_F(NodeStreamsTest, EverythingASocketSaysIsATurnOfTheNode) {
  application.socket = streams.connect({}, &application);
  system.handler->on_connected();
  system.handler->on_data(as_bytes("abc"));
  system.handler->on_drained();
  system.handler->on_end();
  EXPECT_EQ(system.log, (Log{"[", "connected", "]", "[", "data abc", "]", "[", "drained", "]", "[",
                             "end", "]"}));
}

TEST_F(NodeStreamsTest, TheTurnEndsThoughTheHandlerDestroysItsSocket) {
  application.socket = streams.connect({}, &application);
  system.handler->on_closed(true);
  EXPECT_EQ(system.log, (Log{"[", "closed, reset", "destroyed", "]"}));
}

TEST_F(NodeStreamsTest, WhatTheApplicationDoesGoesStraightToTheSystem) {
  application.socket = streams.connect({}, &application);
  application.socket->write(as_bytes("xyz"));
  application.socket->pause_reading(true);
  application.socket->shutdown_write();
  application.socket->reset();
  EXPECT_EQ(application.socket->pending_bytes(), 7u);
  EXPECT_EQ(system.log, (Log{"write xyz", "paused", "shutdown", "reset"}));
}

}  // namespace
}  // namespace migd
