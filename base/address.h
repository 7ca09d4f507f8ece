// Addresses, endpoints and four-tuples, IPv4 and IPv6 alike.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/reader.h"
#include "base/result.h"
#include "base/writer.h"

namespace migd {

enum class Family : std::uint8_t { kIpv4 = 4, kIpv6 = 6 };

// An IP address. The default is IPv4 0.0.0.0.
class IpAddress {
 public:
  IpAddress() = default;
  static IpAddress v4(std::uint32_t host_order);
  static IpAddress from_bytes(ByteView four_or_sixteen);  // CHECKs the size
  static Result<IpAddress> parse(std::string_view text);

  Family family() const { return family_; }
  bool is_v4() const { return family_ == Family::kIpv4; }
  ByteView bytes() const { return {bytes_.data(), is_v4() ? 4u : 16u}; }
  std::uint32_t v4_host_order() const;
  bool is_unspecified() const;
  std::string to_string() const;

  bool operator==(const IpAddress&) const = default;
  auto operator<=>(const IpAddress&) const = default;

 private:
  Family family_ = Family::kIpv4;
  std::array<std::uint8_t, 16> bytes_{};
};

struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;

  // "10.77.0.1:80" or "[fd77::1]:80".
  static Result<Endpoint> parse(std::string_view text);
  std::string to_string() const;
  bool operator==(const Endpoint&) const = default;
  auto operator<=>(const Endpoint&) const = default;
};

// The two ends of a TCP connection, as the owner sees them: local is the VIP, peer the client.
struct FourTuple {
  Endpoint local;
  Endpoint peer;

  std::string to_string() const;  // "peer -> local"
  bool operator==(const FourTuple&) const = default;
  auto operator<=>(const FourTuple&) const = default;
};

// Wire form, shared by every message of ours that carries one:
// u8 family (4 or 6), local address, local port, peer address, peer port.
void write_address(ByteWriter& out, const IpAddress& address);  // u8 family, 4 or 16 bytes
Result<IpAddress> read_address(BoundedReader& in);
void write_four_tuple(ByteWriter& out, const FourTuple& tuple);
Result<FourTuple> read_four_tuple(BoundedReader& in);

}  // namespace migd
