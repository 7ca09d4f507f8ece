#include "tests/app/two_nodes.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace migd {

TestNode::TestNode(const std::vector<ApplicationOptions>& options,
                   const std::function<void(MemoryFileStore&)>& add_files) {
  if (add_files) add_files(files);
  auto created = ApplicationRegistry::create(
      options, {files, network, log, metrics, [] { return std::int64_t{1'700'000'000}; }});
  MIGD_CHECK(created.has_value());
  registry = std::move(*created);
}

void TwoNodes::open(const std::string& application, FakeConnection::Options options) {
  connection_ = std::make_unique<FakeConnection>(options);
  owner_ = 0;
  const Result<void> attached = owner().registry->attach(*connection_, application, {}, false);
  MIGD_CHECK(attached.has_value());
}

void TwoNodes::settle() {
  bool again = true;
  while (again) {
    if (!gone()) connection_->deliver_events();
    again = nodes_[0].network.run_once();
    again = nodes_[1].network.run_once() || again;
  }
}

Result<void> TwoNodes::move() {
  if (gone() || connection_->aborted() || !blockers().empty()) return {};
  const std::string application = connection_->application();
  connection_->freeze();
  const Bytes state = connection_->handler()->capture_state();
  EXPECT_EQ(connection_->handler()->capture_state(), state);

  TestNode& target = nodes_[1 - owner_];
  auto copy = std::make_unique<FakeConnection>(connection_->carried());
  Result<void> attached = target.registry->attach(*copy, application, state, true);
  if (!attached) {
    connection_->thaw();
    return attached;
  }
  connection_->release();
  connection_ = std::move(copy);
  owner_ = 1 - owner_;
  ++moves_;
  connection_->thaw();
  return {};
}

void TwoNodes::freeze_and_thaw() {
  if (gone() || connection_->aborted()) return;
  connection_->freeze();
  connection_->thaw();
}

std::string to_string(MoveMode mode) {
  switch (mode) {
    case MoveMode::kStay:
      return "Stay";
    case MoveMode::kOnce:
      return "Once";
    case MoveMode::kEveryStep:
      return "EveryStep";
    case MoveMode::kFreezeEveryStep:
      return "FreezeEveryStep";
  }
  return "?";
}

namespace {

class Player {
 public:
  Player(TwoNodes& nodes, const Script& script) : nodes_(nodes), script_(script) {}

  Outcome run() {
    nodes_.open(script_.application, {script_.send_buffer, false});
    nodes_.settle();
    while (step()) {
    }
    outcome_.moves = nodes_.moves();
    outcome_.aborted = nodes_.connection().aborted();
    outcome_.fin = nodes_.connection().client_sees_fin();
    return outcome_;
  }

 private:
  bool step() {
    migrate();
    nodes_.settle();
    bool progress = send();
    nodes_.settle();
    progress = take() || progress;
    nodes_.settle();
    ++outcome_.steps;
    EXPECT_LT(outcome_.steps, 100'000u) << "it never ends";
    return progress && outcome_.steps < 100'000;
  }

  bool send() {
    if (nodes_.gone()) return false;
    const std::size_t size = std::min(script_.send_step, script_.sends.size() - sent_);
    nodes_.connection().client_sends(ByteView(script_.sends).subspan(sent_, size));
    sent_ += size;
    return size > 0 || close();
  }

  bool close() {
    const bool now = script_.client_closes && outcome_.received.size() >= closes_after();
    if (!now || closed_) return false;
    closed_ = true;
    nodes_.connection().client_closes();
    return true;
  }

  std::size_t closes_after() const {
    return script_.client_closes_after == SIZE_MAX ? 0 : script_.client_closes_after;
  }

  bool take() {
    const Bytes taken = nodes_.connection().client_takes(script_.take_step);
    append(outcome_.received, taken);
    return !taken.empty();
  }

  void migrate() {
    switch (script_.moves) {
      case MoveMode::kStay:
        return;
      case MoveMode::kOnce:
        if (outcome_.steps != script_.move_at_step) return;
        [[fallthrough]];
      case MoveMode::kEveryStep: {
        const Result<void> moved = nodes_.move();
        EXPECT_TRUE(moved) << (moved ? "" : moved.error().text);
        return;
      }
      case MoveMode::kFreezeEveryStep:
        nodes_.freeze_and_thaw();
        return;
    }
  }

  TwoNodes& nodes_;
  const Script& script_;
  std::size_t sent_ = 0;
  bool closed_ = false;
  Outcome outcome_;
};

}  // namespace

Outcome play(TwoNodes& nodes, const Script& script) {
  return Player(nodes, script).run();
}

}  // namespace migd
