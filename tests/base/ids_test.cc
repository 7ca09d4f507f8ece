#include "base/ids.h"

#include <gtest/gtest.h>

#include <random>
#include <unordered_set>

namespace migd {
namespace {

std::vector<ConnectionId> samples() {
  std::mt19937_64 random(3);
  std::vector<ConnectionId> ids = {{}, {NodeId{0xfffe}, Boot{kBootMask}, ~std::uint64_t{0}}};
  for (int i = 0; i < 1000; ++i) {
    ids.push_back({NodeId{static_cast<std::uint16_t>(random())}, Boot{random() & kBootMask},
                   random() >> (i % 64)});
  }
  return ids;
}

TEST(ConnectionId, TextRoundTrips) {
  for (const ConnectionId& id : samples()) {
    const std::string text = id.to_string();
    ASSERT_EQ(text.size(), 32u);
    const auto parsed = ConnectionId::parse(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(*parsed, id);
  }
}

TEST(ConnectionId, WireFormRoundTrips) {
  for (const ConnectionId& id : samples()) {
    Bytes bytes;
    ByteWriter out(bytes);
    id.write(out);
    ASSERT_EQ(bytes.size(), 16u);
    BoundedReader in(bytes);
    EXPECT_EQ(ConnectionId::read(in), id);
    EXPECT_TRUE(in.finished());
  }
  Bytes bytes;
  ByteWriter out(bytes);
  ConnectionId{NodeId{0x0102}, Boot{0x030405060708}, 0x090a0b0c0d0e0f10}.write(out);
  EXPECT_EQ(bytes, (Bytes{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}));
}

TEST(ConnectionId, ShortPrefixesTellConnectionsApart) {
  std::unordered_set<std::string> prefixes;
  for (std::uint16_t node = 1; node <= 3; ++node) {
    for (std::uint64_t counter = 1; counter <= 30; ++counter) {
      prefixes.insert(ConnectionId{NodeId{node}, Boot{5}, counter}.to_string().substr(0, 6));
    }
  }
  EXPECT_EQ(prefixes.size(), 90u);
}

TEST(ConnectionId, RefusesOtherText) {
  const std::string good = ConnectionId{NodeId{1}, Boot{2}, 3}.to_string();
  for (const std::string& bad :
       {std::string(), good.substr(1), good + "0", std::string(32, 'g'), "0x" + good.substr(2),
        " " + good.substr(1), good.substr(0, 16) + "-" + good.substr(17)}) {
    EXPECT_FALSE(ConnectionId::parse(bad)) << bad;
  }
}

TEST(ConnectionId, TruncatedWireFormIsTheReadersFailure) {
  const Bytes bytes(15, 1);
  BoundedReader in(bytes);
  ConnectionId::read(in);
  EXPECT_FALSE(in.ok());
}

}  // namespace
}  // namespace migd
