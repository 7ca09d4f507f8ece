// Fuzzer `device`: a whole node, and whatever comes in by its device: bytes of the input as they
// are, and packets that are right but for what the input changes, so that they come further: of a
// client, of a tunnel, of the blob channel. Frames may say what they like of their offloads.
#include <algorithm>
#include <deque>
#include <memory>

#include "app/files/memory_file_store.h"
#include "base/check.h"
#include "base/log.h"
#include "cli/node.h"
#include "stack/assertion_guard.h"
#include "tests/fuzz/fabric.h"
#include "tests/fuzz/finding.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/no_streams.h"
#include "tests/support/packets.h"
#include "tests/support/sim_loop.h"
#include "tests/support/sim_rng.h"

namespace migd::fuzz {
namespace {

constexpr int kStepsMax = 200;
constexpr std::size_t kFramesKept = 16;

const Endpoint kVip{IpAddress::v4(0x0a4d0050), 7};
const Endpoint kVip6{*IpAddress::parse("fd77::50"), 7};
const Endpoint kClient{IpAddress::v4(0x0a4d0c01), 40000};
const Endpoint kClient6{*IpAddress::parse("fd77:1::1"), 40000};
// The addresses of the golden vectors: what goes from the first to the second is for us.
const IpAddress kPeer = IpAddress::v4(0x0a4d0901), kSelf = IpAddress::v4(0x0a4d0902);
const IpAddress kPeer6 = *IpAddress::parse("fd77:9::1"), kSelf6 = *IpAddress::parse("fd77:9::2");

NodeInfo node_info(std::uint16_t id, const IpAddress& v4, const IpAddress& v6) {
  NodeInfo made;
  made.id = NodeId{id};
  made.name = "n" + std::to_string(id);
  made.roles = {.forwarder = true, .classifier = true, .host = true};
  made.tunnel_v4 = v4;
  made.tunnel_v6 = v6;
  return made;
}

NodeOptions node_options() {
  NodeOptions options;
  options.self = node_info(1, kSelf, kSelf6);
  options.peers.push_back({node_info(2, kPeer, kPeer6), {}});
  options.window_bytes = options.send_buffer_bytes = 32u << 10;
  ServiceOptions echo;
  echo.name = "echo";
  echo.vips = {kVip, kVip6};
  echo.protocol = ServiceOptions::Protocol::kNone;
  echo.default_target = NodeTarget{NodeId{1}};
  echo.default_application = "echo";
  options.services = {echo};
  ApplicationOptions application;
  application.name = "echo";
  options.applications = {application};
  return options;
}

class Device : Link {
 public:
  Device() : rng_(1), loop_(world_, {}) {
    world_.run_until(Instant(100s));
    auto made = Node::create(node_options(), {.link = *this,
                                              .loop = loop_,
                                              .rng = rng_,
                                              .log = log_,
                                              .files = files_,
                                              .streams = streams_,
                                              .pool = pool_,
                                              .unix_time = {},
                                              .make_channel = fabric_.factory()});
    MIGD_CHECK(made.has_value());
    node_ = std::move(*made);
  }
  ~Device() { node_.reset(); }

  void step(Input& in) {
    switch (in.below(8)) {
      case 0:
      case 1:
        return give(in.bytes(in.u8()), in);
      case 2:
      case 3:
        return give_segment(in);
      case 4:
        return give_datagram(in);
      case 5:
        return give_again(in);
      case 6:
        return give_mapped(in);
      case 7:
        return pass(Duration(10us) * in.size());
    }
  }

  void pass(Duration time) {
    const Instant until = world_.now() + time;
    for (int i = 0; i < 1000; ++i) {  // events; what is left comes the next time
      if (!world_.run_until([] { return true; }, until)) break;
    }
    world_.run_until(until);
    check();
  }

 private:
  // ---- Link ----
  const LinkCapabilities& capabilities() const override { return link_; }
  std::string description() const override { return "fuzz"; }
  void set_receiver(FrameSink* to) override { receiver_ = to; }
  std::uint64_t frames_dropped() const override { return 0; }
  void send(Frame frame) override {
    const auto ip = parse_ip(frame.bytes());
    MIGD_FUZZ_HOLDS(ip.has_value(), "sent what is no IP packet");
    MIGD_FUZZ_HOLDS(ip->total_size == frame.bytes().size(), "sent a packet of another size");
    if (ip->protocol != kProtocolTcp) return;
    const auto tcp = TcpView::parse(frame.bytes().subspan(ip->header_size));
    MIGD_FUZZ_HOLDS(tcp.has_value(), "sent what is no TCP segment");
    if (tcp->has(tcp_flag::kSyn)) {
      first_ = tcp->seq();
      spoken_ = first_ + 1;
    }
    spoken_ = std::max(spoken_, tcp->seq() + tcp->seq_length());
  }

  void give(ByteView bytes, Input& in) {
    Frame frame = pool_->copy_of(bytes);
    if (in.below(8) == 0) {
      frame.offload.gso = static_cast<Offload::Gso>(in.below(3));
      frame.offload.gso_size = in.u16();
      frame.offload.checksum = static_cast<Offload::Checksum>(in.below(3));
    }
    latest_.push_back(to_bytes(bytes));
    if (latest_.size() > kFramesKept) latest_.pop_front();
    receiver_->on_frame(std::move(frame), world_.now());
    if (in.flag()) receiver_->on_batch_end(world_.now());
    check();
  }

  void give_segment(Input& in) {
    const bool v6 = in.flag();
    test::TcpFields fields;
    fields.src = v6 ? kClient6 : kClient;
    fields.dst = v6 ? kVip6 : kVip;
    fields.src.port = static_cast<std::uint16_t>(fields.src.port + in.below(3));
    constexpr std::uint8_t kLikely[] = {tcp_flag::kSyn, tcp_flag::kAck,
                                        tcp_flag::kAck | tcp_flag::kPsh,
                                        tcp_flag::kAck | tcp_flag::kFin};
    const std::uint8_t flags = in.u8();
    fields.flags = flags < 192 ? kLikely[flags % 4] : flags & 0x3f;
    fields.seq = 1000 + ((fields.flags & tcp_flag::kSyn) != 0 ? 0u : 1u + in.size());
    fields.ack = (in.flag() ? spoken_ : first_ + in.size()).value();
    fields.window = in.u16();
    fields.options = to_bytes(in.bytes(in.below(11) * 4u));
    fields.options.resize(fields.options.size() / 4 * 4);
    fields.payload = test::ramp(in.size() % 1400);
    give(test::tcp_packet(fields), in);
  }

  // To the port of GUE, of the channel, or another; from the peer, or a stranger.
  void give_datagram(Input& in) {
    const bool v6 = in.flag();
    constexpr std::uint16_t kPorts[] = {6080, 7946, 53};
    test::UdpFields fields;
    fields.src = {in.below(8) == 0 ? (v6 ? kClient6 : kClient).address : (v6 ? kPeer6 : kPeer),
                  in.u16()};
    fields.dst = {v6 ? kSelf6 : kSelf, kPorts[in.below(3)]};
    fields.payload = to_bytes(in.bytes(in.u8()));
    give(test::udp_packet(fields), in);
  }

  // TCP from the peer's tunnel address to ours: its ports are a flow identifier.
  void give_mapped(Input& in) {
    const bool v6 = in.flag();
    test::TcpFields fields;
    fields.src = {v6 ? kPeer6 : kPeer, in.u16()};
    fields.dst = {v6 ? kSelf6 : kSelf, in.u16()};
    fields.flags = in.u8();
    fields.payload = to_bytes(in.bytes(in.u8()));
    give(test::tcp_packet(fields), in);
  }

  void give_again(Input& in) {
    if (latest_.empty()) return;
    Bytes packet = latest_[in.u8() % latest_.size()];
    for (std::uint8_t i = in.below(4); i > 0 && !packet.empty(); --i) {
      const std::size_t at = in.u16() % packet.size();
      packet[at] = in.u8();
    }
    if (in.below(4) == 0) packet.resize(in.u16() % (packet.size() + 1));
    give(packet, in);
  }

  void check() {
    if (node_->metrics().counter("migd_stack_quarantined_connections_total").value == 0) return;
    const AssertionGuard::Failure& failure = AssertionGuard::last_failure();
    finding(std::string("an assertion of lwIP failed: ") + failure.message);
  }

  sim::SimLoop world_;
  Fabric fabric_;
  MemoryFileStore files_;
  sim::SimRng rng_;
  LinkCapabilities link_;
  sim::SimNodeLoop loop_;
  NullLog log_;
  NoStreams streams_;
  std::shared_ptr<FramePool> pool_ = FramePool::create();
  FrameSink* receiver_ = nullptr;
  std::unique_ptr<Node> node_;
  std::deque<Bytes> latest_;
  SeqNum first_, spoken_;  // of the server's numbers, as last heard
};

}  // namespace
}  // namespace migd::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  migd::fuzz::Input in({data, size});
  migd::fuzz::Device device;
  for (int i = 0; i < migd::fuzz::kStepsMax && !in.empty(); ++i)
    device.step(in);
  device.pass(migd::Duration(std::chrono::seconds(10)));
  return 0;
}
