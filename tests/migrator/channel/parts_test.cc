// The parts of a link, each alone.
#include <gtest/gtest.h>

#include <set>

#include "migrator/channel/sent_packets.h"
#include "migrator/channel/train.h"
#include "migrator/channel/tuning.h"
#include "tests/migrator/channel/virtual_net.h"

namespace migd::channel::test {
namespace {

// ---- NumberWindow ----

TEST(NumberWindow, IsASetOfTheLatest) {
  constexpr std::uint64_t kRemembered = 256;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    sim::SimRng rng(seed);
    NumberWindow<kRemembered> window;
    std::set<std::uint64_t> model;
    std::uint64_t top = rng.below(1000);
    for (int i = 0; i < 2000; ++i) {
      if (rng.chance(0.01)) top += rng.below(600);
      const std::uint64_t back = rng.below(rng.chance(0.1) ? 400 : 30);
      const std::uint64_t number = top + rng.below(5) - std::min(top, back);
      top = std::max(top, number);
      const std::uint64_t largest = model.empty() ? 0 : *model.rbegin();
      const bool old = !model.empty() && number < largest && largest - number >= kRemembered;
      ASSERT_EQ(window.contains(number), old || model.count(number) != 0);
      ASSERT_EQ(window.forgotten(number), old);
      window.add(number);
      if (!old) model.insert(number);
      ASSERT_EQ(window.largest(), *model.rbegin());
    }
    std::set<std::uint64_t> from_runs;
    for (const NumberRun& run : window.runs(1000)) {
      for (std::uint64_t n = run.first; n <= run.last; ++n)
        from_runs.insert(n);
    }
    const std::uint64_t oldest = window.largest() - std::min(window.largest(), kRemembered - 1);
    EXPECT_EQ(from_runs, std::set<std::uint64_t>(model.lower_bound(oldest), model.end()));
  }
}

TEST(NumberWindow, RunsAreTheLatestFirstAndNeverTouch) {
  ReceivedPackets packets;
  for (const std::uint64_t n : {1, 2, 3, 5, 6, 9})
    packets.add(n);
  EXPECT_EQ(packets.runs(10), (std::vector<NumberRun>{{9, 9}, {5, 6}, {1, 3}}));
  EXPECT_EQ(packets.runs(2), (std::vector<NumberRun>{{9, 9}, {5, 6}}));
  packets.add(100'000);
  EXPECT_EQ(packets.runs(10), (std::vector<NumberRun>{{100'000, 100'000}}));
}

// ---- Train ----

class TrainTest : public ::testing::Test, public DatagramSender {
 protected:
  void send(const Endpoint&, ByteView payload, std::size_t segment_size) override {
    calls.push_back({payload.size(), segment_size});
    append(all, payload);
  }
  void add(std::size_t size) {
    train.buffer().resize(train.buffer().size() + size, static_cast<std::uint8_t>(size));
    append(expected, Bytes(size, static_cast<std::uint8_t>(size)));
    train.end_datagram();
  }
  Train train{*this, 1000};
  std::vector<std::pair<std::size_t, std::size_t>> calls;
  Bytes all, expected;
};

TEST_F(TrainTest, EqualSizesShareACallAndAShorterOneEndsIt) {
  train.start({});
  for (const std::size_t size : {100, 100, 100, 40, 100, 100})
    add(size);
  train.flush();
  EXPECT_EQ(calls, (std::vector<std::pair<std::size_t, std::size_t>>{{340, 100}, {200, 100}}));
  EXPECT_EQ(all, expected);
}

TEST_F(TrainTest, ALongerOneBeginsAnother) {
  train.start({});
  for (const std::size_t size : {40, 100, 100, 30})
    add(size);
  train.flush();
  EXPECT_EQ(calls, (std::vector<std::pair<std::size_t, std::size_t>>{{40, 40}, {230, 100}}));
  EXPECT_EQ(all, expected);
}

TEST_F(TrainTest, NeverMoreThanItsBound) {
  train.start({});
  for (int i = 0; i < 25; ++i)
    add(100);
  train.flush();
  EXPECT_EQ(calls, (std::vector<std::pair<std::size_t, std::size_t>>{
                       {1000, 100}, {1000, 100}, {500, 100}}));
  EXPECT_EQ(all, expected);
}

// ---- RoundTrip, Congestion ----

TEST(RoundTrip, FollowsWhatIsMeasured) {
  RoundTrip round_trip(20ms);
  EXPECT_FALSE(round_trip.measured());
  round_trip.sample(1ms, Duration(0));
  EXPECT_EQ(round_trip.smoothed(), 1ms);
  for (int i = 0; i < 100; ++i)
    round_trip.sample(3ms, 1ms);
  EXPECT_NEAR(static_cast<double>(round_trip.smoothed().count()), 2e6, 1e5);
  EXPECT_GE(round_trip.loss_delay(), round_trip.smoothed());
  EXPECT_EQ(round_trip.probe_timeout(1ms, 50ms), 50ms);
  EXPECT_GE(round_trip.probe_timeout(1ms, Duration(0)), round_trip.smoothed() + 1ms);
}

TEST(Congestion, HalvesOncePerRoundTripAndGrowsAgain) {
  CongestionOptions options;
  Congestion congestion(options);
  Instant now{1h};
  for (int i = 0; i < 100; ++i)
    congestion.on_sent(1400, now);
  now += 1ms;
  congestion.on_lost(1400, now - 1ms, now);
  EXPECT_EQ(congestion.window(), options.initial_window / 2);
  congestion.on_lost(1400, now - 1ms, now);
  EXPECT_EQ(congestion.window(), options.initial_window / 2);
  for (int i = 0; i < 98; ++i)
    congestion.on_acked(1400, now - 1ms);
  EXPECT_EQ(congestion.window(), options.initial_window / 2);
  EXPECT_EQ(congestion.in_flight(), 0u);
  const std::size_t before = congestion.window();
  for (int i = 0; i < 20; ++i) {
    now += 1ms;
    std::size_t sent = 0;
    for (; congestion.window_open(1400); ++sent)
      congestion.on_sent(1400, now);
    for (; sent > 0; --sent)
      congestion.on_acked(1400, now);
  }
  EXPECT_GT(congestion.window(), before + 10 * 1400u / 2);
  EXPECT_LT(congestion.window(), before + 30 * 1400u);
  for (int i = 0; i < 20; ++i) {
    now += 1ms;
    congestion.on_sent(1400, now);
    congestion.on_lost(1400, now, now + 1us);
    now += 1ms;
  }
  EXPECT_EQ(congestion.window(), options.least_window);
}

TEST(Congestion, PacingLetsABurstGoAndThenHoldsTheRate) {
  CongestionOptions options;
  Congestion congestion(options);
  Instant now{1h};
  congestion.set_round_trip(10ms);
  std::size_t burst = 0;
  while (congestion.paced_until(1400, now) <= now) {
    congestion.on_sent(1400, now);
    burst += 1400;
  }
  EXPECT_NEAR(static_cast<double>(burst), static_cast<double>(options.burst), 1400);
  const Duration wait = congestion.paced_until(1400, now) - now;
  EXPECT_GT(wait, Duration(0));
  EXPECT_LT(wait, 100us);
}

// ---- SentPackets ----

class SentPacketsTest : public ::testing::Test {
 protected:
  void send(int count, Duration apart = Duration(0)) {
    for (int i = 0; i < count; ++i) {
      sent.add({.sent = now, .bytes = 1400, .in_flight = true, .first = {}, .more = {}});
      now += apart;
    }
  }
  bool ack(std::vector<NumberRun> runs) {
    acked.clear();
    lost.clear();
    const bool ok = sent.on_ack({Duration(0), std::move(runs)}, now, acked, round_trip);
    sent.detect_lost(now, round_trip, lost);
    return ok;
  }
  SentPackets sent;
  RoundTrip round_trip{20ms};
  Instant now{1h};
  std::vector<SentPacket> acked, lost;
};

TEST_F(SentPacketsTest, OvertakenByThreeIsLost) {
  send(6);
  now += 100us;
  EXPECT_TRUE(ack({{2, 3}}));
  EXPECT_EQ(acked.size(), 2u);
  EXPECT_TRUE(lost.empty());
  EXPECT_TRUE(ack({{2, 4}}));
  EXPECT_EQ(acked.size(), 1u);
  EXPECT_EQ(lost.size(), 1u);
  EXPECT_EQ(sent.in_flight(), 2u);
}

TEST_F(SentPacketsTest, OvertakenAndOldIsLost) {
  send(2);
  now += 100us;
  EXPECT_TRUE(ack({{2, 2}}));
  EXPECT_TRUE(lost.empty());
  ASSERT_NE(sent.loss_deadline(), kNever);
  now = sent.loss_deadline();
  sent.detect_lost(now, round_trip, lost);
  EXPECT_EQ(lost.size(), 1u);
  EXPECT_EQ(sent.in_flight(), 0u);
  EXPECT_EQ(sent.loss_deadline(), kNever);
}

TEST_F(SentPacketsTest, AcknowledgedTwiceCountsOnceAndNeverSentIsRefused) {
  send(3);
  EXPECT_TRUE(ack({{1, 3}}));
  EXPECT_EQ(acked.size(), 3u);
  EXPECT_TRUE(ack({{1, 3}}));
  EXPECT_TRUE(acked.empty());
  EXPECT_FALSE(ack({{4, 4}}));
  EXPECT_FALSE(ack({{1, 400}}));
}

// ---- Outbox ----

std::shared_ptr<OutMessage> message_of(std::size_t head, std::size_t body) {
  auto message = std::make_shared<OutMessage>();
  message->head = Bytes(head);
  message->body = Bytes(body);
  message->frame.body_size = static_cast<std::uint32_t>(body);
  message->frame.head_size = static_cast<std::uint16_t>(head);
  return message;
}

TEST(Outbox, CutFillsDatagramsAndCoversTheBodyOnce) {
  for (const std::size_t body : {0u, 1u, 1000u, 1253u, 1254u, 1255u, 5000u, 100'000u}) {
    for (const std::size_t head : {0u, 100u, 1024u}) {
      const auto message = message_of(head, body);
      cut(*message, 1366);
      std::size_t covered = 0;
      for (const OutFragment& fragment : message->fragments) {
        EXPECT_EQ(fragment.offset, covered);
        covered += fragment.size;
        const std::size_t bytes = message->frame_of(fragment).wire_size() + fragment.size;
        EXPECT_LE(bytes, 1366u);
        if (covered < body) {
          EXPECT_EQ(bytes, 1366u);
        }
      }
      EXPECT_EQ(covered, body);
    }
  }
}

TEST(Outbox, AWordOvertakesABlobAndLossComesFirst) {
  Outbox outbox(1u << 20);
  const Instant now{1h};
  const auto big = message_of(10, 5000);
  const auto small = message_of(10, 0);
  cut(*big, 1366);
  cut(*small, 1366);
  outbox.add(big, now);
  outbox.add(small, now);
  EXPECT_EQ(outbox.front()->message, small);
  outbox.front()->fragment().state = OutFragment::State::kSent;
  outbox.pop();
  EXPECT_EQ(outbox.front()->message, big);
  const FragmentRef first = *outbox.front();
  outbox.front()->fragment().state = OutFragment::State::kSent;
  outbox.pop();
  EXPECT_EQ(outbox.front()->index, 1u);
  outbox.on_lost(first);
  EXPECT_EQ(outbox.front()->index, 0u);
}

TEST(Outbox, BytesCountUntilAllIsAcknowledged) {
  Outbox outbox(10'000);
  const Instant now{1h};
  const auto message = message_of(10, 5000);
  cut(*message, 1366);
  outbox.add(message, now);
  EXPECT_EQ(outbox.charged(), 5010 + Outbox::kMessageOverhead);
  EXPECT_FALSE(outbox.has_room(5000));
  for (std::uint32_t i = 0; i < message->fragments.size(); ++i) {
    outbox.on_acked({message, i}, now);
    outbox.on_acked({message, i}, now);
  }
  EXPECT_TRUE(message->finished);
  EXPECT_EQ(outbox.charged(), 0u);
  EXPECT_EQ(outbox.front(), nullptr);
}

// ---- Aead ----

TEST(Aead, OpensWhatWasSealedAndNothingElse) {
  sim::SimRng rng(1);
  for (const Cipher cipher : {Cipher::kChaCha20Poly1305, Cipher::kAes256Gcm}) {
    if (cipher == Cipher::kAes256Gcm && !aes_available()) continue;
    Key key;
    rng.fill(key);
    const Aead aead(cipher, key);
    for (const std::size_t size : {0u, 1u, 15u, 16u, 17u, 127u, 1319u}) {
      const Bytes plain = random_bytes(rng, size), associated = random_bytes(rng, 18);
      Bytes sealed = plain;
      const Tag tag = aead.seal(make_nonce(7, 9), associated, sealed);
      Bytes opened(size);
      ASSERT_TRUE(aead.open(make_nonce(7, 9), associated, sealed, tag, opened.data()));
      EXPECT_EQ(opened, plain);
      EXPECT_FALSE(aead.open(make_nonce(7, 8), associated, sealed, tag, opened.data()));
      EXPECT_FALSE(
          aead.open(make_nonce(7, 9), ByteView(associated).first(17), sealed, tag, opened.data()));
      Tag other = tag;
      other[15] ^= 1;
      EXPECT_FALSE(aead.open(make_nonce(7, 9), associated, sealed, other, opened.data()));
      if (size == 0) continue;
      sealed[size / 2] ^= 1;
      EXPECT_FALSE(aead.open(make_nonce(7, 9), associated, sealed, tag, opened.data()));
    }
  }
}

}  // namespace
}  // namespace migd::channel::test
