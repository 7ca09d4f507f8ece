#include "bench/scale/forwarder_population.h"

#include <array>

#include "base/check.h"
#include "bench/scale/resident_memory.h"
#include "bench/support/crafted_segment.h"
#include "forwarder/forwarder.h"
#include "stack/links/intake.h"
#include "tests/support/sim_rng.h"

namespace migd::bench {
namespace {

constexpr std::uint16_t kGuePort = 6080, kChannelPort = 7946;
constexpr Instant kMapped{Duration(1000s)};
constexpr NodeId kHost{2};

NodeInfo node(NodeId id, Roles roles) {
  NodeInfo info;
  info.id = id;
  info.name = "n" + std::to_string(id.value);
  info.roles = roles;
  info.tunnel_v4 = IpAddress::v4(0x0a4dc800u + id.value);  // 10.77.200.0/24
  return info;
}

FourTuple tuple_of(std::uint32_t flow) {
  constexpr std::uint32_t kService = 0x0a4d6401, kFirstAddress = 0x0a4d8000, kPortsEach = 60'000;
  return {{IpAddress::v4(kService), 7},
          {IpAddress::v4(kFirstAddress + flow / kPortsEach),
           static_cast<std::uint16_t>(1024 + flow % kPortsEach)}};
}

class ForwarderPopulation : public Population, private FrameSink {
 public:
  explicit ForwarderPopulation(std::uint32_t flows) : flows_(flows) {
    bus_.post(PeerUp{kHost, Boot{1}});
    bus_.dispatch();
    const ResidentMemory before;
    for (std::uint32_t i = 0; i < flows; ++i) {
      const Tenure tenure{{NodeId{1}, Boot{1}, i + 1u}, Epoch{2}};
      bus_.post(MappingRequest{tuple_of(i), tenure, kHost, FlowId{i + 1}, NodeId{1}});
      bus_.dispatch();
      forwarder_.send_order_marks();
    }
    bytes_ = before.grown();
    MIGD_CHECK(forwarder_.mappings().size() == flows);
  }

  double bytes_each() const override { return bytes_ / flows_; }

  double nanoseconds_per_packet(unsigned packets) override {
    Stopwatch watch;
    Instant now = kMapped;
    for (unsigned done = 0; done < packets; done += kBatch) {
      std::array<Frame, kBatch> frames;
      for (Frame& frame : frames)
        frame = packet_of(static_cast<std::uint32_t>(rng_.below(flows_)));
      now += kBatch * 1us;
      watch.start();
      for (std::size_t i = 0; i < kBatch; i += Intake::kGroup)
        take(std::span(frames).subspan(i, Intake::kGroup), now);
      watch.stop();
    }
    return watch.nanoseconds() / packets;
  }

 private:
  static_assert(kBatch % Intake::kGroup == 0);

  // As a link gives them to a node.
  void take(std::span<Frame> frames, Instant now) {
    if (forwarder_.looks_ahead()) forwarder_.look_ahead(frames);
    for (Frame& frame : frames) {
      const auto ip = parse_ip(frame.bytes());
      MIGD_CHECK(forwarder_.route(frame, *ip, now) == Forwarder::Route::kSent);
    }
  }
  Frame packet_of(std::uint32_t flow) {
    const FourTuple tuple = tuple_of(flow);
    CraftedSegment segment;
    segment.src = tuple.peer.address;
    segment.dst = tuple.local.address;
    segment.src_port = tuple.peer.port;
    segment.dst_port = tuple.local.port;
    segment.flags = tcp_flag::kAck;
    Frame frame = pool_->allocate(kCraftedHeaders);
    craft(segment, frame.data());
    return frame;
  }

  void on_frame(Frame /*frame*/, Instant /*now*/) override {}

  const std::uint32_t flows_;
  const NodeInfo self_ = node(NodeId{1}, {.forwarder = true, .classifier = true});
  const std::vector<NodeInfo> peers_{node(kHost, {.host = true})};
  std::shared_ptr<FramePool> pool_ = FramePool::create();
  sim::SimRng rng_{1};
  DropCounters drops_;
  MessageBus bus_;
  NodeHealth health_{self_, peers_, bus_};
  Tunnel tunnel_{self_, peers_, kGuePort, kChannelPort, LinkCapabilities{},
                 pool_, *this,  drops_,   rng_};
  Forwarder forwarder_{self_, peers_, tunnel_, health_, bus_, drops_, rng_, kMapped};
  double bytes_ = 0;
};

}  // namespace

std::unique_ptr<Population> make_forwarder_population(std::uint32_t flows) {
  return std::make_unique<ForwarderPopulation>(flows);
}

}  // namespace migd::bench
