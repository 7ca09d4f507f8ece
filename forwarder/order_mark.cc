#include "forwarder/order_mark.h"

#include <algorithm>
namespace migd {

Frame make_order_mark(const FourTuple& tuple, Epoch epoch, FramePool& pool) {
  IpHeader ip;
  ip.src = tuple.peer.address;
  ip.dst = tuple.local.address;
  ip.protocol = kProtocolTcp;
  ip.hop_limit = 64;
  ip.header_size = static_cast<std::uint16_t>(ip_header_size(ip.family()));
  ip.total_size = static_cast<std::uint32_t>(ip.header_size + TcpView::kMinSize);

  Frame frame = pool.allocate(ip.total_size);
  const MutableBytes packet = frame.mutable_bytes();
  std::fill(packet.begin(), packet.end(), std::uint8_t{0});
  write_ip_header(packet, ip, TcpView::kMinSize, 0);
  const MutableBytes tcp = packet.subspan(ip.header_size);
  store_u16(tcp.data(), tuple.peer.port);
  store_u16(tcp.data() + 2, tuple.local.port);
  store_u32(tcp.data() + 4, epoch.value);
  tcp[12] = TcpView::kMinSize / 4 << 4;
  complete_l4_checksum(ip, packet);
  return frame;
}

}  // namespace migd
