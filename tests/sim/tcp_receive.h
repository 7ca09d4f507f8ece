// The receiving half of the simulator's TCP: reassembly, announced window, SACK blocks.
// Offsets count the peer's sequence space from its SYN (0), in 64 bits: its first byte is 1.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/bytes.h"

namespace migd::sim {

class TcpReceive {
 public:
  struct Options {
    std::uint32_t buffer = 256u << 10;  // the most it holds unread
    std::uint8_t scale = 0;
    std::uint16_t mss = 1460;
  };
  struct Outcome {
    bool in_order = false;      // the stream grew
    bool out_of_order = false;  // kept for later
    bool duplicate = false;     // brought nothing new
    bool filled_hole = false;
    bool outside = false;   // beyond the announced window
    bool mismatch = false;  // contradicts bytes that came before
  };

  void set_options(const Options& options) { options_ = options; }

  // `offset` is that of the first payload byte.
  Outcome accept(std::uint64_t offset, ByteView payload, bool fin);

  std::uint64_t next() const { return next_; }
  const Bytes& stream() const { return stream_; }  // everything received in order so far
  bool finished() const { return fin_at_ && next_ > *fin_at_; }

  std::size_t unread() const { return stream_.size() - read_; }
  void read(std::size_t most) { read_ += std::min(most, unread()); }
  std::size_t read_count() const { return read_; }

  // The header's window field for an ACK that leaves now; the right edge never goes back.
  std::uint16_t announce(bool scaled);
  // The window that could be announced is so much larger that the peer should hear of it.
  bool worth_update() const;
  std::uint64_t announced_edge() const { return announced_; }

  void renege() { held_.clear(); }

  // Ranges held out of order, the one that grew last first.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges() const;

 private:
  void insert(std::uint64_t offset, ByteView payload, Outcome& outcome);
  void advance(Outcome& outcome);
  bool contradicts(std::uint64_t offset, ByteView payload) const;
  std::uint64_t wanted_edge() const;

  Options options_;
  std::uint64_t next_ = 1;
  std::uint64_t announced_ = 1;
  Bytes stream_;
  std::size_t read_ = 0;
  std::map<std::uint64_t, Bytes> held_;  // disjoint
  std::vector<std::uint64_t> recent_;    // offsets of segments held, the last one last
  std::optional<std::uint64_t> fin_at_;
};

}  // namespace migd::sim
