// migd-bench-flood: packets of strangers, as fast as they can be sent, and for a while only.
//
//   migd-bench-flood ADDRESS:PORT SECONDS
//
// For half of the time SYNs, with the options of an ordinary client; then segments of connections
// that do not exist, with random flags and numbers. Each comes from another address and port of
// 10.77.128.0/17, none of which is anybody's. On the way back nothing is read.
//
// Needs CAP_NET_RAW. At the end it prints what it has sent, as JSON.
#include <array>
#include <cstdint>

#include "bench/support/random.h"
#include "bench/support/raw_sender.h"
#include "bench/support/system.h"

namespace migd::bench {
namespace {

constexpr int kSecondsMax = 600;

class Flood {
 public:
  explicit Flood(const sockaddr_in& target) : sender_(target) {}

  // Returns how many were sent.
  std::uint64_t run(bool syns, Clock::time_point until) {
    const std::uint64_t before = sender_.sent();
    while (Clock::now() < until) {
      for (std::size_t i = 0; i < RawSender::kBatch; ++i)
        syns ? add_syn() : add_segment();
    }
    return sender_.sent() - before;
  }

 private:
  void add_syn() {
    std::array<std::uint8_t, kSynOptions.size()> options = kSynOptions;
    store_u32(&options[kSynTimestampAt], random_.u32());
    add(tcp_flag::kSyn, options, {});
  }

  void add_segment() {
    constexpr std::array<std::uint8_t, 5> kFlags{tcp_flag::kAck, tcp_flag::kAck | tcp_flag::kPsh,
                                                 tcp_flag::kAck | tcp_flag::kFin, tcp_flag::kRst,
                                                 tcp_flag::kAck | tcp_flag::kSyn};
    static constexpr std::array<std::uint8_t, RawSender::kPayloadMax> kPayload{};
    add(kFlags[random_.u32() % kFlags.size()], {},
        ByteView(kPayload).first(random_.u32() % kPayload.size()));
  }

  void add(std::uint8_t flags, ByteView options, ByteView payload) {
    CraftedSegment segment;
    segment.src = IpAddress::v4(0x0a4d8000u | (random_.u32() & 0x7fff));
    segment.src_port = static_cast<std::uint16_t>(1024 + random_.u32() % 60000);
    segment.seq = random_.u32();
    segment.ack = flags == tcp_flag::kSyn ? 0 : random_.u32();
    segment.flags = flags;
    segment.options = options;
    segment.payload = payload;
    sender_.add(segment);
  }

  Random random_;
  RawSender sender_;
};

int main(char** arguments) {
  const double seconds = std::atof(arguments[2]);
  if (!(seconds > 0 && seconds <= kSecondsMax)) die("SECONDS is out of range");
  Flood flood(parse_endpoint(arguments[1]));
  const Clock::time_point began = Clock::now();
  const auto half =
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds / 2));
  const std::uint64_t syns = flood.run(true, began + half);
  const std::uint64_t segments = flood.run(false, began + 2 * half);
  std::printf("{\"syns\":%llu,\"segments\":%llu}\n", static_cast<unsigned long long>(syns),
              static_cast<unsigned long long>(segments));
  return 0;
}

}  // namespace
}  // namespace migd::bench

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: migd-bench-flood ADDRESS:PORT SECONDS\n");
    return 2;
  }
  return migd::bench::main(argv);
}
