// The header that TUN (IFF_VNET_HDR) and AF_PACKET (PACKET_VNET_HDR) put before each packet: struct
// virtio_net_hdr of the kernel, 10 bytes, in the machine's own byte order.
//
//   u8  flags         1: the checksum from csum_start on is to be completed; 2: it is valid
//   u8  gso_type      1: TCP/IPv4, 4: TCP/IPv6, 5: UDP; plus 0x80: CWR is set
//   u16 hdr_len       bytes of headers, a hint
//   u16 gso_size      payload bytes of each segment
//   u16 csum_start    counted from the start of the packet, or of the link header before it
//   u16 csum_offset   of the checksum field, counted from csum_start
#pragma once

#include <array>
#include <cstdint>

#include "base/frame.h"
#include "base/packet.h"

namespace migd {

inline constexpr std::size_t kVirtioHeaderSize = 10;
using VirtioHeader = std::array<std::uint8_t, kVirtioHeaderSize>;

// Sets frame.offload to what the header says of a packet that came in. A checksum that is to be
// completed at another place than TCP's or UDP's own is completed here. Refuses trains of a kind
// that we have no word for, and places outside of the packet.
tl::expected<void, DropReason> read_virtio_header(const VirtioHeader& header,
                                                  std::size_t link_header_size, Frame& frame);

// The header for a frame that goes out. Makes the checksum of a train partial when it is not: a
// device can cut no other. Refuses what is not whole TCP or UDP and wants an offload.
tl::expected<VirtioHeader, DropReason> write_virtio_header(Frame& frame,
                                                           std::size_t link_header_size);

}  // namespace migd
