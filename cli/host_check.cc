#include "cli/host_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace migd {
namespace {

bool covers(const KernelRoute& route, const IpAddress& address) {
  if (route.prefix.family() != address.family()) return false;
  const ByteView a = route.prefix.bytes();
  const ByteView b = address.bytes();
  const std::size_t whole = route.prefix_bits / 8;
  if (!std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(whole), b.begin())) {
    return false;
  }
  const unsigned rest = route.prefix_bits % 8u;
  return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

// The one the kernel would take: the longest prefix, then the lowest metric.
const KernelRoute* route_of(const IpAddress& address, const std::vector<KernelRoute>& routes) {
  const KernelRoute* best = nullptr;
  for (const KernelRoute& route : routes) {
    if (!covers(route, address)) continue;
    if (best == nullptr || route.prefix_bits > best->prefix_bits ||
        (route.prefix_bits == best->prefix_bits && route.metric < best->metric)) {
      best = &route;
    }
  }
  return best;
}

struct Watched {
  IpAddress address;
  std::string what;  // "VIP", "tunnel address"
};

std::vector<Watched> watched_addresses(const NodeOptions& node) {
  std::vector<Watched> watched;
  if (node.self.tunnel_v4) watched.push_back({*node.self.tunnel_v4, "tunnel address"});
  if (node.self.tunnel_v6) watched.push_back({*node.self.tunnel_v6, "tunnel address"});
  std::set<IpAddress> vips;
  for (const ServiceOptions& service : node.services) {
    for (const Endpoint& vip : service.vips)
      vips.insert(vip.address);
  }
  for (const IpAddress& vip : vips)
    watched.push_back({vip, "VIP"});
  return watched;
}

class HostCheck {
 public:
  HostCheck(const Config& config, const HostFacts& facts)
      : config_(config), facts_(facts), device_(config.link.name) {}

  std::vector<std::string> run() {
    check_device();
    const std::vector<Watched> watched = watched_addresses(config_.node);
    for (const Watched& w : watched)
      check_address(w);
    const auto uses = [&](Family family) {
      return std::any_of(watched.begin(), watched.end(),
                         [&](const Watched& w) { return w.address.family() == family; });
    };
    if (uses(Family::kIpv4)) {
      check_forwarding("net.ipv4.ip_forward", facts_.ipv4_forwarding);
      check_reverse_path();
    }
    if (uses(Family::kIpv6)) {
      check_forwarding("net.ipv6.conf.all.forwarding", facts_.ipv6_forwarding);
    }
    return std::move(warnings_);
  }

 private:
  template <typename... Args>
  void warn(fmt::format_string<Args...> format, Args&&... args) {
    warnings_.push_back(fmt::format(format, std::forward<Args>(args)...));
  }

  void check_device() {
    const bool tun = config_.link.kind == LinkConfig::Kind::kTun;
    if (tun && !facts_.tun_problem.empty()) {
      warn(
          "/dev/net/tun cannot be opened ({}); give the right to it, or use link.kind = "
          "\"packet\" on a veth pair",
          facts_.tun_problem);
    }
    if (!facts_.device_exists) {
      warn(
          "there is no device {}; run: {}", device_,
          tun ? fmt::format("ip tuntap add dev {} mode tun vnet_hdr multi_queue", device_)
              : fmt::format("ip link add {} type veth peer name {}", device_, config_.link.device));
    }
  }

  void check_address(const Watched& watched) {
    const std::string address = watched.address.to_string();
    const std::string_view ip = watched.address.is_v4() ? "ip" : "ip -6";
    const int bits = watched.address.is_v4() ? 32 : 128;
    const auto local =
        std::find_if(facts_.addresses.begin(), facts_.addresses.end(),
                     [&](const LocalAddress& a) { return a.address == watched.address; });
    if (local != facts_.addresses.end()) {
      warn(
          "{} {} is assigned to {}: the kernel answers for it, with RST; run: {} address del {} "
          "dev {}",
          watched.what, address, local->device, ip, address, local->device);
      return;
    }
    const KernelRoute* route = route_of(watched.address, facts_.routes);
    if (route != nullptr && route->device == device_) return;
    warn("{} {} is {}; run: {} route add {}/{} dev {}", watched.what, address,
         route == nullptr ? "not routed to " + device_
                          : "routed to " + route->device + " instead of " + device_,
         ip, address, bits, device_);
  }

  void check_forwarding(std::string_view setting, const std::optional<int>& value) {
    if (value.value_or(1) != 0) return;
    warn("{} is 0: the kernel drops what comes out of {}; run: sysctl -w {}=1", setting, device_,
         setting);
  }

  void check_reverse_path() {
    for (const auto& [name, value] : facts_.rp_filter) {
      if (value != 1) continue;
      warn(
          "net.ipv4.conf.{0}.rp_filter is 1 (strict): answers of a connection that came another "
          "way are dropped; run: sysctl -w net.ipv4.conf.{0}.rp_filter=0",
          name);
    }
  }

  const Config& config_;
  const HostFacts& facts_;
  const std::string& device_;
  std::vector<std::string> warnings_;
};

}  // namespace

std::vector<std::string> host_warnings(const Config& config, const HostFacts& facts) {
  return HostCheck(config, facts).run();
}

}  // namespace migd
