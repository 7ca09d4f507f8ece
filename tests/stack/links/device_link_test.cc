// The links to the kernel, against the kernel's own stack, in a network namespace of the test's
// own: TUN where the user may open it, a packet socket on a veth pair for everybody.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <numeric>

#include "base/uv/sockaddr.h"
#include "base/uv/uv_loop.h"
#include "stack/links/packet_link.h"
#include "stack/links/segmenter.h"
#include "stack/links/tun_link.h"
#include "tests/support/namespaces.h"
#include "tests/support/packets.h"
#include "tests/support/recording_sink.h"
#include "tests/support/tcp_sink.h"

namespace migd {
namespace {

using test::in_network_namespace;
using test::ramp;
using test::RecordingSink;
using test::run;

enum class Kind { kTun, kPacket };

// One family's addresses: `kernel` is on the device, `ours` is routed to it.
struct Addresses {
  IpAddress kernel, ours;
};
const Addresses kV4{*IpAddress::parse("10.77.1.1"), *IpAddress::parse("10.77.100.1")};
const Addresses kV6{*IpAddress::parse("fd77:0:0:1::1"), *IpAddress::parse("fd77:0:0:100::1")};

void make_device(Kind kind, const std::string& queues = "") {
  if (kind == Kind::kTun) {
    run("ip tuntap add dev migd0 mode tun vnet_hdr " + queues +
        " && ip link set migd0 mtu 1500 up");
  } else {
    run("ip link add migd0 type veth peer name migd0p"
        " && ip link set migd0p mtu 1500 arp off multicast off addrgenmode none up"
        " && ip link set migd0 mtu 1500 arp off multicast off addrgenmode none up");
  }
  run("ip link set lo up && ip address add 10.77.1.1/24 dev migd0"
      " && ip address add fd77:0:0:1::1/64 dev migd0 nodad"
      " && ip route add 10.77.100.1 dev migd0 && ip route add fd77:0:0:100::1 dev migd0");
}

// The kernel makes an IPv6 address usable in a task that it runs some time after 'ip address add'.
void wait_for_addresses() {
  run("for i in $(seq 500); do"
      " ip -6 route show table local dev migd0 | grep -q fd77:0:0:1::1 && exit 0; sleep 0.01;"
      " done; exit 1");
}

Result<std::unique_ptr<Link>> open_link(Kind kind, EventLoop& loop, std::shared_ptr<FramePool> pool,
                                        std::uint16_t mtu = 0) {
  if (kind == Kind::kTun) {
    auto link = TunLink::open(loop, std::move(pool), {"migd0", mtu});
    if (!link) return tl::unexpected(link.error());
    return std::unique_ptr<Link>(std::move(*link));
  }
  auto link = PacketLink::open(loop, std::move(pool), {"migd0", "migd0p", mtu});
  if (!link) return tl::unexpected(link.error());
  return std::unique_ptr<Link>(std::move(*link));
}

// A socket of the kernel's stack.
class KernelSocket {
 public:
  KernelSocket(int type, const Endpoint& local) {
    const SocketAddress address = to_socket_address(local);
    fd_ = socket(address.storage.ss_family, type, 0);
    EXPECT_EQ(bind(fd_, address.get(), address.size), 0) << strerror(errno);
  }
  ~KernelSocket() { close(fd_); }
  int fd() const { return fd_; }

  void send_to(const Endpoint& to, ByteView payload, std::uint16_t segment_size = 0) {
    if (segment_size != 0) {
      const int value = segment_size;
      EXPECT_EQ(setsockopt(fd_, IPPROTO_UDP, UDP_SEGMENT, &value, sizeof value), 0);
    }
    const SocketAddress address = to_socket_address(to);
    EXPECT_EQ(sendto(fd_, payload.data(), payload.size(), 0, address.get(), address.size),
              static_cast<ssize_t>(payload.size()))
        << strerror(errno);
  }
  // The next datagram, or nothing within `patience`.
  Bytes receive(Duration patience = 2s) {
    pollfd waiting{fd_, POLLIN, 0};
    if (poll(&waiting, 1, static_cast<int>(to_milliseconds(patience))) != 1) return {};
    Bytes bytes(70'000);
    const ssize_t n = recv(fd_, bytes.data(), bytes.size(), 0);
    bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return bytes;
  }

 private:
  int fd_;
};

// Sends segments that no socket knows of.
class RawTcp {
 public:
  RawTcp() : fd_(socket(AF_INET, SOCK_RAW, IPPROTO_RAW)) { EXPECT_GE(fd_, 0) << strerror(errno); }
  ~RawTcp() { close(fd_); }

  // An ACK from the peer of `flow`, with `mark` for its data.
  void send(const FourTuple& flow, std::uint8_t mark) {
    const Bytes packet =
        test::tcp_packet({.src = flow.peer, .dst = flow.local, .payload = Bytes{mark}});
    const SocketAddress address = to_socket_address({flow.local.address, 0});
    EXPECT_EQ(sendto(fd_, packet.data(), packet.size(), 0, address.get(), address.size),
              static_cast<ssize_t>(packet.size()))
        << strerror(errno);
  }

 private:
  int fd_;
};

// What a test has inside the namespace.
class Bench {
 public:
  explicit Bench(Kind kind, const std::string& queues = "") {
    make_device(kind, queues);
    auto made = open_link(kind, loop, pool);
    if (!made) {
      ADD_FAILURE() << made.error().text;
      _exit(1);
    }
    link = std::move(*made);
    link->set_receiver(&sink);
    wait_for_addresses();
    // The kernel's own chatter (router solicitations) is no concern of the tests.
    run_for(5ms);
    sink.frames.clear();
  }
  void run_for(Duration d) {
    const auto timer = loop.make_timer([this] { loop.stop(); });
    timer->start(loop.now() + d);
    loop.run();
  }
  bool run_until(const std::function<bool()>& done) {
    sink.react = [&] {
      if (done()) loop.stop();
    };
    if (!done()) run_for(5s);
    sink.react = nullptr;
    return done();
  }
  // The UDP frames to `port` that came in.
  std::vector<const Frame*> datagrams(std::uint16_t port) const {
    std::vector<const Frame*> found;
    for (const Frame& frame : sink.frames) {
      const auto ip = parse_ip(frame.bytes());
      if (!ip || ip->protocol != kProtocolUdp) continue;
      const auto udp = UdpView::parse(frame.bytes().subspan(ip->header_size));
      if (udp && udp->dst_port() == port) found.push_back(&frame);
    }
    return found;
  }
  // Sends a UDP datagram, or a train, with a partial checksum.
  void send_udp(const Endpoint& from, const Endpoint& to, const Bytes& payload,
                std::uint16_t segment_size = 0) {
    Bytes packet = test::udp_packet({.src = from, .dst = to, .payload = payload});
    test::make_partial(packet);
    Frame frame = pool->copy_of(packet);
    frame.offload.checksum = Offload::Checksum::kPartial;
    if (segment_size != 0) {
      frame.offload.gso = Offload::Gso::kUdp;
      frame.offload.gso_size = segment_size;
    }
    link->send(std::move(frame));
  }

  std::shared_ptr<FramePool> pool = FramePool::create();
  UvLoop loop;
  RecordingSink sink;
  std::unique_ptr<Link> link;
};

class DeviceLink : public ::testing::TestWithParam<std::pair<Kind, bool>> {
 protected:
  void SetUp() override {
    if (kind() == Kind::kTun && !test::may_use_tun()) GTEST_SKIP() << "no right to /dev/net/tun";
  }
  static Kind kind() { return GetParam().first; }
  static const Addresses& addresses() { return GetParam().second ? kV6 : kV4; }
};

INSTANTIATE_TEST_SUITE_P(Namespace, DeviceLink,
                         ::testing::Values(std::pair(Kind::kTun, false),
                                           std::pair(Kind::kTun, true),
                                           std::pair(Kind::kPacket, false),
                                           std::pair(Kind::kPacket, true)),
                         [](const auto& p) {
                           return std::string(p.param.first == Kind::kTun ? "Tun" : "Packet") +
                                  (p.param.second ? "V6" : "V4");
                         });

TEST_P(DeviceLink, DatagramsPassBothWays) {
  in_network_namespace([] {
    Bench b(kind());
    const Endpoint kernel{addresses().kernel, 5000}, ours{addresses().ours, 7};
    KernelSocket socket(SOCK_DGRAM, kernel);

    for (const std::size_t size : {1u, 100u, 1400u}) {
      b.sink.frames.clear();
      socket.send_to(ours, ramp(size));
      ASSERT_TRUE(b.run_until([&] { return b.datagrams(7).size() == 1; }));
      Frame frame = b.datagrams(7)[0]->clone();
      EXPECT_LE(frame.charge(), FramePool::kSmall) << "small packets do not hold large buffers";
      ASSERT_TRUE(complete_checksum(frame));
      EXPECT_TRUE(test::checksums_hold(frame.bytes()));
      const IpHeader ip = *parse_ip(frame.bytes());
      EXPECT_EQ(ip.src, kernel.address);
      EXPECT_EQ(ip.dst, ours.address);
      EXPECT_EQ(to_bytes(UdpView::parse(frame.bytes().subspan(ip.header_size))->payload()),
                ramp(size));

      b.send_udp(ours, kernel, ramp(size));
      EXPECT_EQ(socket.receive(), ramp(size));
    }
    EXPECT_GT(b.sink.batches, 0);
    EXPECT_EQ(b.link->frames_dropped(), 0u);
  });
}

TEST_P(DeviceLink, CompleteChecksumsAreCheckedByTheKernel) {
  in_network_namespace([] {
    Bench b(kind());
    const Endpoint kernel{addresses().kernel, 5000}, ours{addresses().ours, 7};
    KernelSocket socket(SOCK_DGRAM, kernel);
    Bytes packet = test::udp_packet({.src = ours, .dst = kernel, .payload = ramp(50)});
    b.link->send(b.pool->copy_of(packet));
    EXPECT_EQ(socket.receive(), ramp(50));
    packet.back() ^= 1;
    b.link->send(b.pool->copy_of(packet));
    EXPECT_EQ(socket.receive(50ms), Bytes{});
  });
}

TEST_P(DeviceLink, UdpTrainsFromTheKernel) {
  in_network_namespace([] {
    Bench b(kind());
    const Endpoint kernel{addresses().kernel, 5000}, ours{addresses().ours, 7};
    KernelSocket socket(SOCK_DGRAM, kernel);
    const Bytes payload = ramp(14'000 + 700);
    socket.send_to(ours, payload, 1400);
    const std::size_t frames = b.link->capabilities().udp_gso ? 1 : 11;
    ASSERT_TRUE(b.run_until([&] { return b.datagrams(7).size() == frames; }));
    Bytes received;
    for (const Frame* frame : b.datagrams(7)) {
      ASSERT_TRUE(segment(frame->clone(), *b.pool, [&](Frame datagram) {
        EXPECT_TRUE(test::checksums_hold(datagram.bytes()));
        const IpHeader ip = *parse_ip(datagram.bytes());
        append(received, UdpView::parse(datagram.bytes().subspan(ip.header_size))->payload());
      }));
    }
    EXPECT_EQ(received, payload);
  });
}

TEST_P(DeviceLink, UdpTrainsToTheKernel) {
  in_network_namespace([] {
    Bench b(kind());
    const Endpoint kernel{addresses().kernel, 5000}, ours{addresses().ours, 7};
    KernelSocket socket(SOCK_DGRAM, kernel);
    for (const std::size_t size : {1000u, 1001u, 3000u, 60'500u}) {
      b.send_udp(ours, kernel, ramp(size), 1000);
      Bytes received;
      for (std::size_t left = size; left > 0;) {
        const Bytes datagram = socket.receive();
        ASSERT_EQ(datagram.size(), std::min<std::size_t>(left, 1000));
        left -= datagram.size();
        append(received, datagram);
      }
      EXPECT_EQ(received, ramp(size));
    }
    EXPECT_EQ(b.link->frames_dropped(), 0u);
  });
}

TEST_P(DeviceLink, TcpTrainsFromTheKernelArriveWhole) {
  in_network_namespace([] {
    Bench b(kind());
    const Endpoint kernel{addresses().kernel, 5000}, ours{addresses().ours, 80};
    test::TcpSink peer(*b.link, b.pool, ours);
    b.link->set_receiver(&peer);
    KernelSocket socket(SOCK_STREAM, kernel);
    const Bytes stream = ramp(1 << 20);
    std::size_t written = 0;
    const SocketAddress to = to_socket_address(ours);
    fcntl(socket.fd(), F_SETFL, O_NONBLOCK);
    EXPECT_TRUE(connect(socket.fd(), to.get(), to.size) == 0 || errno == EINPROGRESS);
    auto watch = b.loop.watch(socket.fd(), {.writable = true}, [&](FdEvents) {
      const ssize_t n = write(socket.fd(), stream.data() + written, stream.size() - written);
      if (n > 0) written += static_cast<std::size_t>(n);
      if (written == stream.size()) b.loop.stop();
    });
    b.run_for(10s);
    watch.reset();
    ASSERT_EQ(written, stream.size());
    for (int i = 0; i < 200 && peer.received().size() < stream.size(); ++i) {
      b.run_for(10ms);
    }
    EXPECT_EQ(peer.received(), stream);
    EXPECT_EQ(peer.bad_checksums(), 0u);
    // How long the trains are is the kernel's choice: by round trip time, thus by load.
    EXPECT_GT(peer.largest_train(), peer.segment_size());
    // Header overhead per segment: IP, TCP with no options.
    EXPECT_EQ(peer.segment_size(), 1500 - ip_header_size(ours.address.family()) - 20);
  });
}

TEST_P(DeviceLink, TcpTrainsToTheKernelArriveWhole) {
  in_network_namespace([] {
    Bench b(kind());
    const Endpoint kernel{addresses().kernel, 5000}, ours{addresses().ours, 80};
    test::TcpSink peer(*b.link, b.pool, ours);
    b.link->set_receiver(&peer);
    KernelSocket socket(SOCK_STREAM, kernel);
    const SocketAddress to = to_socket_address(ours);
    fcntl(socket.fd(), F_SETFL, O_NONBLOCK);
    EXPECT_TRUE(connect(socket.fd(), to.get(), to.size) == 0 || errno == EINPROGRESS);
    for (int i = 0; i < 100 && !peer.established(); ++i)
      b.run_for(5ms);
    ASSERT_TRUE(peer.established());

    const Bytes stream = ramp(60'000);
    peer.send(stream, 1400);
    Bytes received;
    while (received.size() < stream.size()) {
      const Bytes more = socket.receive();
      ASSERT_FALSE(more.empty());
      append(received, more);
    }
    EXPECT_EQ(received, stream);
    EXPECT_EQ(b.link->frames_dropped(), 0u);
  });
}

TEST_P(DeviceLink, WhatADeviceThatIsDownDoesNotTakeIsCounted) {
  in_network_namespace([] {
    Bench b(kind());
    const Endpoint kernel{addresses().kernel, 5000}, ours{addresses().ours, 7};
    run(kind() == Kind::kTun ? "ip link set migd0 down" : "ip link set migd0p down");
    b.send_udp(ours, kernel, ramp(100));
    EXPECT_EQ(b.link->frames_dropped(), 1u);
    b.run_for(5ms);  // and the loop does not spin
    run(kind() == Kind::kTun ? "ip link set migd0 up" : "ip link set migd0p up");
    run("ip address add fd77:0:0:1::1/64 dev migd0 nodad 2>/dev/null || true;"
        " ip route add 10.77.100.1 dev migd0 2>/dev/null || true;"
        " ip route add fd77:0:0:100::1 dev migd0 2>/dev/null || true");
    wait_for_addresses();
    KernelSocket socket(SOCK_DGRAM, kernel);
    b.send_udp(ours, kernel, ramp(100));
    EXPECT_EQ(socket.receive(), ramp(100)) << "it goes on when the device is back";
    socket.send_to(ours, ramp(5));
    EXPECT_TRUE(b.run_until([&] { return b.datagrams(7).size() == 1; }));
  });
}

TEST_P(DeviceLink, DeviceThatIsRemovedIsReportedOnce) {
  in_network_namespace([] {
    Bench b(kind());
    int failures = 0;
    const auto on_failure = [&](const Error& error) {
      ++failures;
      EXPECT_EQ(error.code, ErrorCode::kUnavailable);
    };
    if (auto* tun = dynamic_cast<TunLink*>(b.link.get())) tun->set_failure_handler(on_failure);
    if (auto* packet = dynamic_cast<PacketLink*>(b.link.get())) {
      packet->set_failure_handler(on_failure);
    }
    run("ip link delete migd0");
    for (int i = 0; i < 100 && failures == 0; ++i)
      b.run_for(20ms);
    b.run_for(20ms);
    EXPECT_EQ(failures, 1);
    b.send_udp({addresses().ours, 7}, {addresses().kernel, 5000}, ramp(10));
    EXPECT_EQ(b.link->frames_dropped(), 1u);
  });
}

TEST_P(DeviceLink, SmallerMtuPrevails) {
  in_network_namespace([] {
    make_device(kind());
    UvLoop loop;
    for (const auto& [wanted, expected] :
         {std::pair(0, 1500), std::pair(1400, 1400), std::pair(9000, 1500)}) {
      const auto link =
          open_link(kind(), loop, FramePool::create(), static_cast<std::uint16_t>(wanted));
      ASSERT_TRUE(link) << link.error().text;
      EXPECT_EQ((*link)->capabilities().mtu, expected);
      EXPECT_TRUE((*link)->capabilities().checksum_offload);
      EXPECT_TRUE((*link)->capabilities().tcp_gso);
    }
  });
}

TEST_P(DeviceLink, FirstPacketAfterOpeningIsNotLost) {
  in_network_namespace([] {
    make_device(kind());
    wait_for_addresses();
    UvLoop loop;
    RecordingSink sink;
    KernelSocket socket(SOCK_DGRAM, {addresses().kernel, 5000});
    run(kind() == Kind::kTun ? "true" : "ip link set migd0p down");
    const auto link = open_link(kind(), loop, FramePool::create());
    ASSERT_TRUE(link) << link.error().text;
    (*link)->set_receiver(&sink);
    socket.send_to({addresses().ours, 7}, ramp(10));
    const auto limit = loop.make_timer([&] { loop.stop(); });
    limit->start(loop.now() + 5s);
    bool arrived = false;  // the kernel may have more to say in the same read
    sink.react = [&] {
      arrived |= parse_ip(sink.frames.back().bytes())->protocol == kProtocolUdp;
      if (arrived) loop.stop();
    };
    loop.run();
    EXPECT_TRUE(arrived);
  });
}

class TunDevice : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!test::may_use_tun()) GTEST_SKIP() << "no right to /dev/net/tun";
  }
};

TEST_F(TunDevice, IsMadeWhenItDoesNotExist) {
  in_network_namespace([] {
    UvLoop loop;
    const auto link = TunLink::open(loop, FramePool::create(), {"migd7", 1400});
    ASSERT_TRUE(link) << link.error().text;
    EXPECT_EQ((*link)->capabilities().mtu, 1400);
    EXPECT_EQ((*link)->description().substr(0, 20), "tun migd7, strangers");
    run("ip link show dev migd7 | grep -q 'UP.*mtu 1400'");
  });
}

TEST_F(TunDevice, OpenDescriptorIsTakenOver) {
  in_network_namespace([] {
    UvLoop loop;
    const auto pool = FramePool::create();
    EXPECT_EQ(TunLink::adopt(loop, pool, open("/dev/null", O_RDWR)).error().code,
              ErrorCode::kInvalidArgument);
    const auto first = TunLink::open(loop, pool, {"migd7", 1400});
    ASSERT_TRUE(first);
    const auto second = TunLink::adopt(loop, pool, dup((*first)->fd()), 1300);
    ASSERT_TRUE(second) << second.error().text;
    EXPECT_EQ((*second)->description(), "tun migd7");
    EXPECT_EQ((*second)->capabilities().mtu, 1300);
  });
}

TEST_F(TunDevice, ErrorsSayWhatIsWrong) {
  in_network_namespace([] {
    UvLoop loop;
    const auto pool = FramePool::create();
    const auto error = [&](const std::string& name) {
      return TunLink::open(loop, pool, {name, 0}).error();
    };
    const auto first = TunLink::open(loop, pool, {"migd7", 0});
    ASSERT_TRUE(first);
    EXPECT_EQ(error("migd7").code, ErrorCode::kBusy);
    EXPECT_EQ(error("lo").code, ErrorCode::kInvalidArgument);
    run("ip tuntap add dev ethernet mode tap");
    EXPECT_EQ(error("ethernet").code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(error("").code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(error("a-name-that-is-too-long").code, ErrorCode::kInvalidArgument);
  });
}

TEST_F(TunDevice, OfOneQueueIsUsedAsItIs) {
  in_network_namespace([] {
    make_device(Kind::kTun);
    UvLoop loop;
    const auto link = TunLink::open(loop, FramePool::create(), {"migd0", 0});
    ASSERT_TRUE(link) << link.error().text;
    EXPECT_EQ((*link)->known_flows(), nullptr);
    EXPECT_EQ((*link)->description(), "tun migd0, strangers not apart (the device has one queue)");
    EXPECT_EQ(TunLink::open(loop, FramePool::create(), {"migd0", 0}).error().code,
              ErrorCode::kBusy);
  });
}

// Of clients with sockets of the kernel's: what they send to the echo port of ours.
class StrangersOfTun : public TunDevice {
 protected:
  static inline const Endpoint kOurs{IpAddress::v4(0x0a4d6401), 7};

  void SetUp() override {
    TunDevice::SetUp();
    if (const auto steering = FlowSteering::load({1, 1}); !steering) {
      GTEST_SKIP() << steering.error().text;
    }
  }
};

TEST_F(StrangersOfTun, LeaveTheirPacketsBeforeThoseOfTheFlowThatTheyBecome) {
  in_network_namespace([] {
    Bench b(Kind::kTun, "multi_queue");
    ASSERT_EQ(b.link->description(), "tun migd0, strangers apart");
    EXPECT_EQ(TunLink::open(b.loop, b.pool, {"migd0", 0}).error().code, ErrorCode::kBusy);
    RawTcp sender;
    for (int round = 0; round < 50; ++round) {
      b.sink.frames.clear();
      const FourTuple flow{kOurs, {kV4.kernel, static_cast<std::uint16_t>(6000 + round)}};
      for (std::uint8_t i = 0; i < 5; ++i)
        sender.send(flow, i);
      b.link->known_flows()->add(flow);
      for (std::uint8_t i = 5; i < 10; ++i)
        sender.send(flow, i);
      ASSERT_TRUE(b.run_until([&] { return b.sink.frames.size() == 10; }));
      for (std::uint8_t i = 0; i < 10; ++i)
        EXPECT_EQ(b.sink.frames[i].bytes().back(), i);
    }
  });
}

TEST_F(StrangersOfTun, DoNotPushOutWhatIsKnown) {
  in_network_namespace([] {
    Bench b(Kind::kTun, "multi_queue");
    run("ip link set migd0 txqueuelen 100");
    RawTcp sender;
    const FourTuple flow{kOurs, {kV4.kernel, 5000}}, other{kOurs, {kV4.kernel, 5001}};
    b.link->known_flows()->add(flow);
    for (int i = 0; i < 1000; ++i)
      sender.send(other, 1);
    for (std::uint8_t i = 0; i < 100; ++i)
      sender.send(flow, 2);
    b.run_for(20ms);
    const auto of = [&](std::uint8_t mark) {
      return std::count_if(b.sink.frames.begin(), b.sink.frames.end(),
                           [&](const Frame& frame) { return frame.bytes().back() == mark; });
    };
    EXPECT_EQ(of(1), 100);
    EXPECT_EQ(of(2), 100);
  });
}

TEST_F(StrangersOfTun, GetAShareOfTheTimeWhenTheyAreTooMany) {
  in_network_namespace([] {
    Bench b(Kind::kTun, "multi_queue");
    run("ip link set migd0 txqueuelen 4000");
    RawTcp sender;
    constexpr int kSent = 2000;
    const FourTuple flow{kOurs, {kV4.kernel, 5000}}, other{kOurs, {kV4.kernel, 5001}};
    b.link->known_flows()->add(flow);
    for (int i = 0; i < kSent; ++i)
      sender.send(other, 1);
    // One of the known flow for each few of the other.
    int read = 0;
    ASSERT_TRUE(b.run_until([&] {
      if (b.sink.frames.empty() || b.sink.frames.back().bytes().back() == 2) return false;
      if (++read % 10 == 0) sender.send(flow, 2);
      return read >= kSent;
    }));
    EXPECT_GE(b.link->strangers_pauses(), 8u);
  });
}

void drop_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  ASSERT_EQ(syscall(SYS_capset, &header, none), 0);
}

TEST(DeviceRights, MissingOnesAreNamedWithTheAlternative) {
  in_network_namespace([] {
    drop_capabilities();
    UvLoop loop;
    const auto pool = FramePool::create();
    const auto tun = TunLink::open(loop, pool, {"migd7", 0});
    ASSERT_FALSE(tun);
    EXPECT_TRUE(tun.error().code == ErrorCode::kPermission ||
                tun.error().code == ErrorCode::kUnavailable);
    EXPECT_NE(tun.error().text.find("[link] kind = \"packet\""), std::string::npos)
        << tun.error().text;
    const auto packet = PacketLink::open(loop, pool, {"migd0", "migd0p", 0});
    ASSERT_FALSE(packet);
    EXPECT_EQ(packet.error().code, ErrorCode::kPermission);
    EXPECT_NE(packet.error().text.find("CAP_NET_RAW"), std::string::npos) << packet.error().text;
  });
}

TEST(PacketDevice, ErrorsSayWhatIsWrong) {
  in_network_namespace([] {
    UvLoop loop;
    const auto pool = FramePool::create();
    const auto error = [&](const PacketOptions& options) {
      const auto link = PacketLink::open(loop, pool, options);
      EXPECT_FALSE(link);
      return link ? Error{} : link.error();
    };
    EXPECT_EQ(error({"migd0", "migd0p", 0}).code, ErrorCode::kNotFound);
    run("ip link add migd0 type veth peer name migd0p");
    EXPECT_NE(error({"migd0", "migd0p", 0}).text.find("arp off"), std::string::npos);
    EXPECT_EQ(error({"lo", "migd0p", 0}).code, ErrorCode::kInvalidArgument);
    run("ip link set migd0 arp off");
    const auto link = PacketLink::open(loop, pool, {"migd0", "migd0p", 0});
    EXPECT_TRUE(link) << "and brings both ends up: " << (link ? "" : link.error().text);
  });
}

TEST(PacketDevice, KernelPassesOverWhatIsForTheSocket) {
  in_network_namespace([] {
    Bench b(Kind::kPacket);
    // If the kernel took the packet on our end, it would send it around again, or answer it.
    run("sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0"
        " net.ipv4.conf.migd0p.rp_filter=0");
    KernelSocket socket(SOCK_DGRAM, {kV4.kernel, 5000});
    socket.send_to({kV4.ours, 7}, ramp(10));
    b.run_for(20ms);
    EXPECT_EQ(b.sink.frames.size(), 1u);
    EXPECT_EQ(parse_ip(b.sink.frames[0].bytes())->hop_limit, 64);
    // What we send is not taken for something that comes in.
    b.send_udp({kV4.ours, 7}, {kV4.kernel, 5000}, ramp(10));
    b.run_for(5ms);
    EXPECT_EQ(b.sink.frames.size(), 1u);
  });
}

TEST(PacketDevice, BurstsAreNotLost) {
  in_network_namespace([] {
    Bench b(Kind::kPacket);
    KernelSocket socket(SOCK_DGRAM, {kV4.kernel, 5000});
    constexpr std::size_t kCount = 1000;
    for (std::size_t i = 0; i < kCount; ++i)
      socket.send_to({kV4.ours, 7}, ramp(200, i));
    EXPECT_TRUE(b.run_until([&] { return b.sink.frames.size() == kCount; }));
    for (std::size_t i = 0; i < b.sink.frames.size(); ++i) {
      EXPECT_EQ(to_bytes(b.sink.frames[i].bytes().subspan(28)), ramp(200, i));
    }
    auto* link = dynamic_cast<PacketLink*>(b.link.get());
    EXPECT_EQ(link->frames_overrun(), 0u);
    EXPECT_EQ(link->frames_refused(), 0u);
  });
}

}  // namespace
}  // namespace migd
