#include "stack/egress_queue.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "base/check.h"
#include "base/checksum.h"
#include "stack/lwip_headers.h"

namespace migd {
namespace {

constexpr std::size_t kPacketMax = 65535;  // IPv4's total length; for IPv6, with room to spare
constexpr std::uint8_t kEndsTrain = tcp_flag::kPsh | tcp_flag::kFin;
constexpr std::uint8_t kNeverInTrain = tcp_flag::kSyn | tcp_flag::kRst | tcp_flag::kUrg;
constexpr std::size_t kFlagsOffset = 13;

ByteView header_of(const pbuf& segment) {
  return {static_cast<const std::uint8_t*>(segment.payload), segment.len};
}

// The bytes of the chain from `offset` on.
void copy_from(const pbuf& segment, std::size_t offset, MutableBytes out) {
  std::size_t copied = 0;
  for (const pbuf* p = &segment; p != nullptr && copied < out.size(); p = p->next) {
    if (offset >= p->len) {
      offset -= p->len;
      continue;
    }
    const std::size_t n = std::min<std::size_t>(p->len - offset, out.size() - copied);
    std::memcpy(out.data() + copied, static_cast<const std::uint8_t*>(p->payload) + offset, n);
    copied += n;
    offset = 0;
  }
  MIGD_CHECK(copied == out.size());
}

bool same_options(const TcpView& a, const TcpView& b) {
  const ByteView x = a.options(), y = b.options();
  return x.size() == y.size() && std::memcmp(x.data(), y.data(), x.size()) == 0;
}

}  // namespace

EgressQueue::EgressQueue(const LinkCapabilities& link, std::shared_ptr<FramePool> pool)
    : trains_(link.tcp_gso && link.checksum_offload),
      partial_checksums_(link.checksum_offload),
      pool_(std::move(pool)) {}

EgressQueue::Span EgressQueue::add(IpHeader ip, const pbuf& segment) {
  const auto tcp = TcpView::parse(header_of(segment));
  MIGD_CHECK(tcp.has_value());
  const std::size_t payload_size = segment.tot_len - tcp->header_size();
  ip.header_size = static_cast<std::uint16_t>(ip_header_size(ip.family()));
  const Span span{tcp->seq(), static_cast<std::uint32_t>(payload_size) +
                                  (tcp->has(tcp_flag::kSyn) ? 1u : 0u) +
                                  (tcp->has(tcp_flag::kFin) ? 1u : 0u)};
  if (joins(ip, *tcp, payload_size)) {
    join(*tcp, segment, payload_size);
  } else {
    finish();
    begin(ip, *tcp, segment);
  }
  return span;
}

void EgressQueue::add(IpHeader ip, ByteView header) {
  ip.header_size = static_cast<std::uint16_t>(ip_header_size(ip.family()));
  finish();
  Frame frame = pool_->allocate(ip.header_size + header.size());
  std::copy(header.begin(), header.end(), frame.data() + ip.header_size);
  frames_.push_back(std::move(frame));
  train_ = {ip, header.size(), 0, {}, false};
  finish();
}

bool EgressQueue::joins(const IpHeader& ip, const TcpView& tcp, std::size_t payload_size) const {
  if (!train_.open || payload_size == 0 || payload_size > train_.segment_size) return false;
  if (tcp.seq() != train_.next || tcp.has(kNeverInTrain)) return false;
  if (ip.src != train_.ip.src || ip.dst != train_.ip.dst || ip.hop_limit != train_.ip.hop_limit ||
      ip.traffic_class != train_.ip.traffic_class) {
    return false;
  }
  const Frame& frame = frames_.back();
  if (frame.size() + payload_size > kPacketMax) return false;
  const auto first = TcpView::parse(frame.bytes().subspan(ip.header_size));
  return first && first->src_port() == tcp.src_port() && first->dst_port() == tcp.dst_port() &&
         first->ack() == tcp.ack() && first->window() == tcp.window() &&
         first->flags() == (tcp.flags() & ~kEndsTrain) && same_options(*first, tcp);
}

void EgressQueue::join(const TcpView& tcp, const pbuf& segment, std::size_t payload_size) {
  Frame& frame = frames_.back();
  if (frame.tailroom() < payload_size) {
    Frame larger = pool_->allocate(FramePool::kLargest);
    larger.truncate(frame.size());
    std::memcpy(larger.data(), frame.data(), frame.size());
    larger.offload = frame.offload;
    frame = std::move(larger);
  }
  copy_from(segment, tcp.header_size(), frame.append(payload_size));
  frame.data()[train_.ip.header_size + kFlagsOffset] |= tcp.flags() & kEndsTrain;
  frame.offload.gso = Offload::Gso::kTcp;
  frame.offload.gso_size = static_cast<std::uint16_t>(train_.segment_size);
  train_.next = train_.next + static_cast<std::uint32_t>(payload_size);
  train_.open = payload_size == train_.segment_size && !tcp.has(kEndsTrain);
}

void EgressQueue::begin(const IpHeader& ip, const TcpView& tcp, const pbuf& segment) {
  const std::size_t payload_size = segment.tot_len - tcp.header_size();
  Frame frame = pool_->allocate(ip.header_size + segment.tot_len);
  copy_from(segment, 0, frame.mutable_bytes().subspan(ip.header_size));
  frames_.push_back(std::move(frame));
  train_ = {ip, tcp.header_size(), payload_size,
            tcp.seq() + static_cast<std::uint32_t>(payload_size),
            trains_ && payload_size > 0 && !tcp.has(kEndsTrain | kNeverInTrain)};
}

// Lengths and sums, now that the frame has its final size.
void EgressQueue::finish() {
  if (frames_.empty() || train_.header_size == 0) return;
  Frame& frame = frames_.back();
  IpHeader& ip = train_.ip;
  ip.total_size = static_cast<std::uint32_t>(frame.size());
  const std::size_t tcp_size = frame.size() - ip.header_size;
  write_ip_header(frame.mutable_bytes(), ip, tcp_size, 0);
  if (partial_checksums_) {
    const std::uint32_t sum = pseudo_header_sum(ip.src, ip.dst, kProtocolTcp, tcp_size);
    store_u16(frame.data() + ip.header_size + TcpView::kChecksumOffset, checksum_fold(sum));
    frame.offload.checksum = Offload::Checksum::kPartial;
  } else {
    complete_l4_checksum(ip, frame.mutable_bytes());
    frame.offload.checksum = Offload::Checksum::kVerified;
  }
  train_ = {};
}

void EgressQueue::take(std::vector<Frame>& out) {
  finish();
  std::move(frames_.begin(), frames_.end(), std::back_inserter(out));
  frames_.clear();
}

}  // namespace migd
