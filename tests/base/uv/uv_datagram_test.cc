#include "base/uv/uv_datagram.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/uv/uv_loop.h"

namespace migd {
namespace {

struct Receiver : DatagramReceiver {
  void on_datagram(const Endpoint& from, ByteView payload, Instant now) override {
    last_from = from;
    last_now = now;
    datagrams.push_back(to_bytes(payload));
    if (on_each) on_each();
  }
  std::vector<Bytes> datagrams;
  Endpoint last_from;
  Instant last_now{};
  std::function<void()> on_each;
};

class UvDatagram : public ::testing::TestWithParam<const char*> {
 protected:
  std::unique_ptr<UvDatagramSocket> open(DatagramReceiver* receiver) {
    auto made = UvDatagramSocket::open(loop_, *Endpoint::parse(GetParam()), receiver);
    EXPECT_TRUE(made) << made.error().text;
    return std::move(*made);
  }
  void run_until_received(Receiver& receiver, std::size_t n) {
    receiver.on_each = [&, n] {
      if (receiver.datagrams.size() >= n) loop_.stop();
    };
    const auto limit = loop_.make_timer([this] {
      ADD_FAILURE() << "timed out";
      loop_.stop();
    });
    limit->start(loop_.now() + 10s);
    loop_.run();
  }
  UvLoop loop_;
};

INSTANTIATE_TEST_SUITE_P(Families, UvDatagram, ::testing::Values("127.0.0.1:0", "[::1]:0"),
                         [](const auto& address) { return address.index == 0 ? "V4" : "V6"; });

TEST_P(UvDatagram, OneDatagramAndItsSender) {
  Receiver receiver;
  const auto a = open(nullptr), b = open(&receiver);
  const Instant before = loop_.now();
  a->send(b->local(), as_bytes("hello"), 1000);
  run_until_received(receiver, 1);
  EXPECT_EQ(as_text(receiver.datagrams[0]), "hello");
  EXPECT_EQ(receiver.last_from, a->local());
  EXPECT_GE(receiver.last_now, before);
  EXPECT_EQ(a->trains_sent(), 0u);
}

TEST_P(UvDatagram, TrainsArriveAsTheDatagramsTheyStandFor) {
  Receiver receiver;
  const auto a = open(nullptr), b = open(&receiver);
  for (const std::size_t size : {1400u, 1401u, 2800u, 64'000u, 200'000u}) {
    receiver.datagrams.clear();
    Bytes payload(size);
    for (std::size_t i = 0; i < size; ++i)
      payload[i] = static_cast<std::uint8_t>(i % 251);
    a->send(b->local(), payload, 1400);
    const std::size_t expected = (size + 1399) / 1400;
    run_until_received(receiver, expected);
    Bytes received;
    for (std::size_t i = 0; i < receiver.datagrams.size(); ++i) {
      EXPECT_EQ(receiver.datagrams[i].size(), i + 1 < expected ? 1400u : size - i * 1400);
      append(received, receiver.datagrams[i]);
    }
    EXPECT_EQ(received, payload);
  }
  EXPECT_EQ(a->datagrams_dropped(), 0u);
}

TEST_P(UvDatagram, TrainOfDatagramsBeyondTheMtuGoesOutSingly) {
  Receiver receiver;
  const auto a = open(nullptr), b = open(&receiver);
  const Bytes payload(120'000, 7);
  a->send(b->local(), payload, 60'000);
  run_until_received(receiver, 2);
  EXPECT_EQ(receiver.datagrams[1].size(), 60'000u);
}

TEST_P(UvDatagram, ReceiverMayDestroyTheSocket) {
  Receiver receiver;
  const auto a = open(nullptr);
  auto b = open(&receiver);
  receiver.on_each = [&] {
    b.reset();
    loop_.stop();
  };
  a->send(b->local(), Bytes(5000, 1), 1000);
  loop_.run();
  EXPECT_EQ(receiver.datagrams.size(), 1u);
}

TEST(UvDatagramOpen, PortInUseIsAnError) {
  UvLoop loop;
  const auto first = UvDatagramSocket::open(loop, *Endpoint::parse("127.0.0.1:0"), nullptr);
  ASSERT_TRUE(first);
  const auto second = UvDatagramSocket::open(loop, (*first)->local(), nullptr);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kBusy);
  const auto elsewhere = UvDatagramSocket::open(loop, *Endpoint::parse("10.77.255.1:0"), nullptr);
  ASSERT_FALSE(elsewhere);
  EXPECT_EQ(elsewhere.error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace migd
