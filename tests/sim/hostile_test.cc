// Invariants 6 and 7: what strangers send to nodes and VIPs, and what a client sends that keeps no
// rule, is dropped, counted and never answered with RST; it makes no node hold more than a window
// for a flow; and nobody else notices.
#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

#include "tests/sim/check/memory.h"
#include "tests/sim/scenario.h"
#include "tests/sim/seeds.h"

namespace migd::sim {
namespace {

void expect_sound(SimCluster& cluster, const std::vector<const SimClient*>& clients) {
  cluster.judge().at_end(cluster.world().now());
  for (const SimClient* client : clients)
    EXPECT_TRUE(client->finished() && !client->failed()) << client->progress();
  cluster.judge().get<Memory>().expect_nothing_held(cluster.world().now());
  for (const Violation& violation : cluster.judge().violations())
    ADD_FAILURE() << violation.to_string();
}

// ---- a client that sends beyond the window while its flow is frozen ----

TEST(Hostile, WhatExceedsTheWindowIsNotHeld) {
  for_each_seed(2, [](std::uint64_t seed) {
    ClusterOptions options;
    options.seed = seed;
    options.migration_prepare = false;
    SimCluster cluster(options);
    cluster.start();
    SimLoop& world = cluster.world();
    SimClient& client = cluster.add_client(kEchoPort);
    client.ping_pong(100, 900).shutdown_write().await_end();
    client.start();
    SimMachine* target = nullptr;
    cluster.on_message([&](SimMachine& source, const Message& message) {
      const auto* reached = std::get_if<MigrationStageReached>(&message);
      if (reached == nullptr || reached->stage != Stage::kSent || target != nullptr) return;
      if (!source.options().self.roles.host) return;
      target = &cluster.machine(source.name() == "h1" ? "h2" : "h1");
      cluster.partition(source, *target, true);
      cluster.partition(cluster.machine("f1"), *target, true);
    });
    const auto flood = [&] {
      Segment segment;
      segment.src = client.tcp().config().local;
      segment.dst = client.tcp().config().remote;
      segment.flags = Segment::kAck;
      const Bytes payload(1400);
      segment.payload = payload;
      for (std::uint32_t i = 0; i < 4000; ++i) {
        segment.seq = client.tcp().config().initial_sequence + 400'000 + i * 1400;
        cluster.net().send(client.port(), encode(segment));
      }
    };
    // What the window lets a client have on its way, in buffers of 2 KiB, and half as much again.
    cluster.judge().get<Memory>().bound(2 * std::size_t{options.window_bytes} + (128u << 10));
    world.schedule(world.now() + 50ms, [&] { cluster.migrate_to_next(client); });
    world.schedule(world.now() + 300ms, flood);
    world.run_until([&] { return client.finished(); }, world.now() + 60s);
    EXPECT_NE(target, nullptr);
    EXPECT_GE(cluster.migrations().aborted, 1);
    world.run_for(3s);
    expect_sound(cluster, {&client});
  });
}

// ---- strangers ----

// Repeats, cuts and damages what it overhears of the channel, and makes up the rest.
class Intruder : public NetObserver {
 public:
  Intruder(SimCluster& cluster, const SimClient& victim, std::uint64_t seed)
      : cluster_(cluster), victim_(victim), rng_(SimRng::split(seed, 66)) {
    port_ = cluster.net().add_port("intruder");
    cluster.net().observe(this);
    again();
  }

  void on_crossing(const Crossing& crossing) override {
    const auto ip = addresses_of(crossing.packet);
    if (crossing.from == port_ || crossing.point != Crossing::Point::kDelivered) return;
    if (!ip || ip->protocol != 17 || !rng_.chance(0.05)) return;
    const ByteView udp = crossing.packet.subspan(ip->header_size);
    if ((udp[2] << 8 | udp[3]) != NodeOptions{}.channel_port) return;  // the rest is trusted
    overheard_.push_back(to_bytes(crossing.packet));
    if (overheard_.size() > 200) overheard_.pop_front();
  }
  std::uint64_t sent() const { return sent_; }

 private:
  void again() {
    cluster_.world().schedule(
        cluster_.world().now() + Duration(static_cast<std::int64_t>(rng_.below(2'000'000))),
        [this] {
          if (victim_.finished()) return;
          ++sent_;
          cluster_.net().send(port_, made_up());
          again();
        });
  }

  Bytes made_up() {
    if (overheard_.empty() || rng_.chance(0.4)) return segment();
    Bytes packet = overheard_[rng_.below(overheard_.size())];
    const std::size_t headers = addresses_of(packet)->header_size + 8;
    switch (rng_.below(4)) {
      case 0:  // as it was
        return packet;
      case 1:  // with other bytes
        for (int i = 0; i < 4; ++i)
          packet[rng_.between(headers, packet.size() - 1)] = static_cast<std::uint8_t>(rng_.next());
        break;
      case 2:  // with bytes that mean nothing
        for (std::size_t i = headers + 1; i < packet.size(); ++i)
          packet[i] = static_cast<std::uint8_t>(rng_.next());
        break;
      default:  // with another type, another sender
        packet[headers + rng_.below(4)] = static_cast<std::uint8_t>(rng_.next());
        break;
    }
    fill_checksums(packet);
    return packet;
  }

  // Of a stranger, or of the victim's flow, out of its window.
  Bytes segment() {
    const TcpConfig& tcp = victim_.tcp().config();
    Segment segment;
    segment.src = tcp.local;
    segment.dst = tcp.remote;
    const bool stranger = rng_.chance(0.5);
    if (stranger) segment.src.port = static_cast<std::uint16_t>(rng_.between(1000, 9000));
    constexpr std::uint8_t kFlags[] = {Segment::kAck, Segment::kAck | Segment::kFin, Segment::kRst,
                                       Segment::kRst | Segment::kAck, 0};
    segment.flags = kFlags[rng_.below(std::size(kFlags))];
    segment.seq =
        tcp.initial_sequence + 0x40000000 + static_cast<std::uint32_t>(rng_.below(1u << 29));
    segment.ack = static_cast<std::uint32_t>(rng_.next());
    const Bytes payload(rng_.below(1300));
    segment.payload = payload;
    return encode(segment);
  }

  SimCluster& cluster_;
  const SimClient& victim_;
  SimRng rng_;
  PortId port_ = 0;
  std::deque<Bytes> overheard_;
  std::uint64_t sent_ = 0;
};

TEST(Hostile, StrangersChangeNothing) {
  for_each_seed(6, [](std::uint64_t seed) {
    ClusterOptions options;
    options.seed = seed;
    options.family = seed % 2 == 0 ? Family::kIpv6 : Family::kIpv4;
    options.forwarder_is_host = seed % 3 == 0;
    SimCluster cluster(options);
    cluster.start();
    SimLoop& world = cluster.world();
    SimClient& client = cluster.add_client(kEchoPort);
    client.ping_pong(300, 900).shutdown_write().await_end();
    Intruder intruder(cluster, client, seed);
    client.start();
    const Instant limit = world.now() + 60s;
    while (!client.finished() && world.now() < limit) {
      cluster.migrate_to_next(client);
      world.run_for(10ms);
    }
    EXPECT_GE(cluster.migrations().completed, 20);
    EXPECT_GE(intruder.sent(), 500u);
    EXPECT_TRUE(client.tcp().received() == ramp(0, 300 * 900));
    std::uint64_t refused = 0;
    for (const auto& machine : cluster.machines())
      refused += machine->node().status().drops;
    EXPECT_GE(refused, intruder.sent() / 10);
    world.run_for(3s);
    expect_sound(cluster, {&client});
  });
}

}  // namespace
}  // namespace migd::sim
