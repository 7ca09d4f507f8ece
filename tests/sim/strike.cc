#include "tests/sim/strike.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "tests/sim/check/timestamps.h"

namespace migd::sim {
namespace {

Traffic traffic(std::string name, TcpState state, Scenario scenario) {
  return {std::move(name), state, std::move(scenario)};
}

std::string small_response(const SimClient& client) {
  const auto all = http_responses(client.tcp().received());
  return all.size() == 1 && to_bytes(all[0].body) == ramp(7, 1000) ? "" : "not the small file";
}

Traffic close_wait() {
  Traffic t = traffic("close_wait", TcpState::kCloseWait, echo(1, 120'000));
  t.scenario.cluster.send_buffer_bytes = 16384;
  t.scenario.client.receive_buffer = 8000;
  t.scenario.script = [](SimClient& c) {
    c.send_ramp(120'000).shutdown_write().read_slowly(100'000, 4000, 5ms).start_reading();
    c.await_end();
  };
  return t;
}

Traffic last_ack() {
  Traffic t = traffic("last_ack", TcpState::kLastAck, echo(1, 30'000));
  t.scenario.client.receive_buffer = 4000;
  t.scenario.script = [](SimClient& c) {
    c.send_ramp(30'000).shutdown_write().read_slowly(26'000, 2000, 5ms).start_reading();
    c.await_end();
  };
  return t;
}

// The end of a response that is read slowly. The server's FIN waits behind it.
Traffic fin_wait_1(bool closing) {
  Traffic t = closing ? traffic("closing", TcpState::kClosing, download(1))
                      : traffic("fin_wait_1", TcpState::kFinWait1, download(1));
  t.scenario.client.receive_buffer = 20'000;
  t.scenario.script = [closing](SimClient& c) {
    c.send("GET /b/ramp HTTP/1.1\r\nHost: sim\r\nConnection: close\r\n\r\n");
    c.await_bytes(540'000).read_slowly(20'000, 1000, 3ms);
    if (closing) c.shutdown_write();
    c.read_slowly(20'000, 1000, 3ms).start_reading();
    c.await_responses(1).await_end();
    if (!closing) c.shutdown_write();
  };
  return t;
}

Traffic fin_wait_2(bool then_time_wait) {
  Traffic t = then_time_wait ? traffic("time_wait", TcpState::kTimeWait, download(1))
                             : traffic("fin_wait_2", TcpState::kFinWait2, download(1));
  t.acknowledgements_lost = then_time_wait;
  t.scenario.script = [](SimClient& c) {
    c.send("GET /b/small HTTP/1.1\r\nHost: sim\r\nConnection: close\r\n\r\n").await_responses(1);
    c.await_end().sleep(60ms).shutdown_write().await_acknowledged();
  };
  t.scenario.verify = small_response;
  return t;
}

}  // namespace

std::string to_string(Party party) {
  static constexpr std::string_view kNames[] = {"source", "target", "forwarder", "classifier"};
  return std::string(kNames[static_cast<std::size_t>(party)]);
}

std::vector<Traffic> traffics() {
  Traffic large = traffic("download", TcpState::kEstablished, download(1));
  large.scenario.script = [](SimClient& c) {  // not where the bystander is
    c.send("GET /b/ramp HTTP/1.1\r\nHost: sim\r\nConnection: close\r\n\r\n").await_responses(1);
    c.await_end().shutdown_write();
  };
  return {std::move(large),
          traffic("upload", TcpState::kEstablished, upload(300'000)),
          traffic("echo", TcpState::kEstablished, echo(60, 900)),
          close_wait(),
          last_ack(),
          fin_wait_1(false),
          fin_wait_1(true),
          fin_wait_2(false),
          fin_wait_2(true)};
}

std::vector<Traffic> placements() {
  Traffic half_closed = traffic("half_closed", TcpState::kEstablished, echo(1, 20'000));
  half_closed.scenario.script = [](SimClient& c) {
    c.send_ramp(20'000).shutdown_write().await_end();
  };
  Traffic at_syn = traffic("at_syn", TcpState::kSynReceived, echo(20, 900));
  at_syn.scenario.cluster.on = ServiceOptions::On::kSyn;
  return {traffic("http", TcpState::kEstablished, upload(100'000)),
          traffic("echo", TcpState::kEstablished, echo(20, 900)), std::move(half_closed),
          std::move(at_syn)};
}

std::string Strike::name() const {
  return fmt::format("{}/{}/{}/{}/{}", to_string(party), migd::to_string(stage), to_string(fault),
                     moment == Moment::kAtOnce ? "at_once" : "just_after",
                     prepare ? "prepared" : "unprepared");
}

const std::vector<Fault> kCommonFaults = {Fault::kCrashAndRestart, Fault::kStopBriefly,
                                          Fault::kPartition};

namespace {

// Who has nothing of the connection's state is struck with less.
bool is_end(Party party) {
  return party == Party::kSource || party == Party::kTarget;
}

std::vector<Fault> faults_of(const Traffic& traffic, Party party, bool placement) {
  std::vector<Fault> faults = kCommonFaults;
  const bool usual = traffic.state == TcpState::kEstablished && !placement;
  if (!usual || !is_end(party)) return faults;
  faults.insert(faults.end(), {Fault::kPartitionBriefly, Fault::kStopForLong, Fault::kCrash});
  return faults;
}

bool worth_it(const Strike& strike, std::size_t fault) {
  const auto stage = static_cast<std::size_t>(strike.stage);
  const bool just_after = strike.moment == Moment::kJustAfter;
  // An unprepared move has no stage of that name.
  if (strike.stage == Stage::kPrepared && !strike.prepare) return false;
  if (strike.party == Party::kForwarder &&
      (strike.stage == Stage::kSent || strike.stage == Stage::kMapped)) {
    return true;  // the state passes through it
  }
  if (!is_end(strike.party)) {
    const bool prepare = strike.stage == Stage::kPrepared || (stage + fault) % 2 == 0;
    return strike.prepare == prepare && just_after == (fault % 2 == 0);
  }
  // Where it makes a difference whether the last words were heard.
  const bool both = strike.stage == Stage::kSent || strike.stage == Stage::kGranted;
  return both || just_after == ((stage + strike.prepare) % 2 == 0);
}

}  // namespace

std::vector<Strike> strikes(const Traffic& traffic, Party party, bool placement) {
  const std::vector<Fault> faults = faults_of(traffic, party, placement);
  std::vector<Strike> all;
  for (std::size_t stage = 0; stage < kStageCount; ++stage) {
    for (std::size_t fault = 0; fault < faults.size(); ++fault) {
      for (const bool prepare : {false, true}) {
        for (const Moment moment : {Moment::kAtOnce, Moment::kJustAfter}) {
          const Strike strike{party,    static_cast<Stage>(stage), faults[fault], moment, prepare,
                              placement};
          if (worth_it(strike, fault)) all.push_back(strike);
        }
      }
    }
  }
  return all;
}

namespace {

// ---- one run ----

class Striker {
 public:
  Striker(SimCluster& cluster, const SimClient& client, const Strike& strike)
      : cluster_(cluster), client_(client), strike_(strike) {
    cluster.on_message([this](SimMachine& node, const Message& m) { on_message(node, m); });
  }

  // From the next request on that `source` hears of.
  void arm(SimMachine& source) { source_ = &source; }

  bool struck() const { return struck_at_ != kNever; }
  Instant struck_at() const { return struck_at_; }
  // Of the connection, when the move that was struck was asked for.
  std::optional<TcpState> state() const { return state_; }
  const std::optional<MigrationFinished>& finished() const { return finished_; }
  SimMachine* source() const { return source_; }
  SimMachine* target() const { return target_; }

 private:
  void on_message(SimMachine& node, const Message& message) {
    const auto connection = cluster_.connection_of(client_);
    if (!connection || source_ == nullptr) return;
    const auto* request = std::get_if<MigrationRequest>(&message);
    if (request != nullptr && &node == source_ && request->connection == *connection && !target_) {
      target_ = &cluster_.machine(request->target);
    }
    const auto* finished = std::get_if<MigrationFinished>(&message);
    if (finished != nullptr && &node == source_ && finished->tenure.connection == *connection &&
        !finished_) {
      finished_ = *finished;
    }
    const auto* reached = std::get_if<MigrationStageReached>(&message);
    if (reached != nullptr && reached->tenure.connection == *connection && target_ != nullptr) {
      on_stage(node, *connection, reached->stage);
    }
  }

  void on_stage(SimMachine& node, const ConnectionId& connection, Stage stage) {
    if (struck()) return;
    if (stage == Stage::kRequested && &node == source_) {
      if (const Connection* found = node.node().stack().find(connection)) state_ = found->state();
    }
    if (stage != strike_.stage) return;
    struck_at_ = cluster_.world().now();
    apply(cluster_, victim(), strike_.fault, strike_.moment);
  }

  SimMachine& victim() {
    switch (strike_.party) {
      case Party::kSource:
        return *source_;
      case Party::kTarget:
        return *target_;
      case Party::kForwarder:
        return cluster_.machine("f1");
      case Party::kClassifier:
        return cluster_.machine("k1");
    }
    check_failed("the party is known", __FILE__, __LINE__);
  }

  SimCluster& cluster_;
  const SimClient& client_;
  Strike strike_;
  SimMachine* source_ = nullptr;
  SimMachine* target_ = nullptr;
  Instant struck_at_ = kNever;
  std::optional<TcpState> state_;
  std::optional<MigrationFinished> finished_;
};

// How long a client with a connection that died is watched: nobody may reset it either.
constexpr Duration kWatched = 20s;
constexpr Duration kLimit = 200s;

class Run {
 public:
  Run(const Traffic& traffic, const Strike& strike, std::uint64_t seed)
      : traffic_(traffic), placement_(strike.placement), cluster_(options(traffic, strike, seed)) {
    cluster_.start();
    if (strike.fault == Fault::kStopForLong) {
      cluster_.judge().get<TimestampChecker>().forgive(12s);
    }
    bystander_ = &cluster_.add_client(kEchoPort);
    for (int i = 0; i < 4; ++i)
      bystander_->ping_pong(2, 700).sleep(400ms);
    bystander_->shutdown_write().await_end();
    client_ = &cluster_.add_client(traffic.scenario.port, traffic.scenario.client);
    traffic.scenario.script(*client_);
    striker_.emplace(cluster_, *client_, strike);
  }

  StrikeResult go() {
    bystander_->start();
    world().run_for(30ms);
    if (placement_) striker_->arm(cluster_.machine("k1"));
    client_->start();
    if (!placement_ && !move()) return verdict();
    const Instant limit = world().now() + kLimit;
    world().run_until([this] { return over(); }, limit);
    world().run_for(1500ms);
    return verdict();
  }

 private:
  static ClusterOptions options(const Traffic& traffic, const Strike& strike, std::uint64_t seed) {
    SimRng rng = SimRng::split(seed, 31);
    ClusterOptions options = traffic.scenario.cluster;
    options.seed = seed;
    options.hosts = 3;
    options.classifier_apart = true;
    options.placement_timeout = 60s;  // longer than anybody is away
    options.migration_prepare = strike.prepare;
    options.family = rng.chance(0.5) ? Family::kIpv4 : Family::kIpv6;
    options.clock_error_ppm = rng.chance(0.3) ? 20'000 : 200;
    options.timestamps = rng.chance(0.7);
    return options;
  }

  SimLoop& world() { return cluster_.world(); }
  Survival::Fate fate(const SimClient& client) {
    return cluster_.judge().get<Survival>().fate(client.tcp().config().local);
  }

  bool over() {
    const bool watched =
        fate(*client_) == Survival::Fate::kDied && world().now() - striker_->struck_at() > kWatched;
    return (bystander_->finished() || fate(*bystander_) == Survival::Fate::kDied) &&
           (client_->finished() || watched);
  }

  const Connection* connection(SimMachine** owner) {
    const auto id = cluster_.connection_of(*client_);
    *owner = id ? cluster_.owner_of(*id) : nullptr;
    return *owner == nullptr ? nullptr : (*owner)->node().stack().find(*id);
  }

  // A host that neither has this connection nor the bystander's.
  SimMachine& other_host(const SimMachine* owner) {
    const SimMachine* taken = cluster_.owner_of(*cluster_.connection_of(*bystander_));
    for (SimMachine* host : cluster_.hosts()) {
      if (host != owner && host != taken) return *host;
    }
    check_failed("three hosts", __FILE__, __LINE__);
  }

  // Waits for the state, asks for the move.
  bool move() {
    SimMachine* owner = nullptr;
    const auto in_state = [&] {
      const Connection* found = connection(&owner);
      if (found == nullptr || !owner->options().self.roles.host) return false;
      if (traffic_.acknowledgements_lost && found->state() == TcpState::kFinWait2) {
        silence_hosts();
      }
      return found->state() == traffic_.state && (traffic_.state != TcpState::kEstablished ||
                                                  found->bytes_in() + found->bytes_out() > 5000);
    };
    if (!world().run_until(in_state, world().now() + 10s)) return false;
    // In the middle of it, where it lasts.
    if (traffic_.state != TcpState::kTimeWait) world().run_for(7ms);
    if (!in_state()) return false;
    striker_->arm(*owner);
    return cluster_.migrate(*client_, other_host(owner));
  }

  void silence_hosts() {
    if (std::exchange(silenced_, true)) return;
    const auto lose = [this](double loss) {
      for (SimMachine* host : cluster_.hosts())
        cluster_.net().path(host->port(), client_->port()).loss = loss;
    };
    world().schedule(world().now() + 20ms, [lose] { lose(1); });
    world().schedule(world().now() + 400ms, [lose] { lose(0); });
  }

  // Where the connection must be, when it lives: the report of the move says it.
  void check_owner(StrikeResult& result) {
    const auto id = cluster_.connection_of(*client_);
    const SimMachine* owner = id ? cluster_.owner_of(*id) : nullptr;
    if (owner == nullptr || !striker_->finished() || placement_) return;
    const bool completed = striker_->finished()->outcome == MigrationOutcome::kCompleted;
    if (owner != (completed ? striker_->target() : striker_->source())) {
      result.complaints.push_back(fmt::format("{} has it", owner->name()));
    }
  }

  StrikeResult verdict() {
    StrikeResult result;
    Judge& judge = cluster_.judge();
    auto& survival = judge.get<Survival>();
    judge.at_end(world().now());
    for (const SimClient* client : {bystander_, client_}) {
      if (!client->finished() || client->failed()) {
        survival.on_stuck(client->tcp().config().local, world().now(), client->progress());
      }
    }
    if (bystander_->finished() && client_->finished()) {
      cluster_.expect_nothing_held();
    }
    result.moved = striker_->source() != nullptr;
    result.struck = striker_->struck();
    result.state = striker_->state();
    result.fate = fate(*client_);
    for (const Violation& violation : judge.violations())
      result.complaints.push_back(violation.to_string());
    if (result.fate != Survival::Fate::kDied) {
      const std::string wrong = traffic_.scenario.verify(*client_);
      if (!wrong.empty()) result.complaints.push_back(wrong);
      check_owner(result);
    }
    // The classifier may have placed both at one node.
    if (fate(*bystander_) != Survival::Fate::kDied &&
        bystander_->tcp().received() != ramp(0, 8 * 700)) {
      result.complaints.push_back("the bystander was not served");
    }
    const auto& finished = striker_->finished();
    result.report = fmt::format(
        "{}; {}; {}", client_->progress(), bystander_->progress(),
        finished
            ? fmt::format("outcome {} ({})", static_cast<int>(finished->outcome), finished->reason)
            : "no outcome");
    return result;
  }

  const Traffic& traffic_;
  bool placement_;
  SimCluster cluster_;
  SimClient* bystander_ = nullptr;
  SimClient* client_ = nullptr;
  std::optional<Striker> striker_;
  bool silenced_ = false;
};

}  // namespace

StrikeResult run(const Traffic& traffic, const Strike& strike, std::uint64_t seed) {
  return Run(traffic, strike, seed).go();
}

}  // namespace migd::sim
