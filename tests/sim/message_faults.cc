#include "tests/sim/message_faults.h"

#include <fmt/format.h>

#include <functional>
#include <optional>
#include <utility>

#include "tests/sim/check/memory.h"
#include "tests/sim/check/survival.h"
#include "tests/sim/check/timestamps.h"
#include "tests/sim/scenario.h"
#include "tests/sim/straggler.h"

namespace migd::sim {

std::string_view to_string(MessageFault fault) {
  static constexpr std::string_view kNames[] = {
      "lost",    "lost_with_session", "repeated", "repeated_late",
      "delayed", "delayed_long",      "overtaken"};
  return kNames[static_cast<std::size_t>(fault)];
}

std::string MessageStrike::name() const {
  return fmt::format("{}/{}/{}/{}", sim::to_string(kind), sim::to_string(fault), nth,
                     prepare ? "prepared" : "unprepared");
}

std::string_view impossible(wire::Kind kind, bool prepare) {
  const bool preparing = kind == wire::Kind::kPrepare || kind == wire::Kind::kPromise;
  if (preparing && !prepare) return "nobody is asked";
  if (kind == wire::Kind::kRefuse && prepare) return "who refuses does so before the freeze";
  return "";
}

namespace {

class Breaker {
 public:
  Breaker(SimCluster& cluster, const MessageStrike& strike) : cluster_(cluster), strike_(strike) {
    cluster.decide_sending(
        [this](SimMachine& from, ChannelMessage& m) { return on_send(from, m); });
  }
  bool reached() const { return seen_ >= strike_.nth; }

 private:
  std::vector<Duration> on_send(SimMachine& from, ChannelMessage& message) {
    if (overtaken_ && overtaken_->from == message.from && overtaken_->via == message.via) release();
    if (message.kind != strike_.kind || ++seen_ != strike_.nth) return {0ms};
    SimMachine& hop = cluster_.machine(message.via);
    switch (strike_.fault) {
      case MessageFault::kLost:
        cluster_.lose_datagrams(from, hop);
        return {0ms};
      case MessageFault::kLostWithSession:
        cluster_.partition(from, hop, true);
        after(5s, [this, &from, &hop] { cluster_.partition(from, hop, false); });
        return {0ms};
      case MessageFault::kRepeated:
        return {0ms, 0ms};
      case MessageFault::kRepeatedLate:
        return {0ms, 700ms};
      case MessageFault::kDelayed:
        return {30ms};
      case MessageFault::kDelayedLong:
        return {3s};
      case MessageFault::kOvertaken:
        overtaken_ = message;
        after(50ms, [this] { release(); });
        return {};
    }
    return {0ms};
  }

  void after(Duration d, std::function<void()> task) {
    cluster_.world().schedule(cluster_.world().now() + d, std::move(task));
  }

  void release() {
    if (!overtaken_) return;
    after(1us, [this, message = *std::exchange(overtaken_, {})] {
      cluster_.machine(message.from).channel().inject(message);
    });
  }

  SimCluster& cluster_;
  MessageStrike strike_;
  int seen_ = 0;
  std::optional<ChannelMessage> overtaken_;
};

// Two clients whose connections are moved, by order of other nodes as well, to a node that has no
// such application, and to one that cannot be reached for a while: all kinds of messages are
// needed.
class Run {
 public:
  Run(const MessageStrike& strike, std::uint64_t seed)
      : cluster_(options(strike, seed)), breaker_(cluster_, strike) {}

  bool go() {
    cluster_.start();
    cluster_.judge().get<TimestampChecker>().forgive(3s);  // a state's way took so long
    small_ = &cluster_.add_client(kEchoPort);
    for (int i = 0; i < 60; ++i)
      small_->ping_pong(1, 700).sleep(50ms);
    small_->shutdown_write().await_end();
    TcpConfig slow;
    slow.receive_buffer = 6000;
    large_ = &cluster_.add_client(kEchoPort, slow);
    large_->send_ramp(150'000)
        .read_slowly(140'000, 1000, 10ms)
        .start_reading()
        .await_bytes(150'000);
    large_->shutdown_write().await_end();
    cluster_.net().set_filter(small_->port(), [this](Bytes packet) {
      latest_ = packet;
      std::vector<Bytes> out;
      out.push_back(std::move(packet));
      return out;
    });
    small_->start();
    large_->start();
    at(100ms, [this] { ask(*small_, false); });
    at(150ms, [this] { repeat_at_earlier_owner(); });
    at(200ms, [this] { ask(*large_, false); });
    at(360ms, [this] { repeat_at_earlier_owner(); });
    at(300ms, [this] { ask(*small_, true); });
    at(400ms, [this] { ask(*large_, true); });
    at(500ms, [this] { cut_off_the_next_target(); });
    at(510ms, [this] { ask(*large_, false); });
    for (const Duration d : {450ms, 550ms})
      at(d, [this] { ask_what_it_has_been_through(*large_); });
    at(4500ms, [this] { ask(*small_, false); });
    SimLoop& world = cluster_.world();
    world.run_until([this] { return small_->finished() && large_->finished(); }, world.now() + 90s);
    world.run_for(4s);
    return breaker_.reached();
  }

  std::vector<std::string> complaints() {
    std::vector<std::string> all;
    Judge& judge = cluster_.judge();
    judge.at_end(cluster_.world().now());
    for (const auto& [client, bytes] : {std::pair(small_, 42'000), std::pair(large_, 150'000)}) {
      if (!client->finished() || client->failed()) {
        judge.get<Survival>().on_stuck(client->tcp().config().local, cluster_.world().now(),
                                       client->progress());
      }
      if (client->tcp().received() != ramp(0, static_cast<std::size_t>(bytes))) {
        all.push_back("not the bytes that were sent: " + client->progress());
      }
    }
    for (const Violation& violation : judge.violations())
      all.push_back(violation.to_string());
    if (answered_ != asked_) all.push_back(fmt::format("{} orders, {} answers", asked_, answered_));
    return all;
  }

 private:
  static ClusterOptions options(const MessageStrike& strike, std::uint64_t seed) {
    ClusterOptions options;
    options.seed = seed;
    options.hosts = 3;
    options.placement_timeout = 60s;  // longer than anybody is cut off
    options.migration_prepare = strike.prepare;
    options.lacking = "echo";
    options.family = seed % 2 == 0 ? Family::kIpv6 : Family::kIpv4;
    return options;
  }

  void at(Duration d, std::function<void()> task) {
    cluster_.world().schedule(cluster_.world().now() + d, std::move(task));
  }

  SimMachine* owner(const SimClient& client) {
    const auto id = cluster_.connection_of(client);
    return id ? cluster_.owner_of(*id) : nullptr;
  }

  // The last host, which has no such application, wishes it away from its owner, or to itself.
  void ask(const SimClient& client, bool where_it_is_refused) {
    const SimMachine* at = owner(client);
    if (at == nullptr) return;
    const std::string other = at->name() == "h1" ? "h2" : "h1";
    ++asked_;
    cluster_.machine("h3").node().migrate(cluster_.connection_of(client)->to_string(),
                                          where_it_is_refused ? "h3" : other, {5s},
                                          [this](const MigrateReport&) { ++answered_; });
  }

  // By the forwarder, which learns there who has it now.
  void repeat_at_earlier_owner() {
    const SimMachine* now = owner(*small_);
    if (now == nullptr || small_->tcp().config().local.address.family() != Family::kIpv4) return;
    const SimMachine& earlier = cluster_.machine(now->name() == "h1" ? "h2" : "h1");
    cluster_.net().send(earlier.port(), straggler(cluster_.machine("f1"), earlier, latest_));
  }

  // Whoever is asked may have to ask the owner.
  void ask_what_it_has_been_through(const SimClient& client) {
    ++asked_;
    cluster_.machine("h3").node().trace(cluster_.connection_of(client)->to_string(),
                                        [this](const TraceReport&) { ++answered_; });
  }

  // As soon as a STATE has left for it, so that the source has to abort.
  void cut_off_the_next_target() {
    cluster_.on_message([this, done = false](SimMachine& source, const Message& m) mutable {
      const auto* reached = std::get_if<MigrationStageReached>(&m);
      if (done || reached == nullptr || reached->stage != Stage::kSent) return;
      done = true;
      SimMachine& target = cluster_.machine(source.name() == "h1" ? "h2" : "h1");
      cluster_.net().isolate(target.port(), true);
      at(2500ms, [this, &target] { cluster_.net().isolate(target.port(), false); });
    });
  }

  SimCluster cluster_;
  Breaker breaker_;
  Bytes latest_;  // what the small one has sent last
  SimClient* small_ = nullptr;
  SimClient* large_ = nullptr;
  int asked_ = 0, answered_ = 0;
};

}  // namespace

MessageResult run(const MessageStrike& strike, std::uint64_t seed) {
  Run run(strike, seed);
  MessageResult result;
  result.reached = run.go();
  result.complaints = run.complaints();
  return result;
}

}  // namespace migd::sim
