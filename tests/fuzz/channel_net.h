// Two honest channels and a third node that holds valid keys and does what the input says. What
// passes between the honest two is under its hands as well: it may lose, repeat, reorder, change
// and replay it, but it can neither read nor forge it.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "migrator/channel/engine.h"
#include "tests/fuzz/input.h"
#include "tests/support/sim_rng.h"

namespace migd::fuzz {

class ChannelNet {
 public:
  ChannelNet();
  ~ChannelNet();

  void step(Input& in);
  // The faults end; whoever has a session can use it.
  void finish();

 private:
  class Honest;
  class Attacker;
  struct Datagram {
    Endpoint from, to;
    Bytes bytes;
  };

  void send(const Endpoint& from, const Endpoint& to, ByteView bytes);
  void deliver(const Datagram& datagram);
  void deliver_all();
  void tamper(Input& in);
  void talk(Input& in);
  void pass(Duration time);
  void check_bounds() const;
  Honest& honest(bool second) { return *honest_[second ? 1 : 0]; }
  Boot next_boot() { return Boot{++boots_}; }
  std::size_t pick(Input& in) const { return in.u8() % under_way_.size(); }

  Instant now_{1h};
  sim::SimRng rng_{1};
  std::uint64_t boots_ = 100;
  std::vector<std::unique_ptr<Honest>> honest_;
  std::unique_ptr<Attacker> attacker_;
  std::deque<Datagram> under_way_;                  // between the honest two
  std::deque<Datagram> old_;                        // that were seen
  std::map<std::uint64_t, std::uint32_t> written_;  // numbers of the honest messages, and sizes
  std::set<std::uint64_t> read_;
};

}  // namespace migd::fuzz
