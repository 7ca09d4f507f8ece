// Everything a Node is told, as plain values: what the configuration file says, after checking. The
// daemon fills it from TOML (cli/config.h), the simulator by hand.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "app/options.h"
#include "base/limits.h"
#include "forwarder/options.h"
#include "stack/recovery/state.h"

namespace migd {

using PublicKey = std::array<std::uint8_t, 32>;
using SecretKey = std::array<std::uint8_t, 32>;

struct PeerOptions {
  NodeInfo info;
  std::vector<PublicKey> public_keys;  // one, or two during a rotation
};

struct NodeOptions {
  NodeInfo self;
  std::vector<SecretKey> secret_keys;  // the first is used to start sessions
  std::uint16_t channel_port = 7946;
  std::uint16_t gue_port = 6080;
  Duration heartbeat = 200ms;
  Duration dead_after = 3s;

  std::uint32_t window_bytes = 4u << 20;
  std::uint32_t send_buffer_bytes = 4u << 20;
  bool timestamps = true;
  bool sack = true;
  Duration keepalive = Duration::zero();
  std::uint16_t syn_backlog = 1024;
  bool syn_cookies = true;
  std::uint32_t max_connections = limits::kConnectionsMax;
  std::uint64_t memory_bytes = 1u << 30;
  Duration min_rto = 200ms;
  Duration user_timeout = Duration::zero();
  CongestionAlgorithm congestion_control = CongestionAlgorithm::kCubic;

  Duration migration_timeout = 5s;
  bool migration_prepare = true;  // ask the target before the freeze

  std::vector<PeerOptions> peers;
  std::vector<ServiceOptions> services;
  std::vector<ApplicationOptions> applications;
};

}  // namespace migd
