// migd-bench-crowd: as many clients of an echo server as one likes, by crafted segments: no socket,
// no port and no memory of the kernel for each, so that a million of them fit one process.
//
//   migd-bench-crowd INTERFACE ADDRESS:PORT COUNT
//
// The clients are those of 10.77.128.0/18, which must be routed to INTERFACE and be nobody's. When
// all are connected it prints "ready", and does what the lines of its standard input say:
//
//   ping SECONDS    one after the other, random clients send 64 bytes and wait for their echo
//   check           each client does so once
//
// It answers each with a line of JSON. At the end of its input it is gone without a word, and the
// server still has the connections. Needs CAP_NET_RAW.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <deque>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "bench/support/packet_socket.h"
#include "bench/support/random.h"
#include "bench/support/raw_sender.h"

namespace migd::bench {
namespace {

constexpr std::uint32_t kFirstAddress = 0x0a4d8001;  // 10.77.128.1
constexpr std::uint32_t kAddresses = 16'000;
constexpr std::uint16_t kFirstPort = 1024;
constexpr std::uint32_t kClientsMax = kAddresses * 60'000;
constexpr std::size_t kOpeningMax = 256;  // at once: less than a listener's backlog
constexpr std::size_t kAskingMax = 256;
constexpr auto kSendAgain = std::chrono::seconds(1);
constexpr std::array<std::uint8_t, RawSender::kPayloadMax> kRequest{};

struct Client {
  std::uint32_t send_next = 0;
  std::uint32_t receive_next = 0;
  bool connected = false;
  bool waiting = false;  // for an answer to what it has sent last
};

class Crowd {
 public:
  Crowd(const char* interface, const sockaddr_in& server, std::uint32_t count)
      : server_(server), in_(open_packet_socket(interface)), sender_(server), clients_(count) {}

  void connect_all() {
    do_all(kOpeningMax, [this](std::uint32_t client, bool /*first*/) { send_syn(client); });
  }

  void check_all() {
    const auto connected = [](const Client& c) { return c.connected && !c.waiting; };
    do_all(kAskingMax, [this](std::uint32_t client, bool first) { send_request(client, first); });
    std::printf("{\"alive\":%lld}\n",
                static_cast<long long>(std::count_if(clients_.begin(), clients_.end(), connected)));
  }

  void ping(double seconds) {
    std::vector<double> round_trips_us;
    std::uint64_t lost = 0;
    const auto end = Clock::now() + std::chrono::duration<double>(seconds);
    for (Clock::time_point began = Clock::now(); began < end; began = Clock::now()) {
      const std::uint32_t client = random_.u32() % static_cast<std::uint32_t>(clients_.size());
      send_request(client, true);
      sender_.flush();
      while (clients_[client].waiting && Clock::now() - began < kSendAgain)
        receive();
      if (clients_[client].waiting) {
        ++lost;
        send_request(client, false);
        continue;
      }
      round_trips_us.push_back(
          std::chrono::duration<double, std::micro>(Clock::now() - began).count());
    }
    sender_.flush();
    if (round_trips_us.empty()) die("nobody answers");
    std::sort(round_trips_us.begin(), round_trips_us.end());
    const auto quantile = [&](std::size_t percent) {
      return round_trips_us[(round_trips_us.size() - 1) * percent / 100];
    };
    std::printf("{\"pings\":%zu,\"lost\":%llu,\"p50_us\":%.2f,\"p99_us\":%.2f}\n",
                round_trips_us.size(), static_cast<unsigned long long>(lost), quantile(50),
                quantile(99));
  }

 private:
  // begin(client, first) for each, at most so many at once, until all have had their answer. What
  // is not answered is begun again.
  template <typename Begin>
  void do_all(std::size_t at_once, Begin begin) {
    std::deque<std::pair<Clock::time_point, std::uint32_t>> under_way;
    std::uint32_t next = 0;
    Clock::time_point answered = Clock::now();
    pending_ = 0;
    while (next < clients_.size() || !under_way.empty()) {
      while (next < clients_.size() && pending_ < at_once) {
        clients_[next].waiting = true;
        ++pending_;
        begin(next, true);
        under_way.emplace_back(Clock::now(), next++);
      }
      sender_.flush();
      const std::size_t before = pending_;
      receive();
      while (!under_way.empty() && !clients_[under_way.front().second].waiting)
        under_way.pop_front();
      if (pending_ < before) answered = Clock::now();
      if (Clock::now() - answered > std::chrono::milliseconds(kPatienceMs)) die("nobody answers");
      if (under_way.empty() || Clock::now() - under_way.front().first < kSendAgain) continue;
      const std::uint32_t client = under_way.front().second;
      under_way.pop_front();
      begin(client, false);
      under_way.emplace_back(Clock::now(), client);
    }
    sender_.flush();
  }

  static IpAddress address_of(std::uint32_t client) {
    return IpAddress::v4(kFirstAddress + client % kAddresses);
  }
  static std::uint16_t port_of(std::uint32_t client) {
    return static_cast<std::uint16_t>(kFirstPort + client / kAddresses);
  }

  void send(std::uint32_t client, std::uint8_t flags, std::uint32_t sequence, ByteView options,
            ByteView payload) {
    CraftedSegment segment;
    segment.src = address_of(client);
    segment.src_port = port_of(client);
    segment.seq = sequence;
    segment.ack = (flags & tcp_flag::kAck) != 0 ? clients_[client].receive_next : 0;
    segment.flags = flags;
    segment.options = options;
    segment.payload = payload;
    sender_.add(segment);
  }

  void send_syn(std::uint32_t client) {
    clients_[client].send_next = 1;
    send(client, tcp_flag::kSyn, 0, kSynOptions, {});
  }

  // Not `fresh`: what was sent last, once more.
  void send_request(std::uint32_t client, bool fresh) {
    Client& c = clients_[client];
    if (fresh) c.send_next += kRequest.size();
    c.waiting = true;
    send(client, tcp_flag::kAck | tcp_flag::kPsh, c.send_next - kRequest.size(), {}, kRequest);
  }

  // All that has come; waits for it for a moment.
  void receive() {
    std::array<std::uint8_t, 2048> frame;
    for (bool waited = false;;) {
      const ssize_t size = recv(in_, frame.data(), frame.size(), 0);
      if (size > ETH_HLEN) {
        take(ByteView(frame.data(), static_cast<std::size_t>(size)).subspan(ETH_HLEN));
        waited = true;
      } else if (!waited) {
        waited = true;
        pollfd file{in_, POLLIN, 0};
        poll(&file, 1, 10);
      } else {
        return;
      }
    }
  }

  void take(ByteView packet) {
    const auto ip = parse_ip(packet);
    if (!ip || ip->protocol != kProtocolTcp || !ip->src.is_v4()) return;
    if (ip->src.v4_host_order() != ntohl(server_.sin_addr.s_addr)) return;
    const auto tcp =
        TcpView::parse(packet.subspan(ip->header_size, ip->total_size - ip->header_size));
    const std::uint32_t address = ip->dst.v4_host_order() - kFirstAddress;
    if (!tcp || address >= kAddresses || tcp->dst_port() < kFirstPort) return;
    const std::uint32_t client = (tcp->dst_port() - kFirstPort) * kAddresses + address;
    if (client >= clients_.size()) return;
    Client& c = clients_[client];
    if (tcp->has(tcp_flag::kRst)) die("a connection was reset");
    if (tcp->seq_length() == 0) return;
    const bool syn = tcp->has(tcp_flag::kSyn);
    if (syn && !c.connected) c.receive_next = tcp->seq().value();
    const std::uint32_t behind = tcp->seq().value() + tcp->seq_length();
    const bool is_new = tcp->seq().value() == c.receive_next;
    if (is_new) c.receive_next = behind;
    if (is_new && c.waiting) {
      c.connected = true;
      c.waiting = false;
      --pending_;
    }
    send(client, tcp_flag::kAck, c.send_next, {}, {});
  }

  const sockaddr_in server_;
  const int in_;
  RawSender sender_;
  std::vector<Client> clients_;
  std::size_t pending_ = 0;
  Random random_;
};

int main(char** arguments) {
  const unsigned long count = std::strtoul(arguments[3], nullptr, 10);
  if (count < 1 || count > kClientsMax) die("COUNT is out of range");
  Crowd crowd(arguments[1], parse_endpoint(arguments[2]), static_cast<std::uint32_t>(count));
  crowd.connect_all();
  std::printf("ready\n");
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line); std::fflush(stdout)) {
    std::istringstream words(line);
    std::string what;
    double seconds = 0;
    words >> what >> seconds;
    if (what == "ping" && seconds > 0) {
      crowd.ping(seconds);
    } else if (what == "check") {
      crowd.check_all();
    } else {
      die("'" + line + "' is no command");
    }
  }
  return 0;
}

}  // namespace
}  // namespace migd::bench

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: migd-bench-crowd INTERFACE ADDRESS:PORT COUNT\n");
    return 2;
  }
  return migd::bench::main(argv);
}
