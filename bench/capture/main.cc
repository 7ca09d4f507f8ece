// capture: writes the first bytes of every packet of an interface to a pcap file, and says honestly
// how many it missed. For evidence in the demo and the tests, where tcpdump does not work (it drops
// its rights, which a user namespace with one user id does not allow).
//
//   capture INTERFACE FILE [SNAPLEN]     until SIGTERM or SIGINT; then one line of JSON on stdout
//
// AF_PACKET with a TPACKET_V3 ring: the kernel stamps each packet on arrival (CLOCK_REALTIME) and
// counts what did not fit into the ring. A filter has it copy no more than SNAPLEN: what is watched
// is to feel the watching as little as possible.
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

constexpr unsigned kBlockBytes = 128u << 10;
constexpr unsigned kBlocks = 512;
constexpr unsigned kBlockTimeoutMs = 20;

volatile sig_atomic_t stopping = 0;
void stop(int) {
  stopping = 1;
}

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "capture: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

void copy_at_most(int fd, std::uint32_t snaplen) {
  sock_filter whole = BPF_STMT(BPF_RET | BPF_K, snaplen);
  const sock_fprog program{1, &whole};
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0) {
    die("SO_ATTACH_FILTER");
  }
}

int open_ring(const char* interface, std::uint32_t snaplen, std::uint8_t** ring) {
  const int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
  if (fd < 0) die("socket");
  copy_at_most(fd, snaplen);
  int version = TPACKET_V3;
  if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) < 0) die("TPACKET_V3");
  tpacket_req3 request{};
  request.tp_block_size = kBlockBytes;
  request.tp_block_nr = kBlocks;
  request.tp_frame_size = TPACKET_ALIGNMENT << 7;
  request.tp_frame_nr = kBlockBytes / request.tp_frame_size * kBlocks;
  request.tp_retire_blk_tov = kBlockTimeoutMs;
  if (setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) < 0)
    die("PACKET_RX_RING");
  void* memory = mmap(nullptr, std::size_t{kBlockBytes} * kBlocks, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_POPULATE, fd, 0);
  if (memory == MAP_FAILED) die("mmap");
  *ring = static_cast<std::uint8_t*>(memory);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(if_nametoindex(interface));
  if (address.sll_ifindex == 0) die(interface);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) die("bind");
  return fd;
}

// Classic pcap with nanoseconds, link type Ethernet.
void write_file_header(std::FILE* out, std::uint32_t snaplen) {
  const std::uint32_t header[6] = {0xa1b23c4d, 2u | 4u << 16, 0, 0, snaplen, 1};
  std::fwrite(header, sizeof header, 1, out);
}

std::uint64_t write_block(const tpacket_block_desc* block, std::FILE* out, std::uint32_t snaplen) {
  const std::uint8_t* at =
      reinterpret_cast<const std::uint8_t*>(block) + block->hdr.bh1.offset_to_first_pkt;
  for (std::uint32_t i = 0; i < block->hdr.bh1.num_pkts; ++i) {
    const auto* packet = reinterpret_cast<const tpacket3_hdr*>(at);
    const std::uint32_t kept = packet->tp_snaplen < snaplen ? packet->tp_snaplen : snaplen;
    const std::uint32_t header[4] = {packet->tp_sec, packet->tp_nsec, kept, packet->tp_len};
    std::fwrite(header, sizeof header, 1, out);
    std::fwrite(at + packet->tp_mac, kept, 1, out);
    at += packet->tp_next_offset;
  }
  return block->hdr.bh1.num_pkts;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: capture INTERFACE FILE [SNAPLEN]\n");
    return 2;
  }
  const auto snaplen = static_cast<std::uint32_t>(argc > 3 ? std::atoi(argv[3]) : 134);
  std::uint8_t* ring = nullptr;
  const int fd = open_ring(argv[1], snaplen, &ring);
  std::FILE* out = std::fopen(argv[2], "wb");
  if (out == nullptr) die(argv[2]);
  std::vector<char> buffer(32u << 10);  // a larger write holds the processor for milliseconds
  std::setvbuf(out, buffer.data(), _IOFBF, buffer.size());
  write_file_header(out, snaplen);

  struct sigaction action {};
  action.sa_handler = stop;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  std::fprintf(stderr, "capture: ready\n");

  std::uint64_t packets = 0;
  unsigned next = 0;
  bool draining = false;
  for (;;) {
    auto* block = reinterpret_cast<tpacket_block_desc*>(ring + std::size_t{next} * kBlockBytes);
    if ((__atomic_load_n(&block->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) != 0) {
      packets += write_block(block, out, snaplen);
      __atomic_store_n(&block->hdr.bh1.block_status, std::uint32_t{TP_STATUS_KERNEL},
                       __ATOMIC_RELEASE);
      next = (next + 1) % kBlocks;
      continue;
    }
    if (draining) break;
    pollfd wait{fd, POLLIN | POLLERR, 0};
    // After the signal one more block time: what the kernel has is handed over by then.
    const int ready = poll(&wait, 1, stopping ? static_cast<int>(3 * kBlockTimeoutMs) : 200);
    if (stopping && ready <= 0) draining = true;
  }
  tpacket_stats_v3 stats{};
  socklen_t size = sizeof stats;
  if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size) < 0) die("PACKET_STATISTICS");
  if (std::fclose(out) != 0) die(argv[2]);
  std::printf("{\"packets\": %llu, \"drops\": %u}\n", static_cast<unsigned long long>(packets),
              stats.tp_drops);
  return 0;
}
