#include "tests/sim/scenario.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <utility>

#include "tests/sim/check/survival.h"
#include "tests/sim/check/timestamps.h"

namespace migd::sim {
namespace {

// Asks for moves as the scenario says, from outside of every callback.
class Mover : public NetObserver {
 public:
  Mover(SimCluster& cluster, const SimClient& client, const Moves& moves, std::uint64_t seed)
      : cluster_(cluster), client_(client), moves_(moves), rng_(SimRng::split(seed, 2)) {}

  void start() {
    until_ = cluster_.world().now() + moves_.span;
    if (moves_.when == Moves::When::kEveryPackets) cluster_.net().observe(this);
    if (moves_.when == Moves::When::kAtRandom) again();
  }

  void on_crossing(const Crossing& crossing) override {
    if (crossing.tcp == nullptr || crossing.point != Crossing::Point::kSent) return;
    const Endpoint& peer = client_.tcp().config().local;
    if (crossing.tcp->src != peer && crossing.tcp->dst != peer) return;
    ++packets_;
    due_ = due_ || (packets_ >= moves_.first && packets_ % moves_.every == 0);
    if (!due_ || over()) return;
    cluster_.world().schedule(cluster_.world().now(), [this] {
      if (due_ && cluster_.migrate_to_next(client_)) due_ = false;
    });
  }

 private:
  bool over() const { return client_.finished() || cluster_.world().now() > until_; }

  void again() {
    const auto mean = static_cast<std::uint64_t>(moves_.mean.count());
    cluster_.world().schedule(cluster_.world().now() + Duration(rng_.below(2 * mean)), [this] {
      if (over()) return;
      cluster_.migrate_to_next(client_);
      again();
    });
  }

  SimCluster& cluster_;
  const SimClient& client_;
  Moves moves_;
  SimRng rng_;
  Instant until_{};
  std::uint64_t packets_ = 0;
  bool due_ = false;
};

class Fingerprint : public NetObserver {
 public:
  void on_crossing(const Crossing& crossing) override {
    ++packets_;
    mix(static_cast<std::uint64_t>(crossing.at.time_since_epoch().count()));
    mix(crossing.from << 8 | crossing.to);
    for (const std::uint8_t byte : crossing.packet)
      mix(byte);
  }
  std::uint64_t value() const { return value_; }
  std::uint64_t packets() const { return packets_; }

 private:
  void mix(std::uint64_t word) { value_ = (value_ ^ word) * 1099511628211u; }
  std::uint64_t value_ = 14695981039346656037u;
  std::uint64_t packets_ = 0;
};

// What no path can do to a client, whatever it loses or repeats.
std::string complaints(const TcpCounters& n) {
  std::string text;
  const auto add = [&text](std::uint64_t count, std::string_view what) {
    if (count > 0) text += fmt::format("; the client saw {} {}", count, what);
  };
  add(n.resets, "resets");
  add(n.contradicting_data, "segments that contradict earlier ones");
  add(n.outside_window, "segments outside of its window");
  add(n.oversized, "segments larger than its MSS");
  add(n.unacceptable_acks, "acknowledgements of what it never sent");
  add(n.missing_timestamps, "segments without the negotiated timestamp");
  return text;
}

}  // namespace

void PrintTo(const Scenario& scenario, std::ostream* out) {
  *out << scenario.name;
}

bool Scenario::clean_path() const {
  const auto clean = [](const PathOptions& path) {
    return path.loss + path.duplicate + path.corrupt + path.reorder == 0 &&
           path.jitter == Duration::zero();
  };
  return clean(cluster.client_path) && !disturb;
}

std::string Outcome::report() const {
  std::string text = fmt::format("  {} after {} ms\n  moved {}, refused {}, aborted {}\n  {}\n",
                                 progress, to_milliseconds(took), migrations.completed,
                                 migrations.refused, migrations.aborted, counts.to_string());
  for (const auto& [reason, times] : migrations.reasons) {
    text += fmt::format("  {} x {}\n", times, reason);
  }
  if (!wrong.empty()) text += "  " + wrong + "\n";
  for (const Violation& violation : violations)
    text += "  " + violation.to_string() + "\n";
  return text;
}

Outcome run(const Scenario& scenario, bool with_moves, const FlowCounts* control) {
  SimCluster cluster(scenario.cluster);
  Fingerprint fingerprint;
  cluster.net().observe(&fingerprint);
  cluster.start();
  SimClient& client = cluster.add_client(scenario.port, scenario.client);
  if (control != nullptr) cluster.clean_path().set_control(*control);
  cluster.judge().get<TimestampChecker>().forgive(scenario.timestamps_late);
  scenario.script(client);
  Mover mover(cluster, client, with_moves ? scenario.moves : Moves{}, scenario.cluster.seed);
  mover.start();
  if (scenario.disturb) scenario.disturb(cluster, client);
  if (scenario.observe) scenario.observe(cluster);
  SimLoop& world = cluster.world();
  const Instant begin = world.now();
  client.start();

  Outcome outcome;
  const auto& survival = cluster.judge().get<Survival>();
  const auto died = [&] {
    return survival.fate(client.tcp().config().local) == Survival::Fate::kDied;
  };
  // A GRANT may still be under way, by a forwarder that is stopped for long.
  constexpr Duration kWatched = 20s;
  Instant died_at = kNever;
  const auto over = [&] {
    died_at = died() ? std::min(died_at, world.now()) : kNever;
    return client.finished() || (died_at != kNever && world.now() - died_at > kWatched);
  };
  outcome.finished =
      world.run_until(over, begin + scenario.limit) && client.finished() && !client.failed();
  outcome.took = world.now() - begin;
  outcome.died = died();
  world.run_for(3s);
  cluster.judge().at_end(world.now());
  if (outcome.finished) {
    cluster.expect_nothing_held();
  } else {
    cluster.judge().get<Survival>().on_stuck(client.tcp().config().local, world.now(),
                                             client.progress());
  }
  outcome.progress = client.progress();
  outcome.received = client.tcp().received();
  outcome.written = client.tcp().written();
  outcome.counts = cluster.clean_path().counts();
  outcome.migrations = cluster.migrations();
  outcome.violations = cluster.judge().violations();
  outcome.packets = fingerprint.packets();
  outcome.fingerprint = fingerprint.value();
  if (scenario.verify) outcome.wrong = scenario.verify(client);
  outcome.wrong += complaints(client.tcp().counters());
  return outcome;
}

Outcome expect_unseen(const Scenario& scenario) {
  const Outcome still = run(scenario, false);
  EXPECT_TRUE(still.finished && still.wrong.empty() && still.violations.empty())
      << scenario.name << " without moves\n"
      << still.report();
  Outcome moved = run(scenario, true, scenario.clean_path() ? &still.counts : nullptr);
  EXPECT_TRUE(moved.finished && moved.wrong.empty() && moved.violations.empty())
      << scenario.name << " with moves\n"
      << moved.report();
  EXPECT_TRUE(moved.written == still.written);
  if (scenario.same_streams) {
    EXPECT_TRUE(moved.received == still.received) << scenario.name << ": streams differ";
  }
  return moved;
}

// ---- parts of scenarios ----

namespace {

std::string ramp_verdict(const Bytes& bytes, std::size_t size) {
  if (bytes.size() != size) return fmt::format("{} bytes instead of {}", bytes.size(), size);
  const Bytes sound = ramp(0, size);
  const auto first = std::mismatch(bytes.begin(), bytes.end(), sound.begin()).first;
  if (first == bytes.end()) return "";
  return fmt::format("not the ramp from byte {} on", first - bytes.begin());
}

std::string hex_sha256(ByteView bytes) {
  unsigned char digest[crypto_hash_sha256_BYTES];
  crypto_hash_sha256(digest, bytes.data(), bytes.size());
  std::string text;
  for (const unsigned char byte : digest)
    text += fmt::format("{:02x}", byte);
  return text;
}

}  // namespace

Scenario download(std::size_t responses) {
  Scenario scenario;
  scenario.name = "download";
  scenario.port = kHttpPort;
  scenario.script = [responses](SimClient& client) {
    for (std::size_t i = 0; i < responses; ++i) {
      const bool last = i + 1 == responses;
      client
          .send(fmt::format("GET /{}/ramp HTTP/1.1\r\nHost: sim\r\n{}\r\n",
                            i % 2 == 0 ? "files" : "b", last ? "Connection: close\r\n" : ""))
          .await_responses(1);
    }
    client.await_end().shutdown_write();
  };
  scenario.verify = [responses](const SimClient& client) {
    const auto all = http_responses(client.tcp().received());
    if (all.size() != responses) return fmt::format("{} responses", all.size());
    for (const HttpResponse& response : all) {
      const std::string wrong = ramp_verdict(to_bytes(response.body), kRampFileBytes);
      if (response.status != 200 || !wrong.empty()) {
        return fmt::format("status {}, {}", response.status, wrong);
      }
    }
    return std::string();
  };
  return scenario;
}

Scenario upload(std::size_t body_bytes) {
  Scenario scenario;
  scenario.name = "upload";
  scenario.port = kHttpPort;
  scenario.script = [body_bytes](SimClient& client) {
    client
        .send(fmt::format("PUT /upload HTTP/1.1\r\nHost: sim\r\nContent-Length: {}\r\n"
                          "Connection: close\r\n\r\n",
                          body_bytes))
        .send_ramp(body_bytes)
        .await_responses(1)
        .await_end()
        .shutdown_write();
  };
  scenario.verify = [body_bytes](const SimClient& client) {
    const std::string digest = hex_sha256(ramp(0, body_bytes));
    const std::string_view text = as_text(client.tcp().received());
    return text.find(digest) == text.npos ? "the digest is missing in: " + std::string(text) : "";
  };
  return scenario;
}

Scenario echo(std::size_t rounds, std::size_t size) {
  Scenario scenario;
  scenario.name = "echo";
  scenario.port = kEchoPort;
  scenario.script = [=](SimClient& client) {
    client.ping_pong(rounds, size).shutdown_write().await_end();
  };
  scenario.verify = [=](const SimClient& client) {
    return ramp_verdict(client.tcp().received(), rounds * size);
  };
  return scenario;
}

Scenario echo_bulk(std::size_t bytes) {
  Scenario scenario = echo(1, bytes);
  scenario.name = "echo_bulk";
  return scenario;
}

Scenario source(std::size_t bytes) {
  Scenario scenario;
  scenario.name = "source";
  scenario.port = kSourcePort;
  scenario.script = [=](SimClient& client) {
    client.await_bytes(bytes).shutdown_write().await_end();
  };
  scenario.verify = [](const SimClient& client) {
    return ramp_verdict(client.tcp().received(), client.tcp().received().size());
  };
  scenario.same_streams = false;  // how far it gets before it hears the FIN depends on time
  return scenario;
}

Scenario discard(std::size_t bytes) {
  Scenario scenario;
  scenario.name = "discard";
  scenario.port = kDiscardPort;
  scenario.script = [=](SimClient& client) {
    client.send_ramp(bytes).shutdown_write().await_end();
  };
  scenario.verify = [](const SimClient& client) {
    return client.tcp().sender().fin_acknowledged() ? "" : "not everything was acknowledged";
  };
  return scenario;
}

}  // namespace migd::sim
