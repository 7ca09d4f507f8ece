// Whether this machine's kernel lets a node work: packets of a VIP must reach the device, answers
// must leave through it, and nobody else may answer. Looks, changes nothing.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "cli/config.h"

namespace migd {

struct KernelRoute {
  IpAddress prefix;
  std::uint8_t prefix_bits = 0;
  std::uint32_t metric = 0;
  std::string device;
};

struct LocalAddress {
  IpAddress address;
  std::string device;
};

struct HostFacts {
  std::optional<int> ipv4_forwarding;
  std::optional<int> ipv6_forwarding;
  std::map<std::string, int> rp_filter;  // by "all", "default" and the device
  std::vector<LocalAddress> addresses;
  std::vector<KernelRoute> routes;  // of the main table
  bool device_exists = true;
  std::string tun_problem;  // why /dev/net/tun cannot be opened; empty: it can
};

// `proc` stands in for /proc in tests.
HostFacts read_host_facts(const Config& config, const std::string& proc = "/proc");

// One line for each thing that is in the way: what it is, and what to do.
std::vector<std::string> host_warnings(const Config& config, const HostFacts& facts);

// /proc/net/route and /proc/net/ipv6_route.
std::vector<KernelRoute> parse_ipv4_routes(const std::string& text);
std::vector<KernelRoute> parse_ipv6_routes(const std::string& text);

}  // namespace migd
