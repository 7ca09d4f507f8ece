#include "tests/sim/stack_pair.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "migrator/blob.h"
#include "tests/sim/client.h"

namespace migd::sim {

// Sends back what it receives, or the ramp.
class StackPair::App : public ConnectionHandler {
 public:
  App(StackPair& pair, std::size_t sent) : pair_(pair), sent_(sent) {}

  void on_readable(Connection& connection) override { advance(connection); }
  void on_writable(Connection& connection) override { advance(connection); }
  void on_peer_closed(Connection& connection) override { advance(connection); }
  void on_thawed(Connection& connection) override { advance(connection); }
  void on_closed(Connection&, CloseReason) override {}

  void advance(Connection& connection) {
    if (connection.frozen() || pair_.world_.now() < Instant(pair_.options_.reads_from)) return;
    if (pair_.options_.source_bytes > 0) return send_ramp(connection);
    while (connection.readable() > 0 && connection.writable() > 0) {
      const ByteView front = connection.peek_front();
      const std::size_t n =
          connection.write(front.first(std::min(front.size(), connection.writable())));
      connection.consume(n);
      if (n == 0) break;
    }
    if (connection.peer_closed() && connection.readable() == 0) end(connection);
  }
  std::size_t sent() const { return sent_; }

 private:
  void send_ramp(Connection& connection) {
    connection.consume(connection.readable());
    while (sent_ < pair_.options_.source_bytes && connection.writable() > 0) {
      const std::size_t most = std::min(connection.writable(), pair_.options_.source_bytes - sent_);
      const std::size_t n = connection.write(ramp(sent_, most));
      if (n == 0) break;
      sent_ += n;
    }
    const bool everything = sent_ == pair_.options_.source_bytes;
    if (everything && (pair_.options_.speaks_first || connection.peer_closed())) end(connection);
  }
  void end(Connection& connection) {
    if (std::exchange(ended_, true)) return;
    pair_.options_.hangs_up ? connection.close() : connection.shutdown_write();
  }

  StackPair& pair_;
  std::size_t sent_;
  bool ended_ = false;
};

struct StackPair::Side : public FrameSink, public AcceptHandler, public ConnectionObserver {
  Side(StackPair& owner, SimNet& net, SimClock clock, NodeId node, const char* name)
      : pair(owner), loop(owner.world_, clock), port(net.add_port(name)) {
    SimLinkOptions link_options;
    link_options.capabilities = owner.options_.link;
    link_options.coalesce = owner.options_.link.tcp_gso;
    link = std::make_unique<SimLink>(net, port, loop, owner.pool_, link_options);
    link->set_receiver(this);
    StackOptions options;
    options.node = node;
    options.boot = Boot{node.value};
    options.link = owner.options_.link;
    options.window = owner.options_.window;
    options.send_buffer = owner.options_.send_buffer;
    options.unsent_low_water = std::min(options.unsent_low_water, options.send_buffer);
    options.timestamps = owner.options_.timestamps;
    options.sack = owner.options_.sack;
    options.keepalive_idle = owner.options_.keepalive;
    output.link = link.get();
    stack = Stack::create(options, output, owner.pool_, owner.rng_, metrics, loop.now());
    stack->set_observer(this);
    MIGD_CHECK(stack->listen(owner.options_.vip, "toy", this).has_value());
    timer = loop.make_timer([this] {
      stack->on_deadline(loop.now());
      pair.settle(*this);
    });
  }
  // The net hands everything to the first side; whoever owns the connection takes it.
  void on_frame(Frame frame, Instant) override { pair.on_frame(std::move(frame)); }
  void on_batch_end(Instant) override {
    for (const auto& side : pair.sides_)
      pair.settle(*side);
  }
  void on_established(Connection& connection) override {
    pair.app_ = std::make_unique<App>(pair, 0);
    connection.bind("app", pair.app_.get());
    pair.app_->advance(connection);
  }
  void on_opened(Connection& connection) override {
    if (std::exchange(pair.opened_, true)) return;
    pair.id_ = connection.id();
    pair.judge_.on_message(port, pair.world_.now(),
                           ConnectionOpened{connection.id(), connection.tuple(), "toy"});
  }
  void on_gone(Connection& connection, CloseReason reason) override {
    if (connection.id() == pair.id_ && reason != CloseReason::kMigrated) {
      pair.over_at_ = pair.world_.now();
    }
  }

  struct Output : FrameSink {
    void on_frame(Frame frame, Instant) override { link->send(std::move(frame)); }
    SimLink* link = nullptr;
  };
  StackPair& pair;
  SimNodeLoop loop;
  PortId port;
  Metrics metrics;
  Output output;
  std::unique_ptr<SimLink> link;
  std::unique_ptr<Stack> stack;
  std::unique_ptr<Timer> timer;
};

StackPair::StackPair(SimLoop& world, SimNet& net, Judge& judge, const StackPairOptions& options)
    : world_(world), judge_(judge), options_(options), rng_(SimRng::split(options.seed, 11)) {
  sides_[0] = std::make_unique<Side>(*this, net, SimClock{37h, 100}, NodeId{1}, "a");
  sides_[1] = std::make_unique<Side>(*this, net, SimClock{3s, -100}, NodeId{2}, "b");
  net.add_route(options.vip.address, sides_[0]->port);
  judge.add_vip(options.vip);
  if (options.reads_from == Duration::zero()) return;
  world.schedule(Instant(options.reads_from), [this] {
    if (app_ == nullptr || connection() == nullptr) return;
    sides_[owner_]->stack->on_deadline(sides_[owner_]->loop.now());  // tells it the time
    app_->advance(*connection());
    settle(*sides_[owner_]);
  });
}

StackPair::~StackPair() {
  if (attached_) sides_[1 - owner_]->stack->release(std::move(*attached_), CloseReason::kMigrated);
  if (frozen_) sides_[owner_]->stack->release(std::move(*frozen_), CloseReason::kMigrated);
}

Connection* StackPair::connection() {
  return opened_ && !over() ? sides_[owner_]->stack->find(id_) : nullptr;
}

PortId StackPair::port(int side) const {
  return sides_[side]->port;
}

void StackPair::on_frame(Frame frame) {
  Side& side = *sides_[owner_];
  if (moving()) {
    held_.push_back(std::move(frame));
    return;
  }
  side.stack->input(frame, side.loop.now());
}

void StackPair::settle(Side& side) {
  side.stack->deliver_events(side.loop.now());
  const Instant next = side.stack->next_deadline();
  next == kNever ? side.timer->stop() : side.timer->start(next);
}

void StackPair::stage(int side, Stage stage) {
  judge_.on_message(sides_[side]->port, world_.now(),
                    MigrationStageReached{{id_, Epoch{epoch_.value + 1}}, stage, {}});
}

void StackPair::finish(MigrationOutcome outcome) {
  MigrationFinished finished;
  finished.tenure = {id_, epoch_};
  finished.outcome = outcome;
  finished.stage_at[static_cast<std::size_t>(Stage::kFrozen)] = Duration::zero();
  judge_.on_message(sides_[owner_]->port, world_.now(), finished);
}

void StackPair::replay() {
  Side& side = *sides_[owner_];
  for (Frame& frame : std::exchange(held_, {}))
    side.stack->input(frame, side.loop.now());
  settle(side);
}

// False when there is nothing that could be frozen now.
bool StackPair::freeze() {
  Side& source = *sides_[owner_];
  Connection* const live = connection();
  if (moving() || live == nullptr) return false;
  stage(owner_, Stage::kFrozen);
  frozen_.emplace(source.stack->freeze(*live, source.loop.now()));
  if (ConnectionHandler* handler = live->handler()) handler->on_frozen(*live);
  return true;
}

// At the owner.
void StackPair::thaw(FrozenConnection frozen) {
  Side& side = *sides_[owner_];
  Connection& live = frozen.connection();
  side.stack->thaw(std::move(frozen), side.loop.now());
  if (ConnectionHandler* handler = live.handler()) handler->on_thawed(live);
  replay();
}

bool StackPair::migrate(Duration took) {
  if (!freeze()) return false;
  Side& source = *sides_[owner_];
  ConnectionBlob blob;
  blob.tenure = {id_, Epoch{epoch_.value + 1}};
  blob.service = "toy";
  blob.application = "app";
  blob.tcp = source.stack->capture(*frozen_, source.loop.now());
  world_.schedule(world_.now() + took, [this, bytes = encode_blob(blob), took] {
    const auto read = decode_blob(bytes);
    MIGD_CHECK(read.has_value());
    arrive(read->tcp, took);
  });
  return true;
}

void StackPair::arrive(const TcpSnapshot& snapshot, Duration took) {
  Side& source = *sides_[owner_];
  Side& target = *sides_[1 - owner_];
  const Tenure tenure{id_, Epoch{epoch_.value + 1}};
  auto attached = target.stack->attach(snapshot, tenure, "toy", took, target.loop.now());
  if (!attached) {
    ++refusals_[attached.error().text];
    finish(MigrationOutcome::kRefused);
    FrozenConnection frozen = std::move(*frozen_);
    frozen_.reset();
    return thaw(std::move(frozen));
  }
  Connection& arrived = attached->connection();
  if (app_ != nullptr && !application_done(snapshot)) {
    next_app_ = std::make_unique<App>(*this, app_->sent());
    arrived.bind("app", next_app_.get());
  }
  stage(1 - owner_, Stage::kAttached);
  stage(owner_, Stage::kGranted);
  source.stack->release(std::move(*frozen_), CloseReason::kMigrated);
  frozen_.reset();
  settle(source);
  stage(1 - owner_, Stage::kActivated);
  owner_ = 1 - owner_;
  epoch_ = tenure.epoch;
  ++moves_;
  ++moves_in_[snapshot.state];
  app_ = std::move(next_app_);
  thaw(std::move(*attached));
}

bool StackPair::migrate_and_give_up(Duration took) {
  if (!freeze()) return false;
  (void)sides_[owner_]->stack->capture(*frozen_, sides_[owner_]->loop.now());
  world_.schedule(world_.now() + took, [this] {
    ++moves_in_[frozen_->connection().state()];
    finish(MigrationOutcome::kAborted);
    FrozenConnection frozen = std::move(*frozen_);
    frozen_.reset();
    thaw(std::move(frozen));
  });
  return true;
}

}  // namespace migd::sim
