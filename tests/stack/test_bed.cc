#include "tests/stack/test_bed.h"

#include "migrator/blob.h"
#include "tests/support/snapshot_text.h"

namespace migd::test {

void TestApp::on_readable(Connection& connection) {
  ++readable_events;
  if (!reads) return;
  while (connection.readable() > 0) {
    const ByteView piece = connection.peek_front();
    append(received, piece);
    connection.consume(piece.size());
  }
}

StackOptions default_options() {
  StackOptions options;
  options.boot = Boot{0x1234};
  return options;
}

TcpSnapshot travelled(const TcpSnapshot& snapshot, const Tenure& tenure) {
  ConnectionBlob blob;
  blob.tenure = tenure;
  blob.tcp = snapshot;
  const auto arrived = decode_blob(encode_blob(blob));
  EXPECT_TRUE(arrived) << arrived.error().text;
  if (!arrived) return snapshot;
  EXPECT_EQ(to_text(arrived->tcp), to_text(snapshot));
  return arrived->tcp;
}

TestNode::TestNode(std::uint16_t id, const StackOptions& given, Instant now) : rng(id) {
  StackOptions options = given;
  options.node = NodeId{id};
  stack = Stack::create(options, *this, pool, rng, metrics, now);
  stack->set_observer(this);
}

void TestNode::on_frame(Frame frame, Instant at) {
  const auto seen = see(frame, at);
  ASSERT_TRUE(seen) << "not a TCP packet";
  sent.push_back(*seen);
}

void TestNode::on_syn_answered(Connection& connection) {
  syn_answered.push_back(&connection);
}
void TestNode::on_established(Connection& connection) {
  established.push_back(&connection);
}

std::string to_string(Moves moves) {
  switch (moves) {
    case Moves::kNever:
      return "Never";
    case Moves::kEachStep:
      return "EachStep";
    case Moves::kThereAndBack:
      return "ThereAndBack";
  }
  return "?";
}

TestBed::TestBed(Moves moves, PeerOptions peer_options, StackOptions stack_options)
    : peer(std::move(peer_options)),
      a(1, stack_options, now),
      b(2, stack_options, now - Duration(500s)),  // its clock is another
      moves_(moves) {
  for (TestNode* node : {&a, &b}) {
    EXPECT_TRUE(node->stack->listen(peer.options.remote, "web", node));
  }
}

TcpState TestBed::state() {
  Connection* connection = find();
  EXPECT_NE(connection, nullptr);
  return connection == nullptr ? TcpState::kTimeWait : connection->state();
}

void TestBed::collect() {
  for (TestNode* node : {&a, &b}) {
    EXPECT_TRUE(node == owner || node->sent.empty()) << "a node talks that is not the owner";
    for (SeenSegment& segment : node->sent) {
      peer.take(segment);
      wire.push_back(std::move(segment));
    }
    node->sent.clear();
  }
}

std::vector<SeenSegment> TestBed::take() {
  std::vector<SeenSegment> taken(wire.begin(), wire.end());
  wire.clear();
  return taken;
}

SeenSegment TestBed::take_one() {
  const auto taken = take();
  std::string all;
  for (const SeenSegment& segment : taken)
    all += segment.describe() + "; ";
  EXPECT_EQ(taken.size(), 1u) << all;
  return taken.empty() ? SeenSegment{} : taken.front();
}

void TestBed::move() {
  Connection* connection = find();
  if (connection == nullptr) return;
  TestNode* const from = owner;
  TestNode* const to = owner == &a ? &b : &a;
  collect();

  FrozenConnection frozen = from->stack->freeze(*connection, now);
  const TcpSnapshot snapshot = from->stack->capture(frozen, now);
  const std::string service = connection->service();
  const std::string application = connection->application();
  const bool bound = connection->handler() != nullptr;
  const Tenure tenure{connection->id(), Epoch{connection->epoch().value + 1}};
  if (bound) connection->bind(application, nullptr);
  auto attached =
      to->stack->attach(travelled(snapshot, tenure), tenure, service, Duration::zero(), now);
  ASSERT_TRUE(attached) << attached.error().text;
  from->stack->release(std::move(frozen), CloseReason::kMigrated);
  from->stack->deliver_events(now);
  EXPECT_TRUE(from->sent.empty()) << "the source talks";
  EXPECT_TRUE(to->sent.empty()) << "the target talks before it owns the connection";
  owner = to;
  Connection& moved = attached->connection();
  if (bound) moved.bind(application, &app);
  to->stack->thaw(std::move(*attached), now);
  to->stack->deliver_events(now);
  ++moves_made;

  // An ACK that was owed, unless a segment says it: scripts do not ask for it. Nothing else that
  // says nothing new.
  const bool owed = snapshot.ack_pending && snapshot.state != TcpState::kSynReceived &&
                    snapshot.state != TcpState::kTimeWait;
  EXPECT_TRUE(!owed || !to->sent.empty()) << "the ACK that was owed is late";
  for (const SeenSegment& segment : to->sent) {
    const SeqNum edge = segment.ack + (std::uint32_t{segment.window_field} << peer.their_scale);
    EXPECT_TRUE(!segment.pure_ack() || (owed && to->sent.size() == 1) || edge > peer.right_edge)
        << segment.describe();
  }
  if (owed && to->sent.size() == 1 && to->sent[0].pure_ack()) {
    peer.take(to->sent[0]);
    to->sent.clear();
  }
  collect();
}

void TestBed::step() {
  if (moves_ == Moves::kNever) return;
  move();
  if (moves_ == Moves::kThereAndBack) move();
}

void TestBed::give(Bytes packet, Offload offload) {
  step();
  Frame frame = owner->pool->copy_of(packet);
  frame.offload = offload;
  if (owner->stack->input(frame, now) != Stack::InputVerdict::kTaken) {
    EXPECT_TRUE(owner->stack->complete_handshake(frame, now)) << "nobody takes it";
  }
  deliver();
}

void TestBed::give(const Bytes& packet) {
  give(packet, {});
}

void TestBed::deliver() {
  owner->stack->deliver_events(now);
  collect();
}

void TestBed::connect() {
  const Moves later = std::exchange(moves_, Moves::kNever);
  give(peer.syn());
  EXPECT_TRUE(peer.established);
  give(peer.ack());
  moves_ = later;
  ASSERT_EQ(owner->established.size(), 1u);
  owner->established[0]->bind("app", &app);
  deliver();
  take();
}

std::size_t TestBed::write(ByteView bytes) {
  step();
  const std::size_t taken = find()->write(bytes);
  deliver();
  return taken;
}

void TestBed::consume_all() {
  step();
  app.on_readable(*find());
  deliver();
}

void TestBed::shutdown_write() {
  step();
  find()->shutdown_write();
  deliver();
}

void TestBed::close() {
  step();
  find()->close();
  deliver();
}

void TestBed::abort() {
  step();
  find()->abort();
  deliver();
}

void TestBed::run_for(Duration duration) {
  step();
  const Instant until = now + duration;
  while (true) {
    const Instant next = owner->stack->next_deadline();
    if (next > until) break;
    now = std::max(now, next);
    owner->stack->on_deadline(now);
    deliver();
  }
  now = until;
  deliver();
}

}  // namespace migd::test
