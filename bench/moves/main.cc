// migd-bench-moves: what the stack itself needs to move a connection, inside one process.
//
//   migd-bench-moves BYTES CONNECTIONS MOVES RUNS
//
// CONNECTIONS connections, each with BYTES in flight, move one after the other between two stacks:
// freeze, capture, attach, release, thaw. Every step is timed on its own; encoding and decoding
// the blob is done, and timed, in every second run. One line of JSON: for each run the mean
// nanoseconds of each step.
#include <fmt/format.h>
#include <malloc.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "bench/moves/node.h"
#include "migrator/blob.h"

namespace migd::bench {
namespace {

const Endpoint kVip{IpAddress::v4(0x0a4d6401), 80};
constexpr Instant kStart{Duration(1000s)};

enum Step { kFreeze, kCapture, kEncode, kDecode, kAttach, kRelease, kThaw, kSteps };
constexpr std::array<std::string_view, kSteps> kStepNames{"freeze", "capture", "encode", "decode",
                                                          "attach", "release", "thaw"};

class Stopwatch {
 public:
  void start() { last_ = Clock::now(); }
  void lap(Step step) {
    const Clock::time_point now = Clock::now();
    spent_[step] += now - last_;
    last_ = now;
  }
  double mean_ns(Step step, unsigned moves) const {
    return static_cast<double>(spent_[step].count()) / moves;
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point last_;
  std::array<std::chrono::nanoseconds, kSteps> spent_{};
};

class Bench {
 public:
  Bench(std::uint32_t bytes, unsigned connections)
      : nodes_{std::make_unique<Node>(1, options(), kVip, kStart),
               std::make_unique<Node>(2, options(), kVip, kStart)} {
    for (unsigned i = 0; i < connections; ++i) {
      const Endpoint client{IpAddress::v4(0x0a4d6300 + i / 60000),
                            static_cast<std::uint16_t>(1024 + i % 60000)};
      ids_.push_back(nodes_[0]->open(client, bytes, kStart).id());
      owners_.push_back(0);
    }
  }

  std::string run(unsigned moves, bool as_blob) {
    Stopwatch watch;
    for (unsigned i = 0; i < moves; ++i) {
      move(i % ids_.size(), as_blob, watch);
    }
    std::string text = fmt::format("{{\"blob\":{}", as_blob);
    for (int step = 0; step < kSteps; ++step) {
      text += fmt::format(",\"{}\":{:.1f}", kStepNames[static_cast<std::size_t>(step)],
                          watch.mean_ns(static_cast<Step>(step), moves));
    }
    return text + "}";
  }

 private:
  static StackOptions options() {
    StackOptions made;
    made.link.tcp_gso = made.link.checksum_offload = true;  // as the daemon's devices have it
    return made;
  }

  void move(std::size_t index, bool as_blob, Stopwatch& watch) {
    Stack& from = nodes_[owners_[index]]->stack();
    Stack& to = nodes_[1 - owners_[index]]->stack();
    Connection* const connection = from.find(ids_[index]);
    MIGD_CHECK(connection != nullptr);
    const Tenure tenure{ids_[index], Epoch{connection->epoch().value + 1}};

    watch.start();
    FrozenConnection frozen = from.freeze(*connection, kStart);
    watch.lap(kFreeze);
    ConnectionBlob blob;
    blob.tcp = from.capture(frozen, kStart);
    watch.lap(kCapture);
    if (as_blob) through_bytes(blob, tenure, watch);
    Result<FrozenConnection> attached = to.attach(blob.tcp, tenure, "bench", 0s, kStart);
    MIGD_CHECK(attached.has_value());
    watch.lap(kAttach);
    from.release(std::move(frozen), CloseReason::kMigrated);
    from.deliver_events(kStart);  // the object is destroyed
    watch.lap(kRelease);
    to.thaw(std::move(*attached), kStart);
    to.deliver_events(kStart);
    watch.lap(kThaw);
    owners_[index] = 1 - owners_[index];
  }

  static void through_bytes(ConnectionBlob& blob, const Tenure& tenure, Stopwatch& watch) {
    blob.tenure = tenure;
    blob.service = "bench";
    const Bytes bytes = encode_blob(blob);
    watch.lap(kEncode);
    Result<ConnectionBlob> decoded = decode_blob(bytes);
    MIGD_CHECK(decoded.has_value());
    blob = std::move(*decoded);
    watch.lap(kDecode);
  }

  std::array<std::unique_ptr<Node>, 2> nodes_;
  std::vector<ConnectionId> ids_;
  std::vector<std::size_t> owners_;
};

int main(unsigned bytes, unsigned connections, unsigned moves, unsigned runs) {
  mallopt(M_TRIM_THRESHOLD, 32 << 20);  // as the daemon has it (cli/daemon.cc)
  Bench bench(bytes, connections);
  bench.run(connections * 2, true);  // warms caches and pools
  std::string text;
  for (unsigned i = 0; i < 2 * runs; ++i) {
    text += (i == 0 ? "" : ",") + bench.run(moves, i % 2 == 1);
  }
  std::printf("[%s]\n", text.c_str());
  return 0;
}

}  // namespace
}  // namespace migd::bench

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: migd-bench-moves BYTES CONNECTIONS MOVES RUNS\n");
    return 2;
  }
  const auto number = [&](int i) { return static_cast<unsigned>(std::atoi(argv[i])); };
  return migd::bench::main(number(1), number(2), number(3), number(4));
}
