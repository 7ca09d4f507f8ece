#include "base/bus.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace migd {
namespace {

PeerUp peer_up(std::uint16_t id) {
  return {NodeId{id}, Boot{1}};
}

TEST(MessageBus, DeliversInOrderToTheirSubscribers) {
  MessageBus bus;
  std::vector<int> seen;
  bus.subscribe<PeerUp>([&](const PeerUp& m) { seen.push_back(m.peer.value); });
  bus.subscribe<PeerDown>([&](const PeerDown& m) { seen.push_back(-m.peer.value); });
  bus.post(peer_up(1));
  bus.post(PeerDown{NodeId{2}, "gone"});
  bus.post(peer_up(3));
  EXPECT_TRUE(seen.empty()) << "post() only queues";
  bus.dispatch();
  EXPECT_EQ(seen, (std::vector<int>{1, -2, 3}));
  bus.dispatch();
  EXPECT_EQ(seen.size(), 3u);
}

TEST(MessageBus, HandlersAreCalledInTheOrderOfSubscription) {
  MessageBus bus;
  std::vector<std::string> seen;
  bus.observe([&](const Message& m) { seen.push_back("observer of " + std::string(name_of(m))); });
  bus.subscribe<PeerUp>([&](const PeerUp&) { seen.push_back("first"); });
  bus.subscribe<PeerUp>([&](const PeerUp&) { seen.push_back("second"); });
  bus.post(peer_up(1));
  bus.dispatch();
  EXPECT_EQ(seen, (std::vector<std::string>{"observer of peer_up", "first", "second"}));
}

TEST(MessageBus, HandlerIsNeverCalledFromInsideAnother) {
  MessageBus bus;
  std::vector<int> seen;
  int depth = 0;
  bus.subscribe<PeerUp>([&](const PeerUp& m) {
    ++depth;
    EXPECT_EQ(depth, 1);
    seen.push_back(m.peer.value);
    if (m.peer.value < 10) {
      bus.post(peer_up(static_cast<std::uint16_t>(m.peer.value * 10)));
      bus.dispatch();  // the outer one delivers
    }
    --depth;
  });
  bus.post(peer_up(1));
  bus.post(peer_up(2));
  bus.dispatch();
  EXPECT_EQ(seen, (std::vector<int>{1, 2, 10, 20}));
}

TEST(MessageBusDeathTest, IsBounded) {
  MessageBus bus;
  for (std::size_t i = 0; i < limits::kMessageBusMax; ++i)
    bus.post(peer_up(1));
  EXPECT_DEATH(bus.post(peer_up(1)), "check failed");
}

}  // namespace
}  // namespace migd
