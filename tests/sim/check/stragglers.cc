#include "tests/sim/check/stragglers.h"

#include <fmt/format.h>

namespace migd::sim {
namespace {

constexpr std::size_t kUdpHeader = 8;
constexpr std::uint16_t kGuePort = 6080;
constexpr std::uint8_t kForwarded = 0x80;
constexpr int kHopsMax = 8;

}  // namespace

void Stragglers::on_segment(const SegmentSeen& seen) {
  if (!seen.to_client && seen.segment.has(Segment::kSyn)) {
    newest_syn_[seen.flow.tuple] = seen.segment.seq;
  }
}

void Stragglers::on_message(PortId /*node*/, Instant /*at*/, const Message& message) {
  if (const auto* opened = std::get_if<ConnectionOpened>(&message)) {
    opened_by_[opened->tuple] = newest_syn_[opened->tuple];
  }
}

void Stragglers::on_crossing(const Crossing& crossing) {
  if (crossing.point != Crossing::Point::kSent) return;
  const auto ip = addresses_of(crossing.packet);
  if (!ip || ip->protocol != 17) return;
  const ByteView udp = crossing.packet.subspan(ip->header_size);
  if (udp.size() < kUdpHeader + 8 || (udp[2] << 8 | udp[3]) != kGuePort) return;
  const ByteView gue = udp.subspan(kUdpHeader);
  const std::size_t header = (std::size_t{gue[0]} + 1) * 4;
  if (gue.size() < header) return;
  const auto inner = decode(gue.subspan(header));
  if (!inner) return;
  const int hops = gue[6];
  if (hops > kHopsMax) report(crossing.at, fmt::format("{} hops: {}", hops, inner->to_string()));
  const bool opens = inner->has(Segment::kSyn) && !inner->has(Segment::kAck);
  // The connection's own SYN, repeated while it moves in SYN_RCVD, belongs to it.
  const auto own = opened_by_.find({inner->dst, inner->src});
  const bool repeated = own != opened_by_.end() && own->second == inner->seq;
  if ((gue[5] & kForwarded) != 0 && opens && !repeated && !forwarders_.contains(crossing.to)) {
    report(crossing.at, "a SYN follows a tombstone: " + inner->to_string());
  }
}

}  // namespace migd::sim
