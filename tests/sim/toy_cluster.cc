#include "tests/sim/toy_cluster.h"

#include <utility>

namespace migd::sim {

ToyCluster::ToyCluster(SimLoop& world, SimNet& net, Judge& judge, const TcpConfig& client)
    : world_(world), net_(net), judge_(judge), loop_(world, {}), vip_(client.remote) {
  nodes_[0] = net.add_port("a");
  nodes_[1] = net.add_port("b");
  TcpConfig config = client;
  std::swap(config.local, config.remote);
  tcp_ = std::make_unique<Tcp>(config, loop_, [this](Bytes packet) {
    if (dead_) return;
    last_sent_ = packet;
    net_.send(nodes_[owner_], std::move(packet));
  });
  tcp_->listen();
  tcp_->set_on_change([this] { echo(); });
  net.add_route(vip_.address, nodes_[0]);
  net.set_deliver(nodes_[0], [this](Bytes packet) { on_packet(std::move(packet)); });
  judge.add_vip(vip_);
}

void ToyCluster::on_packet(Bytes packet) {
  if (loop_.paused()) {
    held_.push_back(std::move(packet));
  } else {
    take(packet);
  }
}

void ToyCluster::take(const Bytes& packet) {
  const auto segment = decode(packet);
  if (!segment || segment->dst != vip_) return;
  tcp_->on_segment(*segment);
  if (std::exchange(opened_, true)) return;
  judge_.on_message(nodes_[owner_], world_.now(),
                    ConnectionOpened{id_, {vip_, segment->src}, "toy"});
}

void ToyCluster::echo() {
  if (tcp_->received().size() > echoed_) {
    const Bytes fresh(tcp_->received().begin() + static_cast<std::ptrdiff_t>(echoed_),
                      tcp_->received().end());
    echoed_ += fresh.size();
    tcp_->write(fresh);
  }
  if (tcp_->peer_finished() && !std::exchange(closed_, true)) tcp_->shutdown_write();
}

void ToyCluster::stage(int node, Stage stage) {
  judge_.on_message(nodes_[node], world_.now(),
                    MigrationStageReached{{id_, Epoch{epoch_.value + 1}}, stage, {}});
}

void ToyCluster::finish(MigrationOutcome outcome) {
  MigrationFinished finished;
  finished.tenure = {id_, epoch_};
  finished.outcome = outcome;
  finished.stage_at[static_cast<std::size_t>(Stage::kFrozen)] = Duration::zero();
  judge_.on_message(nodes_[owner_], world_.now(), finished);
}

void ToyCluster::speak_from(int node) {
  if (!last_sent_.empty()) net_.send(nodes_[node], last_sent_);
}

void ToyCluster::thaw() {
  if (bugs.lose_out_of_order) tcp_->renege();
  loop_.resume();
  for (const Bytes& packet : std::exchange(held_, {})) {
    const auto segment = decode(packet);
    if (segment && !segment->payload.empty() && std::exchange(bugs.drop_first_held, false))
      continue;
    take(packet);
  }
}

void ToyCluster::migrate() {
  const int source = owner_, target = 1 - owner_;
  stage(source, Stage::kFrozen);
  loop_.pause();
  const Instant start = world_.now();
  if (bugs.talking_source) world_.schedule(start + 50us, [=, this] { speak_from(source); });
  world_.schedule(start + 100us, [=, this] { stage(target, Stage::kAttached); });
  world_.schedule(start + 200us, [=, this] {
    if (!bugs.grant_forgotten) stage(source, Stage::kGranted);
  });
  if (bugs.two_owners) world_.schedule(start + 250us, [=, this] { speak_from(source); });
  world_.schedule(start + 300us, [=, this] {
    stage(target, Stage::kActivated);
    finish(MigrationOutcome::kCompleted);
    owner_ = target;
    epoch_ = Epoch{epoch_.value + 1};
    ++moves_;
    thaw();
  });
}

void ToyCluster::migrate_and_give_up() {
  stage(owner_, Stage::kFrozen);
  loop_.pause();
  world_.schedule(world_.now() + 100us, [this] {
    dead_ = bugs.dead_after_abort;
    finish(MigrationOutcome::kAborted);
    thaw();
  });
}

}  // namespace migd::sim
