// The simulator's own parts: its TCP against itself over every kind of path, its segments, its
// links' trains. What judges the daemon must be right itself.
#include <gtest/gtest.h>

#include <utility>

#include "tests/sim/client.h"
#include "tests/sim/link.h"
#include "tests/sim/net.h"

namespace migd::sim {
namespace {

struct Case {
  const char* name;
  PathOptions path;
  bool timestamps = true, sack = true, v6 = false;
  std::uint32_t buffer = 256u << 10;
};

// A server that takes one connection and sends everything back.
class EchoServer {
 public:
  EchoServer(SimNet& net, SimLoop& world, const TcpConfig& config)
      : loop_(world, SimClock{5s, 200}), port_(net.add_port("server")) {
    tcp_ = std::make_unique<Tcp>(config, loop_,
                                 [&net, this](Bytes p) { net.send(port_, std::move(p)); });
    tcp_->listen();
    tcp_->set_on_change([this] {
      if (tcp_->received().size() > echoed_) {
        const Bytes fresh(tcp_->received().begin() + static_cast<std::ptrdiff_t>(echoed_),
                          tcp_->received().end());
        echoed_ += fresh.size();
        tcp_->write(fresh);
      }
      if (tcp_->peer_finished() && !std::exchange(closed_, true)) tcp_->shutdown_write();
    });
    net.add_route(config.local.address, port_);
    net.set_deliver(port_, [this](Bytes packet) {
      if (const auto segment = decode(packet)) tcp_->on_segment(*segment);
    });
  }
  Tcp& tcp() { return *tcp_; }

 private:
  SimNodeLoop loop_;
  PortId port_;
  std::unique_ptr<Tcp> tcp_;
  std::size_t echoed_ = 0;
  bool closed_ = false;
};

class SimTcp : public ::testing::TestWithParam<Case> {};

TEST_P(SimTcp, EchoesARampAndCloses) {
  const Case& c = GetParam();
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    SimLoop world;
    SimNet net(world, seed);
    net.set_defaults(c.path);
    TcpConfig config;
    config.local = *Endpoint::parse(c.v6 ? "[fd77::c1]:40000" : "10.77.9.1:40000");
    config.remote = *Endpoint::parse(c.v6 ? "[fd77::80]:80" : "10.77.0.80:80");
    config.timestamps = c.timestamps;
    config.sack = c.sack;
    config.receive_buffer = c.buffer;
    config.initial_sequence = 0xffffff00u;
    TcpConfig other = config;
    std::swap(other.local, other.remote);
    EchoServer server(net, world, other);
    SimClient client(net, world, "client", config);
    client.send_ramp(100'000).await_bytes(100'000).ping_pong(20, 300).shutdown_write().await_end();
    client.start();
    ASSERT_TRUE(world.run_until([&] { return client.finished(); }, Instant(600s)))
        << client.progress() << " seed " << seed;
    EXPECT_FALSE(client.failed());
    EXPECT_EQ(client.tcp().received(), ramp(0, 106'000));
    EXPECT_EQ(server.tcp().received(), ramp(0, 106'000));
    for (const Tcp* tcp : {&client.tcp(), &server.tcp()}) {
      const TcpCounters& n = tcp->counters();
      EXPECT_EQ(n.resets + n.contradicting_data + n.missing_timestamps + n.oversized, 0u);
      EXPECT_EQ(n.outside_window + n.unacceptable_acks, 0u) << c.name << " seed " << seed;
      if (c.path.loss > 0) {
        EXPECT_GT(n.retransmissions, 0u);
      }
      if (c.path.reorder > 0) {
        EXPECT_GT(n.out_of_order, 0u);
      }
      if (c.path.loss + c.path.reorder + c.path.duplicate + c.path.corrupt > 0) continue;
      EXPECT_EQ(n.retransmissions + n.out_of_order + n.duplicate_data, 0u);
      EXPECT_EQ(n.duplicate_acks_received, 0u);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Paths, SimTcp,
    ::testing::Values(
        Case{"clean", {}}, Case{.name = "clean6", .path = {}, .v6 = true},
        Case{"lossy", {.delay = 5ms, .loss = 0.05}},
        Case{.name = "lossy_bare",
             .path = {.delay = 5ms, .loss = 0.05},
             .timestamps = false,
             .sack = false},
        Case{"reordering", {.delay = 1ms, .jitter = 500us, .reorder = 0.2, .reorder_delay = 3ms}},
        Case{"repeating", {.delay = 1ms, .duplicate = 0.2}},
        Case{"damaging", {.delay = 1ms, .corrupt = 0.05}},
        Case{"slow", {.delay = 10ms, .bytes_per_second = 1'000'000, .queue_max = 400ms}},
        Case{.name = "tiny_window", .path = {.delay = 1ms}, .buffer = 3000},
        Case{.name = "tiny_window_lossy",
             .path = {.delay = 1ms, .loss = 0.1, .reorder = 0.1},
             .sack = false,
             .buffer = 3000}),
    [](const auto& param_info) { return std::string(param_info.param.name); });

TEST(SimSegment, RoundTripsAndRefusesDamage) {
  Segment segment;
  segment.src = *Endpoint::parse("[fd77::1]:80");
  segment.dst = *Endpoint::parse("[fd77::2]:4711");
  segment.seq = 0xfffffff0u;
  segment.ack = 77;
  segment.flags = Segment::kAck;
  segment.timestamps = Segment::Timestamps{3, 4};
  segment.blocks[0] = {100, 200};
  segment.block_count = 1;
  const Bytes payload = ramp(0, 333);
  segment.payload = payload;
  Bytes packet = encode(segment);
  const auto back = decode(packet);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->to_string(), segment.to_string());
  EXPECT_EQ(to_bytes(back->payload), payload);
  for (std::size_t bit = 40 * 8; bit < packet.size() * 8; ++bit) {
    packet[bit / 8] = static_cast<std::uint8_t>(packet[bit / 8] ^ 1u << bit % 8);
    EXPECT_FALSE(decode(packet)) << bit;
    packet[bit / 8] = static_cast<std::uint8_t>(packet[bit / 8] ^ 1u << bit % 8);
  }
}

class Collector : public FrameSink {
 public:
  void on_frame(Frame frame, Instant) override { frames.push_back(std::move(frame)); }
  void on_batch_end(Instant) override { ++batches; }
  std::vector<Frame> frames;
  int batches = 0;
};

TEST(SimLinkTest, CutsTrainsOnSendingAndGathersThemOnReceiving) {
  SimLoop world;
  SimNet net(world, 1);
  const auto pool = FramePool::create();
  SimNodeLoop loop_a(world, {}), loop_b(world, SimClock{1h, 0});
  const PortId a = net.add_port("a"), b = net.add_port("b");
  SimLinkOptions options;
  options.capabilities = {.mtu = 1500, .checksum_offload = true, .tcp_gso = true};
  options.coalesce = true;
  options.batch_window = 50us;
  SimLink link_a(net, a, loop_a, pool, options), link_b(net, b, loop_b, pool, options);
  Collector collector;
  link_b.set_receiver(&collector);
  Segment segment;
  segment.src = *Endpoint::parse("10.77.0.1:1");
  segment.dst = *Endpoint::parse("10.77.0.2:2");
  net.add_route(segment.dst.address, b);
  segment.flags = Segment::kAck | Segment::kPsh;
  const Bytes payload = ramp(0, 5000);
  segment.payload = payload;
  Frame train = pool->copy_of(encode(segment));
  train.offload = {
      .gso = Offload::Gso::kTcp, .gso_size = 1400, .checksum = Offload::Checksum::kPartial};
  link_a.send(std::move(train));
  world.run_for(1ms);
  EXPECT_EQ(net.sent(), 4u);
  ASSERT_EQ(collector.frames.size(), 1u);
  EXPECT_EQ(collector.batches, 1);
  EXPECT_EQ(collector.frames[0].offload.gso_size, 1400);
  const auto back = decode(collector.frames[0].bytes());
  ASSERT_TRUE(back);
  EXPECT_EQ(to_bytes(back->payload), payload);
  EXPECT_EQ(back->flags, segment.flags);
}

}  // namespace
}  // namespace migd::sim
