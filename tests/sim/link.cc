#include "tests/sim/link.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.h"

namespace migd::sim {
namespace {

constexpr std::size_t kQueueMax = 2000;  // packets that a device keeps for a process that is slow
constexpr std::size_t kTrainMax = 65535;

void store(MutableBytes bytes, std::size_t at, std::size_t width, std::size_t value) {
  for (std::size_t i = width; i-- > 0; value >>= 8) {
    bytes[at + i] = static_cast<std::uint8_t>(value);
  }
}

std::uint32_t load(ByteView bytes, std::size_t at, std::size_t width) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < width; ++i)
    value = value << 8 | bytes[at + i];
  return value;
}

void set_ip_length(MutableBytes packet) {
  if (packet[0] >> 4 == 4) {
    store(packet, 2, 2, packet.size());
  } else {
    store(packet, 4, 2, packet.size() - 40);
  }
}

// Headers of one segment of a train that starts `offset` payload bytes into it.
void fix_segment(MutableBytes packet, const Addresses& ip, std::size_t offset, bool last) {
  set_ip_length(packet);
  const MutableBytes l4 = packet.subspan(ip.header_size);
  if (ip.protocol == 6) {
    store(l4, 4, 4, load(l4, 4, 4) + offset);
    if (!last) l4[13] = static_cast<std::uint8_t>(l4[13] & ~(Segment::kFin | Segment::kPsh));
  } else {
    store(l4, 4, 2, l4.size());
  }
  fill_checksums(packet);
}

std::size_t headers_size(const Addresses& ip, ByteView packet) {
  if (ip.protocol != 6) return ip.header_size + 8;
  return ip.header_size + std::size_t{packet[ip.header_size + 12]} / 16 * 4;
}

// A train in the making: what its next segment must look like.
struct Train {
  std::size_t index;  // of its arrival in the batch
  Segment head;       // of its last segment
  std::uint32_t next_seq;
  std::uint16_t segment_size;
  bool open;  // ended by PSH, FIN or a short segment

  Train(std::size_t at, const Segment& first)
      : index(at),
        head(first),
        next_seq(first.seq + static_cast<std::uint32_t>(first.payload.size())),
        segment_size(static_cast<std::uint16_t>(first.payload.size())),
        open(first.flags == Segment::kAck && first.block_count == 0 && segment_size > 0) {}

  bool same_stream(const Segment& other) const {
    return head.src == other.src && head.dst == other.dst;
  }
  // Whether a kernel would put `next` behind it.
  bool continued_by(const Segment& next, std::size_t train_bytes) const {
    const auto stamps = [](const Segment& s) {
      return s.timestamps ? std::pair(s.timestamps->value, s.timestamps->echo) : std::pair(0u, 0u);
    };
    return open && next.seq == next_seq && (next.flags | Segment::kPsh) == 0x18 &&
           !next.payload.empty() && next.payload.size() <= segment_size && next.ack == head.ack &&
           next.window == head.window && stamps(next) == stamps(head) && next.block_count == 0 &&
           train_bytes + next.payload.size() <= kTrainMax;
  }
  void extend(const Segment& next) {
    next_seq += static_cast<std::uint32_t>(next.payload.size());
    open = next.flags == Segment::kAck && next.payload.size() == segment_size;
  }
};

}  // namespace

std::vector<Bytes> segments_of(ByteView packet, const Offload& offload) {
  const auto ip = addresses_of(packet);
  if (!ip || offload.gso == Offload::Gso::kNone) {
    std::vector<Bytes> one{to_bytes(packet)};
    if (offload.checksum == Offload::Checksum::kPartial) fill_checksums(one.front());
    return one;
  }
  MIGD_CHECK(offload.gso_size > 0);
  std::vector<Bytes> segments;
  const std::size_t headers = headers_size(*ip, packet);
  for (std::size_t at = headers; at < packet.size() || at == headers; at += offload.gso_size) {
    const std::size_t size = std::min<std::size_t>(offload.gso_size, packet.size() - at);
    Bytes segment = to_bytes(packet.first(headers));
    append(segment, packet.subspan(at, size));
    fix_segment(segment, *ip, at - headers, at + size == packet.size());
    segments.push_back(std::move(segment));
  }
  return segments;
}

SimLink::SimLink(SimNet& net, PortId port, SimNodeLoop& loop, std::shared_ptr<FramePool> pool,
                 const SimLinkOptions& options)
    : net_(net), port_(port), loop_(loop), pool_(std::move(pool)), options_(options) {
  net_.set_deliver(port_, [this](Bytes packet) { on_packet(std::move(packet)); });
}

SimLink::~SimLink() {
  net_.set_deliver(port_, nullptr);
}

void SimLink::send(Frame frame) {
  const auto& offload = frame.offload;
  const auto& can = options_.capabilities;
  MIGD_CHECK(offload.gso != Offload::Gso::kTcp || can.tcp_gso);
  MIGD_CHECK(offload.gso != Offload::Gso::kUdp || can.udp_gso);
  for (Bytes& segment : segments_of(frame.bytes(), offload)) {
    if (segment.size() > can.mtu) {
      ++dropped_;
    } else {
      net_.send(port_, std::move(segment));
    }
  }
}

void SimLink::on_packet(Bytes packet) {
  if (batch_.size() >= kQueueMax) {
    ++dropped_;
    return;
  }
  batch_.push_back({std::move(packet)});
  if (batch_.size() == 1) {
    loop_.schedule(loop_.world().now() + options_.batch_window, [this] { deliver_batch(); });
  }
}

void SimLink::deliver_batch() {
  for (const Arrival& arrival :
       options_.coalesce ? coalesced(std::exchange(batch_, {})) : std::exchange(batch_, {})) {
    deliver(arrival);
  }
  if (receiver_ != nullptr) receiver_->on_batch_end(loop_.now());
}

// Segments of one stream that follow each other become one arrival; the order within each stream
// stays.
std::vector<SimLink::Arrival> SimLink::coalesced(std::vector<Arrival> batch) {
  std::vector<Arrival> out;
  std::vector<Train> trains;
  for (Arrival& arrival : batch) {
    const auto next = decode(arrival.packet);
    if (!next) {
      out.push_back(std::move(arrival));
      continue;
    }
    const auto found = std::find_if(trains.begin(), trains.end(),
                                    [&](const Train& t) { return t.same_stream(*next); });
    if (found != trains.end() && found->continued_by(*next, out[found->index].packet.size())) {
      Arrival& train = out[found->index];
      append(train.packet, next->payload);
      if (next->has(Segment::kPsh)) {
        train.packet[addresses_of(train.packet)->header_size + 13] |= Segment::kPsh;
      }
      train.segment_size = found->segment_size;
      found->extend(*next);
      continue;
    }
    if (found != trains.end()) trains.erase(found);
    trains.emplace_back(out.size(), *next);
    trains.back().head.payload = {};
    out.push_back(std::move(arrival));
  }
  for (Arrival& arrival : out) {
    if (arrival.segment_size == 0) continue;
    set_ip_length(arrival.packet);
    fill_checksums(arrival.packet);
  }
  return out;
}

void SimLink::deliver(const Arrival& arrival) {
  if (receiver_ == nullptr) return;
  Frame frame = pool_->copy_of(arrival.packet);
  const bool verified = options_.capabilities.checksum_offload && checksums_hold(arrival.packet);
  if (verified) frame.offload.checksum = Offload::Checksum::kVerified;
  if (arrival.segment_size != 0) {
    frame.offload.gso = Offload::Gso::kTcp;
    frame.offload.gso_size = arrival.segment_size;
  }
  receiver_->on_frame(std::move(frame), loop_.now());
}

}  // namespace migd::sim
