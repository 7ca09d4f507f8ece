// No connection is ever ended for another, whatever runs out: the memory that lwIP makes a PCB of,
// the backlog, the number of connections, the memory for data. lwIP ends the oldest
// (tcp_kill_timewait, tcp_kill_state, tcp_kill_prio); here it finds none to end
// (stack/instance_scope.h).
#include <algorithm>
#include <set>

#include "stack/stack.h"
#include "tests/stack/lwip_memory.h"
#include "tests/stack/test_bed.h"
#include "tests/support/packets.h"

namespace migd::test {
namespace {

// A node that has connections in every state, several of each.
class NoneIsEndedTest : public ::testing::Test {
 protected:
  void fill(const StackOptions& options) {
    node_.emplace(9, options, now_);
    ASSERT_TRUE(node_->stack->listen(PeerOptions().remote, "web", &*node_));
    for (int i = 0; i < 3; ++i) {
      enter(TcpState::kEstablished);
      enter(TcpState::kCloseWait);
      enter(TcpState::kFinWait1);
      enter(TcpState::kFinWait2);
      enter(TcpState::kClosing);
      enter(TcpState::kLastAck);
      enter(TcpState::kTimeWait);
    }
    for (int i = 0; i < 3; ++i)
      enter(TcpState::kSynReceived);
    before_ = all();
    ASSERT_EQ(before_.size(), 24u);
  }

  Peer& enter(TcpState state) {
    Peer& peer = client();
    give(peer, peer.syn());
    if (state == TcpState::kSynReceived) return peer;
    give(peer, peer.ack());
    Connection& connection = *node_->stack->find(tuple_of(peer));
    if (state == TcpState::kCloseWait || state == TcpState::kLastAck) give(peer, peer.fin());
    if (state != TcpState::kEstablished && state != TcpState::kCloseWait) {
      const SeqNum unheard = peer.receive_next;
      connection.shutdown_write();
      deliver(peer);
      if (state == TcpState::kClosing) peer.receive_next = unheard;
      if (state == TcpState::kFinWait2) give(peer, peer.ack());
      if (state == TcpState::kClosing || state == TcpState::kTimeWait) give(peer, peer.fin());
    }
    EXPECT_EQ(node_->stack->find(tuple_of(peer))->state(), state);
    return peer;
  }

  void knock() {
    Peer& stranger = client();
    give(stranger, stranger.syn());
  }
  Peer& client() {
    PeerOptions options;
    options.local.port = ++port_;
    return peers_.emplace_back(options);
  }
  static FourTuple tuple_of(const Peer& peer) { return {peer.options.remote, peer.options.local}; }
  void give(Peer& peer, const Bytes& packet) {
    Frame frame = node_->pool->copy_of(packet);
    EXPECT_EQ(node_->stack->input(frame, now_), Stack::InputVerdict::kTaken);
    deliver(peer);
  }
  void deliver(Peer& peer) {
    node_->stack->deliver_events(now_);
    for (const SeenSegment& segment : node_->sent) {
      resets_ += segment.has(tcp_flag::kRst) ? 1 : 0;
      if (segment.tuple.peer == peer.options.local) peer.take(segment);
    }
    node_->sent.clear();
  }
  std::set<std::string> all() {
    std::set<std::string> found;
    node_->stack->for_each([&found](Connection& c) {
      found.insert(c.tuple().peer.to_string() + " " + std::string(to_string(c.state())));
    });
    return found;
  }
  void expect_none_ended() {
    EXPECT_EQ(all(), before_);
    EXPECT_EQ(node_->gone, 0);
    EXPECT_EQ(resets_, 0);
  }
  std::uint64_t drops(DropReason reason) { return node_->stack->drops().of(reason); }

  Instant now_{Duration(1000s)};
  std::optional<TestNode> node_;
  std::deque<Peer> peers_;
  std::set<std::string> before_;
  std::uint16_t port_ = 1000;
  int resets_ = 0;
};

TEST_F(NoneIsEndedTest, WhenThereIsNoMemoryForAPcb) {
  fill(default_options());
  Peer& stranger = client();
  {
    const RefusedMemory refused(MEMP_TCP_PCB);
    give(stranger, stranger.syn());
    EXPECT_GE(refused.count(), 2) << "lwIP has tried again, after it had looked for one to end";
  }
  expect_none_ended();
  give(stranger, stranger.syn());
  EXPECT_TRUE(stranger.established);
}

TEST_F(NoneIsEndedTest, WhenThereIsNoMemoryForOneThatMovesIn) {
  TestBed elsewhere;
  elsewhere.connect();
  FrozenConnection frozen = elsewhere.stack().freeze(*elsewhere.find(), elsewhere.now);
  const TcpSnapshot snapshot = elsewhere.stack().capture(frozen, elsewhere.now);
  fill(default_options());
  {
    const RefusedMemory refused(MEMP_TCP_PCB);
    const Tenure tenure{frozen.connection().id(), Epoch{2}};
    EXPECT_FALSE(node_->stack->attach(snapshot, tenure, "web", {}, now_));
    EXPECT_GE(refused.count(), 2);
    EXPECT_EQ(node_->stack->counts().total, before_.size());
  }
  expect_none_ended();
  elsewhere.stack().thaw(std::move(frozen), elsewhere.now);
}

TEST_F(NoneIsEndedTest, WhenThereAreAsManyAsThereMayBe) {
  StackOptions options = default_options();
  options.connections_max = 24;
  fill(options);
  for (int i = 0; i < 10; ++i)
    knock();
  EXPECT_EQ(drops(DropReason::kTooManyConnections), 10u);
  expect_none_ended();
}

TEST_F(NoneIsEndedTest, WhenTheBacklogIsFull) {
  for (const bool cookies : {false, true}) {
    StackOptions options = default_options();
    options.backlog = 3;
    options.syn_cookies = cookies;
    fill(options);
    for (int i = 0; i < 10; ++i)
      knock();
    EXPECT_EQ(drops(DropReason::kBacklogFull), cookies ? 0u : 10u);
    expect_none_ended();
    node_.reset();
  }
}

TEST_F(NoneIsEndedTest, WhenDataHasUsedUpTheMemory) {
  StackOptions options = default_options();
  options.memory = 100'000;
  fill(options);
  Peer& greedy = *std::find_if(peers_.begin(), peers_.end(), [this](const Peer& peer) {
    const Connection* found = node_->stack->find(tuple_of(peer));
    return found->state() == TcpState::kEstablished;
  });
  for (int i = 0; i < 150; ++i)
    give(greedy, greedy.data(ramp(1000)));
  for (int i = 0; i < 10; ++i)
    knock();
  EXPECT_GE(drops(DropReason::kMemoryLimit), 11u);
  expect_none_ended();
}

// TIME_WAIT has no room of its own: all that there is may be in it, and each lasts its time.
TEST_F(NoneIsEndedTest, WhenAllAreInTimeWait) {
  StackOptions options = default_options();
  options.connections_max = 500;
  node_.emplace(9, options, now_);
  ASSERT_TRUE(node_->stack->listen(PeerOptions().remote, "web", &*node_));
  for (int i = 0; i < 500; ++i)
    enter(TcpState::kTimeWait);
  before_ = all();
  ASSERT_EQ(before_.size(), 500u);
  now_ += 59s;
  node_->stack->on_deadline(now_);
  for (int i = 0; i < 10; ++i)
    knock();
  EXPECT_EQ(drops(DropReason::kTooManyConnections), 10u);
  expect_none_ended();
  now_ += 2s;
  node_->stack->on_deadline(now_);
  node_->stack->deliver_events(now_);
  EXPECT_EQ(node_->stack->counts().total, 0u);
}

}  // namespace
}  // namespace migd::test
