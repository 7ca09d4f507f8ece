// Two handshakes and whatever a network may do between them.
#include <gtest/gtest.h>

#include "migrator/channel/handshake.h"
#include "tests/migrator/channel/virtual_net.h"

namespace migd::channel::test {
namespace {

constexpr NodeId kOne{1}, kTwo{2};

struct Side {
  Side(NodeId self, NodeId peer, Boot boot, sim::SimRng& rng, Instant now)
      : refusals(metrics),
        handshake({self, boot, {}}, peer,
                  make_static_pairs(self, {KeyPair::from_seed(self.value).secret}, peer,
                                    {KeyPair::from_seed(peer.value).public_key}),
                  rng, refusals, now) {}

  // What the engine does with an outcome. Returns a HELLO to send.
  Bytes take(Handshake::Outcome outcome) {
    if (!outcome.session) return outcome.reply;
    if (!outcome.continues) ++begun;
    sessions.push_back(outcome.session);
    return outcome.reply;
  }
  std::uint32_t newest() const { return sessions.empty() ? 0 : sessions.back()->id; }

  Metrics metrics;
  RefusalCounters refusals;
  Handshake handshake;
  std::vector<std::shared_ptr<Session>> sessions;
  int begun = 0;
};

class HandshakePair {
 public:
  explicit HandshakePair(std::uint64_t seed) : rng(seed) {
    one.emplace(kOne, kTwo, Boot{101}, rng, now);
    two.emplace(kTwo, kOne, Boot{102}, rng, now);
  }

  Side& side(bool second) { return second ? *two : *one; }

  void put(bool to_second, Bytes hello) {
    if (hello.empty()) return;
    under_way.push_back({to_second, hello});
    seen.push_back({to_second, std::move(hello)});
  }
  // Delivers one, any of those under way.
  void deliver_any() {
    if (under_way.empty()) return;
    const std::size_t which = rng.below(under_way.size());
    auto [to_second, hello] = under_way[which];
    under_way.erase(under_way.begin() + static_cast<std::ptrdiff_t>(which));
    give(to_second, hello);
  }
  void give(bool to_second, const Bytes& hello) {
    put(!to_second, side(to_second).take(side(to_second).handshake.on_datagram(hello, now)));
  }
  void tick(Duration d) {
    now += d;
    for (const bool second : {false, true})
      put(!second, side(second).handshake.on_deadline(now));
  }
  // A datagram under the newest keys of each side reaches the other, where it holds them.
  void exchange_data() {
    for (const bool second : {false, true}) {
      if (side(second).newest() != 0 && side(second).newest() == side(!second).newest()) {
        side(!second).handshake.confirm();
      }
    }
  }
  void settle() {
    for (int i = 0; i < 40; ++i) {
      tick(100ms);
      while (!under_way.empty())
        deliver_any();
      exchange_data();
    }
  }

  sim::SimRng rng;
  Instant now{1h};
  std::optional<Side> one, two;
  std::vector<std::pair<bool, Bytes>> under_way, seen;
};

TEST(Handshake, OneExchangeMakesOneSession) {
  HandshakePair pair(1);
  pair.put(true, pair.one->handshake.on_deadline(pair.now));
  while (!pair.under_way.empty())
    pair.deliver_any();
  EXPECT_EQ(pair.seen.size(), 3u);
  ASSERT_EQ(pair.one->sessions.size(), 1u);
  ASSERT_EQ(pair.two->sessions.size(), 1u);
  EXPECT_EQ(pair.one->newest(), pair.two->newest());
  EXPECT_TRUE(pair.two->handshake.confirmed());
  EXPECT_EQ(pair.one->handshake.peer_boot(), Boot{102});
}

TEST(Handshake, BothSidesHoldTheSameKeys) {
  HandshakePair pair(2);
  pair.settle();
  const Session& a = *pair.one->sessions.back();
  const Session& b = *pair.two->sessions.back();
  const auto opens = [](const Aead& with, const Aead& by) {
    Bytes text{1, 2, 3};
    const Tag tag = with.seal(make_nonce(1, 2), as_bytes("header"), text);
    Bytes plain(3);
    return by.open(make_nonce(1, 2), as_bytes("header"), text, tag, plain.data()) &&
           plain == Bytes{1, 2, 3};
  };
  EXPECT_TRUE(opens(a.datagram_send, b.datagram_receive));
  EXPECT_TRUE(opens(b.datagram_send, a.datagram_receive));
  EXPECT_TRUE(opens(a.body_send, b.body_receive));
  EXPECT_TRUE(opens(b.body_send, a.body_receive));
  EXPECT_FALSE(opens(a.datagram_send, a.datagram_receive));
  EXPECT_FALSE(opens(a.datagram_send, b.body_receive));
  EXPECT_EQ(a.new_association, b.new_association);
}

// Loss, repetition, any order, replays of everything ever seen, new keys wanted at any time by
// either side: in the end both hold the same session, and none began anew that could go on.
TEST(Handshake, AgreesWhateverTheNetworkDoes) {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    SCOPED_TRACE(seed);
    HandshakePair pair(seed);
    for (int step = 0; step < 300; ++step) {
      switch (pair.rng.below(8)) {
        case 0:
          pair.tick(Duration(pair.rng.below(60'000'000)));
          break;
        case 1:
          if (!pair.under_way.empty()) pair.under_way.pop_back();
          break;
        case 2:
          if (!pair.seen.empty()) {
            const auto [to_second, hello] = pair.seen[pair.rng.below(pair.seen.size())];
            pair.give(to_second, hello);
          }
          break;
        case 3: {
          Side& side = pair.side(pair.rng.chance(0.5));
          if (side.handshake.confirmed() && pair.rng.chance(0.2)) side.handshake.seek(pair.now);
          break;
        }
        case 4:
          pair.exchange_data();
          break;
        default:
          pair.deliver_any();
      }
    }
    pair.settle();
    ASSERT_NE(pair.one->newest(), 0u);
    EXPECT_EQ(pair.one->newest(), pair.two->newest());
    EXPECT_TRUE(pair.one->handshake.confirmed() && pair.two->handshake.confirmed());
    EXPECT_FALSE(pair.one->handshake.seeking() || pair.two->handshake.seeking());
    EXPECT_EQ(pair.one->begun, 1);
    EXPECT_EQ(pair.two->begun, 1);
    // Nothing more is said.
    EXPECT_EQ(pair.one->handshake.next_deadline(), kNever);
    EXPECT_EQ(pair.two->handshake.next_deadline(), kNever);
  }
}

TEST(Handshake, AgreesAfterARestartInTheMiddle) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    HandshakePair pair(seed);
    for (int step = 0; step < 60; ++step) {
      if (pair.rng.chance(0.3)) pair.tick(20ms);
      if (pair.rng.chance(0.2) && !pair.under_way.empty()) pair.under_way.pop_back();
      pair.deliver_any();
      if (step == 30) pair.two.emplace(kTwo, kOne, Boot{202}, pair.rng, pair.now);
    }
    pair.settle();
    EXPECT_EQ(pair.one->newest(), pair.two->newest());
    EXPECT_EQ(pair.one->handshake.peer_boot(), Boot{202});
    EXPECT_EQ(pair.two->begun, 1);
  }
}

TEST(Handshake, AReplayedHelloNeverMakesASession) {
  HandshakePair pair(3);
  pair.settle();
  const auto old = pair.seen;
  pair.two.emplace(kTwo, kOne, Boot{202}, pair.rng, pair.now);
  pair.settle();
  const std::size_t sessions = pair.one->sessions.size();
  pair.under_way.clear();
  for (int i = 0; i < 5; ++i) {
    for (const auto& [to_second, hello] : old) {
      if (to_second) continue;
      pair.one->take(pair.one->handshake.on_datagram(hello, pair.now));
      pair.now += 50ms;
    }
  }
  EXPECT_EQ(pair.one->sessions.size(), sessions);
  EXPECT_EQ(pair.one->handshake.peer_boot(), Boot{202});
}

TEST(Handshake, AMessageOfTheWrongSizeOrVersionIsRefused) {
  HandshakePair pair(4);
  const Bytes hello = pair.one->handshake.on_deadline(pair.now);
  ASSERT_EQ(hello.size(), kHelloSize);
  const auto count = [&](const char* reason) {
    return pair.two->metrics
        .counter("migd_channel_refused_total{reason=\"" + std::string(reason) + "\"}")
        .value;
  };
  for (std::size_t size = kHelloHeaderSize; size < hello.size(); ++size) {
    pair.two->handshake.on_datagram(ByteView(hello).first(size), pair.now);
  }
  EXPECT_EQ(count("truncated"), kHelloSize - kHelloHeaderSize);
  Bytes changed = hello;
  changed[1] = 2;
  pair.two->handshake.on_datagram(changed, pair.now);
  EXPECT_EQ(count("unknown_version"), 1u);
  for (std::size_t at = 0; at < hello.size(); ++at) {
    if (at < 2 || (at >= 4 && at < kHelloHeaderSize)) continue;  // type, version, key ids
    changed = hello;
    changed[at] ^= 0x20;
    EXPECT_TRUE(pair.two->handshake.on_datagram(changed, pair.now).reply.empty());
  }
  EXPECT_EQ(count("bad_tag"), kHelloSize - 10);
}

}  // namespace
}  // namespace migd::channel::test
