// Nodes with tunnel addresses, and tunnels between them whose packets the test carries.
#pragma once

#include <gtest/gtest.h>

#include "forwarder/tunnel.h"
#include "tests/support/packets.h"
#include "tests/support/recording_sink.h"
#include "tests/support/sim_rng.h"

namespace migd::test {

inline IpAddress address(const std::string& text) {
  return *IpAddress::parse(text);
}
inline Endpoint endpoint(const std::string& text) {
  return *Endpoint::parse(text);
}

inline NodeInfo node_info(std::uint16_t id, Roles roles = {}) {
  NodeInfo info;
  info.id = NodeId{id};
  info.name = "n" + std::to_string(id);
  info.roles = roles;
  info.tunnel_v4 = address("10.77.9." + std::to_string(id));
  info.tunnel_v6 = address("fd77:9::" + std::to_string(id));
  return info;
}

inline constexpr std::uint16_t kGuePort = 6080;
inline constexpr std::uint16_t kChannelPort = 7946;

// One node's tunnel and what it has sent.
struct TestTunnel {
  explicit TestTunnel(const NodeInfo& self, const std::vector<NodeInfo>& peers,
                      const LinkCapabilities& link = {}, std::uint64_t seed = 1)
      : rng(seed), tunnel(self, peers, kGuePort, kChannelPort, link, pool, output, drops, rng) {}

  Frame frame_of(ByteView bytes, const Offload& offload = {}) {
    Frame frame = pool->copy_of(bytes);
    frame.offload = offload;
    return frame;
  }
  Frame take() {
    Frame frame = std::move(output.frames.at(0));
    output.frames.erase(output.frames.begin());
    return frame;
  }

  std::shared_ptr<FramePool> pool = FramePool::create();
  sim::SimRng rng;
  RecordingSink output;
  DropCounters drops;
  Tunnel tunnel;
};

// A forwarder (1) and a host (2) that know each other.
struct TwoTunnels : ::testing::Test {
  NodeInfo f = node_info(1, {.forwarder = true});
  NodeInfo h = node_info(2, {.host = true});
  TestTunnel forwarder{f, {h}};
  TestTunnel host{h, {f}};
};

inline FourTuple tuple_v4() {
  return {endpoint("10.77.0.200:80"), endpoint("10.77.0.1:40000")};
}
inline FourTuple tuple_v6() {
  return {endpoint("[fd77::200]:80"), endpoint("[fd77::1]:40000")};
}

// From the client.
inline Bytes client_packet(const FourTuple& tuple, std::size_t payload_bytes,
                           std::uint8_t flags = tcp_flag::kAck) {
  TcpFields fields;
  fields.src = tuple.peer;
  fields.dst = tuple.local;
  fields.flags = flags;
  fields.payload = ramp(payload_bytes);
  return tcp_packet(fields);
}

inline ConnectionId connection_id(std::uint64_t counter, std::uint16_t node = 1,
                                  std::uint64_t boot = 0xb007) {
  return {NodeId{node}, Boot{boot}, counter};
}

}  // namespace migd::test
