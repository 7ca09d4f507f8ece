// The C++ code against the vectors in tests/golden/, which scapy made (tests/scapy).
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "forwarder/gue.h"
#include "tests/forwarder/test_nodes.h"

namespace migd {
namespace {

using test::client_packet;
using test::TestTunnel;

Bytes golden(const std::string& name) {
  std::ifstream file("tests/golden/" + name + ".hex");
  EXPECT_TRUE(file.good()) << name << ": the tests run in the source's root";
  std::string digits;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with('#')) digits += line;
  }
  std::erase_if(digits, [](char c) { return c == ' ' || c == '\r'; });
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    bytes.push_back(static_cast<std::uint8_t>(std::stoul(digits.substr(i, 2), nullptr, 16)));
  return bytes;
}

std::string hex(ByteView bytes) {
  std::string text;
  for (const std::uint8_t byte : bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

struct Golden : test::TwoTunnels {
  void expect_mapped(const FourTuple& tuple, std::size_t payload_bytes, const std::string& name) {
    constexpr FlowId kFlow{0x12345678};
    forwarder.tunnel.send_mapped(forwarder.frame_of(client_packet(tuple, payload_bytes)), h.id,
                                 kFlow);
    EXPECT_EQ(hex(forwarder.take().bytes()), hex(golden(name)));

    host.tunnel.map_inbound(f.id, Boot{1}, kFlow, tuple, test::connection_id(9));
    Frame received = host.frame_of(golden(name));
    const auto inner = host.tunnel.receive(received, Instant{});
    ASSERT_TRUE(std::holds_alternative<Tunnel::InnerPacket>(inner));
    EXPECT_TRUE(test::checksums_hold(received.bytes()));
    Bytes expected = client_packet(tuple, payload_bytes);
    const std::size_t l4 = tuple.local.address.is_v4() ? 20 : 40;
    EXPECT_EQ(hex(received.bytes().subspan(l4)), hex(ByteView(expected).subspan(l4)));
  }
  void expect_gue(const GueHeader& header, const FourTuple& tuple, const std::string& name) {
    Bytes bytes;
    header.serialize(bytes);
    append(bytes, client_packet(tuple, 20));
    EXPECT_EQ(hex(bytes), hex(golden(name)));
    const auto parsed = GueHeader::parse(golden(name));
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(*parsed, header);
  }
};

GueHeader straggler() {
  GueHeader header;
  header.forwarded = true;
  header.hops = 2;
  header.tenure = {{NodeId{0x0102}, Boot{0xa1a2a3a4a5a6}, 0x1122334455667788}, Epoch{7}};
  return header;
}

TEST_F(Golden, MappedIpv4) {
  expect_mapped(test::tuple_v4(), 100, "mapped_ipv4");
}

TEST_F(Golden, MappedIpv6OddSize) {
  expect_mapped(test::tuple_v6(), 101, "mapped_ipv6");
}

TEST_F(Golden, GueToAClassifier) {
  GueHeader header;
  header.next_hop = NodeId{3};
  expect_gue(header, test::tuple_v4(), "gue_unmapped");
}

TEST_F(Golden, GueStraggler) {
  expect_gue(straggler(), test::tuple_v4(), "gue_straggler");
}

TEST_F(Golden, GueReferenceIpv4) {
  GueHeader header = straggler();
  header.flow = FlowId{0xdeadbeef};
  header.reference = GueReference{test::tuple_v4(), SeqNum(0xfffffff0), SeqNum(0x01020304)};
  expect_gue(header, test::tuple_v4(), "gue_reference_ipv4");
}

TEST_F(Golden, GueReferenceIpv6AndTag) {
  GueHeader header = straggler();
  header.inner = Family::kIpv6;
  header.reference = GueReference{test::tuple_v6(), SeqNum(0xfffffff0), SeqNum(0x01020304)};
  header.tag.emplace();
  for (std::size_t i = 0; i < header.tag->size(); ++i)
    (*header.tag)[i] = static_cast<std::uint8_t>(0xf0 + i);
  expect_gue(header, test::tuple_v6(), "gue_reference_ipv6_tag");
}

TEST_F(Golden, TunnelledOverIpv4AndIpv6) {
  NodeInfo v6_only = f;
  v6_only.tunnel_v4.reset();
  TestTunnel over_v6(v6_only, {h});
  for (const auto& [sender, name] :
       {std::pair{&forwarder, "tunnelled_over_ipv4"}, std::pair{&over_v6, "tunnelled_over_ipv6"}}) {
    sender->tunnel.send_gue(sender->frame_of(client_packet(test::tuple_v4(), 20)), h.id,
                            straggler());
    const Frame sent = sender->take();
    EXPECT_EQ(hex(sent.bytes()), hex(golden(name)));
    Frame received = host.frame_of(golden(name));
    ASSERT_TRUE(
        std::holds_alternative<Tunnel::InnerPacket>(host.tunnel.receive(received, Instant{})));
    EXPECT_EQ(hex(received.bytes()), hex(client_packet(test::tuple_v4(), 20)));
  }
}

}  // namespace
}  // namespace migd
