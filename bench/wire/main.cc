// migd-bench-wire: a wire between two Ethernet interfaces, with a delay, and with faults that are
// the same in every run of one seed.
//
//   migd-bench-wire LEFT RIGHT DELAY_US LOST_IN LOST_OUT LATE_IN LATE_OUT LATE_US SEED
//
// Everything that comes from one side leaves at the other DELAY_US later. Of the TCP segments that
// carry data and come from the left (in) or from the right (out), so many in 10 000 are lost, or
// late by LATE_US; which ones follows from the seed and from how many came before. A connection
// that sends anything else than another meets the same faults at the same places.
//
// On SIGTERM it prints what it has done, as JSON. Packets that the kernel has dropped for want of
// memory are an error: the faults would be others.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <queue>
#include <vector>

#include "base/packet.h"
#include "bench/support/packet_socket.h"
#include "bench/support/system.h"

namespace migd::bench {
namespace {

constexpr std::size_t kFrameMax = 65536 + 14;

struct Faults {
  unsigned lost = 0, late = 0;  // of 10 000
};

// A number for the n-th segment of a direction, that has nothing to do with the next (splitmix64).
unsigned roll(std::uint64_t seed, int direction, std::uint64_t n) {
  std::uint64_t z = seed * 0x9e3779b97f4a7c15 + n * 0xbf58476d1ce4e5b9 +
                    static_cast<std::uint64_t>(direction + 1) * 0x94d049bb133111eb;
  for (int i = 0; i < 2; ++i) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    z ^= z >> 31;
  }
  return static_cast<unsigned>(z % 10'000);
}

bool carries_data(ByteView frame) {
  if (frame.size() < ETH_HLEN) return false;
  const auto ip = parse_ip(frame.subspan(ETH_HLEN));
  if (!ip || ip->protocol != kProtocolTcp) return false;
  const ByteView packet = frame.subspan(ETH_HLEN, ip->total_size);
  const auto tcp = TcpView::parse(packet.subspan(ip->header_size));
  return tcp && !tcp->payload().empty();
}

struct Waiting {
  Clock::time_point due;
  std::uint64_t order;
  std::vector<std::uint8_t> frame;
  bool operator<(const Waiting& other) const {  // the first to leave is the greatest
    return due != other.due ? due > other.due : order > other.order;
  }
};

class Direction {
 public:
  Direction(int from, int to, Faults faults, int number, std::uint64_t seed)
      : from_(from), to_(to), faults_(faults), number_(number), seed_(seed) {}

  void receive(Clock::duration delay, Clock::duration late_by) {
    static std::array<std::uint8_t, kFrameMax> buffer;
    for (;;) {
      const ssize_t size = recv(from_, buffer.data(), buffer.size(), 0);
      if (size < 0) return;
      const ByteView frame(buffer.data(), static_cast<std::size_t>(size));
      Clock::time_point due = Clock::now() + delay;
      if (carries_data(frame)) {
        const unsigned fate = roll(seed_, number_, data_++);
        if (fate < faults_.lost) {
          ++lost_;
          continue;
        }
        if (fate < faults_.lost + faults_.late) {
          ++late_;
          due += late_by;
        }
      }
      waiting_.push({due, order_++, {frame.begin(), frame.end()}});
    }
  }

  // Returns when the next is due.
  Clock::time_point send_due(Clock::time_point now) {
    while (!waiting_.empty() && waiting_.top().due <= now) {
      const Waiting& first = waiting_.top();
      if (::send(to_, first.frame.data(), first.frame.size(), 0) < 0) ++failed_;
      waiting_.pop();
    }
    return waiting_.empty() ? Clock::time_point::max() : waiting_.top().due;
  }

  std::string to_json() const {
    tpacket_stats stats{};
    socklen_t size = sizeof stats;
    check(getsockopt(from_, SOL_PACKET, PACKET_STATISTICS, &stats, &size), "PACKET_STATISTICS");
    return fmt::format(R"({{"data":{},"lost":{},"late":{},"dropped":{}}})", data_, lost_, late_,
                       stats.tp_drops + failed_);
  }

 private:
  const int from_, to_;
  const Faults faults_;
  const int number_;
  const std::uint64_t seed_;
  std::uint64_t data_ = 0, lost_ = 0, late_ = 0, failed_ = 0, order_ = 0;
  std::priority_queue<Waiting> waiting_;
};

int main(char** arguments) {
  const auto number = [&](int i) { return static_cast<unsigned>(std::atoi(arguments[i])); };
  const int left = open_packet_socket(arguments[1]), right = open_packet_socket(arguments[2]);
  const auto delay = std::chrono::microseconds(number(3));
  const auto late_by = std::chrono::microseconds(number(8));
  Direction in(left, right, {number(4), number(6)}, 0, number(9));
  Direction out(right, left, {number(5), number(7)}, 1, number(9));

  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  check(sigprocmask(SIG_BLOCK, &ends, nullptr), "sigprocmask");
  const int ended = check(signalfd(-1, &ends, SFD_CLOEXEC), "signalfd");
  std::printf("ready\n");
  std::fflush(stdout);

  for (;;) {
    const Clock::time_point now = Clock::now();
    const Clock::time_point next = std::min(in.send_due(now), out.send_due(now));
    std::array<pollfd, 3> files{{{left, POLLIN, 0}, {right, POLLIN, 0}, {ended, POLLIN, 0}}};
    timespec wait{};
    if (next != Clock::time_point::max()) {
      const auto left_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(
          std::max(next - Clock::now(), Clock::duration::zero()));
      wait.tv_sec = left_ns.count() / 1'000'000'000;
      wait.tv_nsec = left_ns.count() % 1'000'000'000;
    }
    ppoll(files.data(), files.size(), next == Clock::time_point::max() ? nullptr : &wait, nullptr);
    in.receive(delay, late_by);
    out.receive(delay, late_by);
    if ((files[2].revents & POLLIN) != 0) break;
  }
  std::printf("{\"in\":%s,\"out\":%s}\n", in.to_json().c_str(), out.to_json().c_str());
  return 0;
}

}  // namespace
}  // namespace migd::bench

int main(int argc, char** argv) {
  if (argc != 10) {
    std::fprintf(stderr,
                 "usage: migd-bench-wire LEFT RIGHT DELAY_US LOST_IN LOST_OUT LATE_IN LATE_OUT "
                 "LATE_US SEED\n");
    return 2;
  }
  return migd::bench::main(argv);
}
