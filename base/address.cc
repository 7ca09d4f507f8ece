#include "base/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "base/check.h"

namespace migd {

IpAddress IpAddress::v4(std::uint32_t host_order) {
  IpAddress address;
  for (int i = 3; i >= 0; --i, host_order >>= 8) {
    address.bytes_[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(host_order);
  }
  return address;
}

IpAddress IpAddress::from_bytes(ByteView bytes) {
  MIGD_CHECK(bytes.size() == 4 || bytes.size() == 16);
  IpAddress address;
  address.family_ = bytes.size() == 4 ? Family::kIpv4 : Family::kIpv6;
  std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
  return address;
}

Result<IpAddress> IpAddress::parse(std::string_view text) {
  const std::string copy(text.substr(0, text.find('\0')));
  std::array<std::uint8_t, 16> raw{};
  if (copy.size() != text.size()) {
    return fail(ErrorCode::kInvalidArgument, "an IP address holds no zero byte");
  }
  if (inet_pton(AF_INET, copy.c_str(), raw.data()) == 1) return from_bytes({raw.data(), 4});
  if (inet_pton(AF_INET6, copy.c_str(), raw.data()) == 1) return from_bytes(raw);
  return fail(ErrorCode::kInvalidArgument, "'" + copy + "' is not an IP address");
}

std::uint32_t IpAddress::v4_host_order() const {
  MIGD_CHECK(is_v4());
  std::uint32_t value = 0;
  for (std::uint8_t byte : bytes())
    value = value << 8 | byte;
  return value;
}

bool IpAddress::is_unspecified() const {
  return std::all_of(bytes_.begin(), bytes_.end(), [](std::uint8_t b) { return b == 0; });
}

std::string IpAddress::to_string() const {
  char text[INET6_ADDRSTRLEN];
  MIGD_CHECK(inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes_.data(), text, sizeof text) != nullptr);
  return text;
}

Result<Endpoint> Endpoint::parse(std::string_view text) {
  const auto bad = [&] {
    return fail(ErrorCode::kInvalidArgument,
                "'" + std::string(text) + "' is not ADDRESS:PORT or [IPV6]:PORT");
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return bad();
  std::string_view host = text.substr(0, colon);
  const std::string_view port_text = text.substr(colon + 1);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  std::uint16_t port = 0;
  const auto [end, error] =
      std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (error != std::errc{} || end != port_text.data() + port_text.size()) return bad();
  const Result<IpAddress> address = IpAddress::parse(host);
  if (!address || address->is_v4() == bracketed) return bad();
  return Endpoint{*address, port};
}

std::string Endpoint::to_string() const {
  const std::string host = address.to_string();
  return (address.is_v4() ? host : "[" + host + "]") + ":" + std::to_string(port);
}

std::string FourTuple::to_string() const {
  return peer.to_string() + " -> " + local.to_string();
}

void write_address(ByteWriter& out, const IpAddress& address) {
  out.u8(static_cast<std::uint8_t>(address.family()));
  out.bytes(address.bytes());
}

Result<IpAddress> read_address(BoundedReader& in) {
  const std::uint8_t family = in.u8();
  if (family != 4 && family != 6) return fail(ErrorCode::kProtocol, "unknown address family");
  const ByteView bytes = in.bytes(family == 4 ? 4 : 16);
  if (!in.ok()) return fail(ErrorCode::kProtocol, "truncated address");
  return IpAddress::from_bytes(bytes);
}

void write_four_tuple(ByteWriter& out, const FourTuple& tuple) {
  MIGD_CHECK(tuple.local.address.family() == tuple.peer.address.family());
  write_address(out, tuple.local.address);
  out.u16(tuple.local.port);
  out.bytes(tuple.peer.address.bytes());
  out.u16(tuple.peer.port);
}

Result<FourTuple> read_four_tuple(BoundedReader& in) {
  const Result<IpAddress> local = read_address(in);
  if (!local) return tl::unexpected(local.error());
  const std::uint16_t local_port = in.u16();
  const ByteView peer = in.bytes(local->is_v4() ? 4 : 16);
  const std::uint16_t peer_port = in.u16();
  if (!in.ok()) return fail(ErrorCode::kProtocol, "truncated four-tuple");
  return FourTuple{{*local, local_port}, {IpAddress::from_bytes(peer), peer_port}};
}

}  // namespace migd
