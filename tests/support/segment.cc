#include "tests/support/segment.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace migd::test {

std::string SeenSegment::describe() const {
  std::string names;
  const auto name = [&](std::uint8_t flag, const char* text) {
    if (!has(flag)) return;
    if (!names.empty()) names += '|';
    names += text;
  };
  name(tcp_flag::kSyn, "SYN");
  name(tcp_flag::kFin, "FIN");
  name(tcp_flag::kRst, "RST");
  name(tcp_flag::kPsh, "PSH");
  name(tcp_flag::kAck, "ACK");
  return fmt::format("{} seq {} ack {} win {} len {}", names, seq.value(), ack.value(),
                     window_field, payload.size());
}

std::optional<SeenSegment> see(const Frame& frame, Instant at) {
  const auto ip = parse_ip(frame.bytes());
  if (!ip || ip->protocol != kProtocolTcp) return std::nullopt;
  const auto tcp =
      TcpView::parse(frame.bytes().subspan(ip->header_size, ip->total_size - ip->header_size));
  if (!tcp) return std::nullopt;
  return SeenSegment{.at = at,
                     .ip = *ip,
                     .tuple = {{ip->src, tcp->src_port()}, {ip->dst, tcp->dst_port()}},
                     .seq = tcp->seq(),
                     .ack = tcp->ack(),
                     .flags = tcp->flags(),
                     .window_field = tcp->window(),
                     .options = TcpOptions::parse(tcp->options()),
                     .payload = to_bytes(tcp->payload()),
                     .offload = frame.offload,
                     .packet = to_bytes(frame.bytes())};
}

PeerOptions PeerOptions::v6() {
  PeerOptions options;
  options.local.address = *IpAddress::parse("fd77::1");
  options.remote.address = *IpAddress::parse("fd77::c8");
  return options;
}

PeerOptions PeerOptions::plain() {
  PeerOptions options;
  options.window_scale.reset();
  options.sack = false;
  options.timestamps = false;
  options.window = 65535;
  return options;
}

Peer::Peer(PeerOptions given)
    : send_next(given.iss), acked(given.iss), window(given.window), options(std::move(given)) {}

Bytes Peer::option_bytes(const SegmentChange& change) const {
  Bytes bytes;
  ByteWriter out(bytes);
  if (their_timestamps) {
    out.u16(0x0101);
    out.u16(0x080a);
    out.u32(tsval);
    out.u32(last_tsval);
  }
  if (!change.sack.empty()) {
    out.u16(0x0101);
    out.u8(5);
    out.u8(static_cast<std::uint8_t>(2 + 8 * change.sack.size()));
    for (const TcpOptions::SackBlock& block : change.sack) {
      out.u32(block.left.value());
      out.u32(block.right.value());
    }
  }
  return bytes;
}

Bytes Peer::syn() {
  Bytes bytes;
  ByteWriter out(bytes);
  if (options.mss) {
    out.u16(0x0204);
    out.u16(*options.mss);
  }
  if (options.window_scale) {
    out.u32(0x01030300u | *options.window_scale);
  }
  if (options.sack) out.u32(0x01010402);
  if (options.timestamps) {
    out.u32(0x0101080a);
    out.u32(tsval);
    out.u32(0);
  }
  ++tsval;
  send_next = SeqNum(options.iss + 1);
  return tcp_packet({.src = options.local,
                     .dst = options.remote,
                     .seq = options.iss,
                     .ack = 0,
                     .flags = tcp_flag::kSyn,
                     .window = static_cast<std::uint16_t>(std::min(window, 65535u)),
                     .options = bytes});
}

Bytes Peer::segment(std::uint8_t flags, ByteView payload, const SegmentChange& change) {
  const SeqNum seq = change.seq.value_or(send_next);
  const std::uint32_t announced = change.window.value_or(window);
  const int shift = scale_known_ ? *options.window_scale : 0;
  Bytes packet = tcp_packet(
      {.src = options.local,
       .dst = options.remote,
       .seq = seq.value(),
       .ack = (flags & tcp_flag::kAck) != 0 ? change.ack.value_or(receive_next).value() : 0,
       .flags = flags,
       .window = static_cast<std::uint16_t>(std::min(announced >> shift, 65535u)),
       .options = change.options.value_or(option_bytes(change)),
       .payload = to_bytes(payload)});
  ++tsval;
  const std::uint32_t length =
      static_cast<std::uint32_t>(payload.size()) + ((flags & tcp_flag::kFin) != 0 ? 1u : 0u);
  if (seq == send_next) send_next += length;
  if (change.corrupt) packet.back() ^= 0x40;
  return packet;
}

Bytes Peer::ack(const SegmentChange& change) {
  return segment(tcp_flag::kAck, {}, change);
}

Bytes Peer::data(ByteView payload, const SegmentChange& change) {
  return segment(tcp_flag::kAck | tcp_flag::kPsh, payload, change);
}

Bytes Peer::fin(ByteView payload, const SegmentChange& change) {
  return segment(tcp_flag::kAck | tcp_flag::kFin, payload, change);
}

Bytes Peer::rst(const SegmentChange& change) {
  return segment(tcp_flag::kRst | tcp_flag::kAck, {}, change);
}

void Peer::take(const SeenSegment& s) {
  SCOPED_TRACE(s.describe());
  EXPECT_EQ(s.tuple.local, options.remote);
  EXPECT_EQ(s.tuple.peer, options.local);
  EXPECT_TRUE(s.offload.checksum == Offload::Checksum::kPartial || checksums_hold(s.packet));
  EXPECT_TRUE(s.options.well_formed);
  if (established && s.has(tcp_flag::kSyn) && s.seq + 1 != first_byte) {
    EXPECT_TRUE(may_be_followed) << "another connection answers";
    followed = true;
  }
  if (followed) return;
  if (s.has(tcp_flag::kRst)) {
    reset_received = true;
    return;
  }
  EXPECT_TRUE(s.has(tcp_flag::kAck));

  const bool first = !established;
  if (s.has(tcp_flag::kSyn)) {
    if (first) {
      established = true;
      first_byte = receive_next = s.seq + 1;
      acked = s.ack;
      announced_mss = s.options.mss;
      their_sack = s.options.sack_permitted;
      their_timestamps = s.options.timestamps.has_value();
      their_scale = s.options.window_scale.value_or(0);
      scale_known_ = s.options.window_scale.has_value();
      right_edge = s.ack + s.window_field;
    }
  } else {
    EXPECT_FALSE(first);
    const SeqNum edge = s.ack + (std::uint32_t{s.window_field} << their_scale);
    EXPECT_GE(s.ack, acked) << "an acknowledgment went back";
    EXPECT_LE(s.ack, send_next) << "what was never sent was acknowledged";
    EXPECT_GE(edge, right_edge) << "the window shrank";
    if (s.ack > acked) acked = s.ack;
    right_edge = edge;
    EXPECT_FALSE(s.options.mss || s.options.window_scale || s.options.sack_permitted);
    EXPECT_EQ(s.options.timestamps.has_value(), their_timestamps);
  }
  if (s.options.timestamps) {
    if (!first) {
      EXPECT_GE(SeqNum(s.options.timestamps->value), SeqNum(last_tsval))
          << "the timestamp went back";
    }
    if (!first) {  // a SYN cookie's may remember something there
      EXPECT_EQ(s.options.timestamps->value & 0x3f, 0u);
    }
    last_tsval = s.options.timestamps->value;
  }

  // The stream: bytes that were seen before must be the same.
  for (std::size_t i = 0; i < s.payload.size(); ++i) {
    const SeqNum at = s.seq + static_cast<std::uint32_t>(i);
    const std::int32_t distance = at - receive_next;
    if (distance < 0) {
      const auto index = static_cast<std::size_t>(at - first_byte);
      EXPECT_TRUE(index >= received.size() || received[index] == s.payload[i]) << "byte changed";
    } else if (distance == 0) {
      received.push_back(s.payload[i]);
      receive_next += 1;
    } else {
      ahead_[at.value()] = s.payload[i];
    }
  }
  for (auto it = ahead_.find(receive_next.value()); it != ahead_.end();
       it = ahead_.find(receive_next.value())) {
    received.push_back(it->second);
    ahead_.erase(it);
    receive_next += 1;
  }
  if (s.has(tcp_flag::kFin) &&
      s.seq + static_cast<std::uint32_t>(s.payload.size()) == receive_next && !fin_received) {
    fin_received = true;
    receive_next += 1;
  }
}

}  // namespace migd::test
