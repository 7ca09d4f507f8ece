// What becomes of a connection whose blob was accepted: two stacks that it moves between, a peer
// and an application that do what a script says. Nothing of it may trip an assertion of lwIP, every
// state that it comes to must be one that can move, and a move must change nothing.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "migrator/blob.h"
#include "stack/stack.h"
#include "tests/fuzz/input.h"
#include "tests/support/sim_rng.h"

namespace migd::fuzz {

class BlobLife {
 public:
  BlobLife();
  ~BlobLife();

  // False when the blob is refused. Ends in a finding when something is wrong.
  bool run(const ConnectionBlob& blob, Input& script);

 private:
  struct Side;

  std::optional<FrozenConnection> begin(const ConnectionBlob& blob);
  void step(Input& script);
  void move();
  void give_data(Input& script, bool in_order);
  void give_raw(Input& script);
  void give(std::uint8_t flags, SeqNum seq, SeqNum ack, ByteView payload, ByteView options = {});
  void deliver();
  void pass(Duration time);
  void hear();
  void check_assertions();
  Side& owner() { return *sides_[owner_]; }
  Connection* find();

  std::unique_ptr<Side> sides_[2];
  std::size_t owner_ = 0;
  Instant now_{Duration(100'000'000s)};
  FourTuple tuple_;
  Tenure tenure_;
  std::string service_, application_;
  bool timestamps_ = false;
  // The peer: what it sends next, what it has seen, what it announces.
  SeqNum peer_next_, heard_end_, acked_;
  std::uint16_t window_ = 0;
  std::uint32_t tsval_ = 0, tsecr_ = 0;
};

}  // namespace migd::fuzz
