// The smallest TCP that can take a stream from the kernel over a link: accepts one connection,
// acknowledges every frame, and sends what it is told as one train. It assumes that nothing is lost
// or reordered, and fails the test when something is.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "stack/link.h"
#include "tests/support/packets.h"

namespace migd::test {

class TcpSink : public FrameSink {
 public:
  TcpSink(Link& link, std::shared_ptr<FramePool> pool, const Endpoint& local)
      : link_(link), pool_(std::move(pool)), local_(local) {}

  void on_frame(Frame frame, Instant) override {
    const auto ip = parse_ip(frame.bytes());
    if (!ip || ip->protocol != kProtocolTcp || ip->dst != local_.address) return;
    if (!l4_checksum_ok(*ip, frame)) ++bad_checksums_;
    const auto tcp =
        TcpView::parse(frame.bytes().subspan(ip->header_size, ip->total_size - ip->header_size));
    ASSERT_TRUE(tcp);
    if (tcp->has(tcp_flag::kSyn)) {
      peer_ = {ip->src, tcp->src_port()};
      next_in_ = tcp->seq() + 1;
      reply(tcp_flag::kSyn | tcp_flag::kAck, mss_option());
      next_out_ += 1;
      return;
    }
    established_ = true;
    if (tcp->payload().empty()) return;
    ASSERT_EQ(tcp->seq(), next_in_) << "lost or out of order";
    note_train(frame, tcp->payload().size());
    append(received_, tcp->payload());
    next_in_ += tcp->seq_length();
    reply(tcp_flag::kAck, {});
  }

  // At most the peer's window, which is 64 KiB or more at the start.
  void send(const Bytes& payload, std::uint16_t segment_size) {
    Bytes packet = tcp_packet(fields(tcp_flag::kAck | tcp_flag::kPsh, {}, payload));
    make_partial(packet);
    Frame frame = pool_->copy_of(packet);
    frame.offload = {Offload::Gso::kTcp, segment_size, Offload::Checksum::kPartial};
    next_out_ += static_cast<std::uint32_t>(payload.size());
    link_.send(std::move(frame));
  }

  bool established() const { return established_; }
  const Bytes& received() const { return received_; }
  std::size_t largest_train() const { return largest_train_; }  // payload bytes of one frame
  std::size_t segment_size() const { return segment_size_; }    // of the largest train
  std::size_t bad_checksums() const { return bad_checksums_; }

 private:
  Bytes mss_option() const {
    const auto mss =
        static_cast<std::uint16_t>(1500 - ip_header_size(local_.address.family()) - 20);
    return {2, 4, static_cast<std::uint8_t>(mss >> 8), static_cast<std::uint8_t>(mss)};
  }
  void note_train(const Frame& frame, std::size_t payload_size) {
    if (payload_size <= largest_train_) return;
    largest_train_ = payload_size;
    segment_size_ = frame.offload.gso_size;
  }
  TcpFields fields(unsigned flags, Bytes options, Bytes payload) const {
    return {.src = local_,
            .dst = peer_,
            .seq = next_out_.value(),
            .ack = next_in_.value(),
            .flags = static_cast<std::uint8_t>(flags),
            .options = std::move(options),
            .payload = std::move(payload)};
  }
  void reply(unsigned flags, Bytes options) {
    link_.send(pool_->copy_of(tcp_packet(fields(flags, std::move(options), {}))));
  }

  Link& link_;
  std::shared_ptr<FramePool> pool_;
  Endpoint local_, peer_;
  SeqNum next_in_, next_out_{1'000'000};
  bool established_ = false;
  Bytes received_;
  std::size_t largest_train_ = 0, segment_size_ = 0, bad_checksums_ = 0;
};

}  // namespace migd::test
