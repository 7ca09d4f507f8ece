// Reads HostFacts from /proc and the kernel's list of addresses.
#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <sstream>

#include "cli/file.h"
#include "cli/host_check.h"

namespace migd {
namespace {

constexpr std::size_t kProcFileMax = 4u << 20;

std::string read_or_empty(const std::string& path) {
  return read_file(path, kProcFileMax).value_or("");
}

std::optional<int> read_number(const std::string& path) {
  const std::string text = read_or_empty(path);
  int value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc{}) {
    return std::nullopt;
  }
  return value;
}

std::optional<std::uint32_t> hex(std::string_view text) {
  std::uint32_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, 16);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

std::optional<IpAddress> address_of(const sockaddr* address) {
  if (address == nullptr) return std::nullopt;
  if (address->sa_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, address, sizeof v4);
    return IpAddress::v4(ntohl(v4.sin_addr.s_addr));
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, address, sizeof v6);
    return IpAddress::from_bytes({v6.sin6_addr.s6_addr, 16});
  }
  return std::nullopt;
}

std::vector<LocalAddress> read_addresses() {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return {};
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(list, freeifaddrs);
  std::vector<LocalAddress> out;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (const auto address = address_of(entry->ifa_addr)) {
      out.push_back({*address, entry->ifa_name});
    }
  }
  return out;
}

std::string tun_problem() {
  const int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  if (fd < 0) return std::strerror(errno);
  close(fd);
  return "";
}

}  // namespace

// Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT; addresses are hex words
// in the machine's byte order.
std::vector<KernelRoute> parse_ipv4_routes(const std::string& text) {
  std::vector<KernelRoute> routes;
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);  // the header
  while (std::getline(lines, line)) {
    std::istringstream columns(line);
    std::string device, destination, gateway, flags, references, use, mask;
    std::uint32_t metric = 0;
    columns >> device >> destination >> gateway >> flags >> references >> use >> metric >> mask;
    const auto prefix = hex(destination);
    const auto mask_bits = hex(mask);
    if (columns.fail() || !prefix || !mask_bits) continue;
    routes.push_back({IpAddress::v4(ntohl(*prefix)),
                      static_cast<std::uint8_t>(std::popcount(*mask_bits)), metric, device});
  }
  return routes;
}

// Destination, its length, source, its length, next hop, metric, references, use, flags, device;
// all hex.
std::vector<KernelRoute> parse_ipv6_routes(const std::string& text) {
  std::vector<KernelRoute> routes;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream columns(line);
    std::string destination, bits, source, source_bits, next_hop, metric, references, use, flags;
    std::string device;
    columns >> destination >> bits >> source >> source_bits >> next_hop >> metric >> references >>
        use >> flags >> device;
    if (columns.fail() || destination.size() != 32) continue;
    std::array<std::uint8_t, 16> address{};
    bool valid = true;
    for (std::size_t i = 0; i < address.size(); ++i) {
      const auto byte = hex(std::string_view(destination).substr(2 * i, 2));
      valid = valid && byte;
      address[i] = static_cast<std::uint8_t>(byte.value_or(0));
    }
    const auto length = hex(bits);
    const auto cost = hex(metric);
    if (!valid || !length || *length > 128 || !cost) continue;
    routes.push_back(
        {IpAddress::from_bytes(address), static_cast<std::uint8_t>(*length), *cost, device});
  }
  return routes;
}

HostFacts read_host_facts(const Config& config, const std::string& proc) {
  HostFacts facts;
  facts.ipv4_forwarding = read_number(proc + "/sys/net/ipv4/ip_forward");
  facts.ipv6_forwarding = read_number(proc + "/sys/net/ipv6/conf/all/forwarding");
  for (const std::string& name : {std::string("all"), std::string("default"), config.link.name}) {
    const auto value = read_number(proc + "/sys/net/ipv4/conf/" + name + "/rp_filter");
    if (value) facts.rp_filter[name] = *value;
  }
  facts.addresses = read_addresses();
  facts.routes = parse_ipv4_routes(read_or_empty(proc + "/net/route"));
  const auto v6 = parse_ipv6_routes(read_or_empty(proc + "/net/ipv6_route"));
  facts.routes.insert(facts.routes.end(), v6.begin(), v6.end());
  facts.device_exists = if_nametoindex(config.link.name.c_str()) != 0;
  facts.tun_problem = tun_problem();
  return facts;
}

}  // namespace migd
