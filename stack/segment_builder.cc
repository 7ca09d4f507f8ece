#include "stack/segment_builder.h"

#include <algorithm>
#include <cstring>

namespace migd {
namespace {

// Fits 16 bits together with every header.
constexpr std::size_t kOutOfOrderPiece = 60000;

std::uint8_t option_flags(const tcp_pcb& pcb) {
  return (pcb.flags & TF_TIMESTAMP) != 0 ? TF_SEG_OPTS_TS : 0;
}

std::size_t payload_max(const tcp_pcb& pcb) {
  return pcb.mss - static_cast<std::size_t>(LWIP_TCP_OPT_LENGTH(option_flags(pcb)));
}

// A segment of lwIP's sending queues: a header in network order (acknowledgment, window, checksum
// and options are filled in when it is sent), room for the options, the payload.
tcp_seg* make_segment(const tcp_pcb& pcb, SeqNum first, ByteView bytes, std::uint8_t flags) {
  const std::uint8_t options = option_flags(pcb);
  const std::size_t options_size = LWIP_TCP_OPT_LENGTH(options);
  pbuf* p = pbuf_alloc(PBUF_TRANSPORT, static_cast<u16_t>(options_size + bytes.size()), PBUF_RAM);
  if (p == nullptr) return nullptr;
  auto* segment = static_cast<tcp_seg*>(memp_malloc(MEMP_TCP_SEG));
  if (segment == nullptr) {
    pbuf_free(p);
    return nullptr;
  }
  if (!bytes.empty()) {
    std::memcpy(static_cast<std::uint8_t*>(p->payload) + options_size, bytes.data(), bytes.size());
  }
  pbuf_add_header(p, TCP_HLEN);
  *segment = {};
  segment->p = p;
  segment->len = static_cast<u16_t>(bytes.size());
  segment->flags = options;
  segment->tcphdr = static_cast<tcp_hdr*>(p->payload);
  segment->tcphdr->src = lwip_htons(pcb.local_port);
  segment->tcphdr->dest = lwip_htons(pcb.remote_port);
  segment->tcphdr->seqno = lwip_htonl(first.value());
  TCPH_HDRLEN_FLAGS_SET(segment->tcphdr, (5 + options_size / 4), flags);
  segment->tcphdr->urgp = 0;
  return segment;
}

}  // namespace

std::size_t segments_of(const tcp_pcb& pcb, std::size_t bytes) {
  return (bytes + payload_max(pcb) - 1) / payload_max(pcb);
}

bool append_segments(tcp_pcb& pcb, tcp_seg**& end, SeqNum first, ByteView bytes, bool fin) {
  while (!bytes.empty() || fin) {
    const ByteView piece = bytes.first(std::min(bytes.size(), payload_max(pcb)));
    bytes = bytes.subspan(piece.size());
    std::uint8_t flags = TCP_ACK;
    if (bytes.empty()) flags |= piece.empty() ? 0 : TCP_PSH;
    if (bytes.empty() && fin) flags |= TCP_FIN;
    if (bytes.empty()) fin = false;
    tcp_seg* segment = make_segment(pcb, first, piece, flags);
    if (segment == nullptr) return false;
    *end = segment;
    end = &segment->next;
    pcb.snd_queuelen = static_cast<u16_t>(pcb.snd_queuelen + pbuf_clen(segment->p));
    first += static_cast<std::uint32_t>(piece.size());
  }
  return true;
}

bool append_out_of_order(const tcp_pcb& pcb, tcp_seg**& end, SeqNum first, ByteView bytes,
                         bool fin) {
  while (!bytes.empty() || fin) {
    const ByteView piece = bytes.first(std::min(bytes.size(), kOutOfOrderPiece));
    bytes = bytes.subspan(piece.size());
    const bool with_fin = fin && bytes.empty();
    if (bytes.empty()) fin = false;

    // As tcp_input() leaves it: the header, in host order, in front of the payload.
    pbuf* p = pbuf_alloc(PBUF_RAW, static_cast<u16_t>(TCP_HLEN + piece.size()), PBUF_RAM);
    if (p == nullptr) return false;
    auto* segment = static_cast<tcp_seg*>(memp_malloc(MEMP_TCP_SEG));
    if (segment == nullptr) {
      pbuf_free(p);
      return false;
    }
    *segment = {};
    auto* header = static_cast<tcp_hdr*>(p->payload);
    std::memset(header, 0, TCP_HLEN);
    header->src = pcb.remote_port;
    header->dest = pcb.local_port;
    header->seqno = first.value();
    TCPH_HDRLEN_FLAGS_SET(header, 5, with_fin ? TCP_ACK | TCP_FIN : TCP_ACK);
    pbuf_remove_header(p, TCP_HLEN);
    if (!piece.empty()) std::memcpy(p->payload, piece.data(), piece.size());
    segment->p = p;
    segment->len = static_cast<u16_t>(piece.size());
    segment->tcphdr = header;
    *end = segment;
    end = &segment->next;
    first += static_cast<std::uint32_t>(piece.size());
  }
  return true;
}

}  // namespace migd
