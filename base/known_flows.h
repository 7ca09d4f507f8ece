// Which flows this node has, for who must tell them from strangers' packets without asking anybody:
// the kernel, before a packet waits for us (stack/links/flow_steering.h).
//
// Theory of operation
//   A table of counters in memory of whoever looks, each for all the flows whose hash leads to it.
//   A flow that is known is always found. A stranger is taken for one as often as it meets a
//   counter in use: every tenth among 100 000 flows. It gains the better queue, no more; so the
//   hash need not be a strong one, but nobody outside knows its secret.
//
//   A destination may be known altogether: what comes to a tunnel address comes from a peer.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/address.h"
#include "base/bytes.h"

namespace migd {

class KnownFlows {
 public:
  static constexpr unsigned kSlotBits = 20;
  static constexpr std::size_t kSlots = std::size_t{1} << kSlotBits;

  struct Secret {
    std::uint64_t start;
    std::uint64_t factor;  // odd
  };

  // `slots`: kSlots bytes of zeros, which outlive this.
  KnownFlows(std::uint8_t* slots, Secret secret) : slots_(slots), secret_(secret) {}
  KnownFlows(const KnownFlows&) = delete;
  KnownFlows& operator=(const KnownFlows&) = delete;

  // As often removed as added.
  void add(const FourTuple& flow);
  void remove(const FourTuple& flow);
  void add_destination(const IpAddress& address);
  // Also true of some that are not.
  bool knows(const FourTuple& flow) const;

  // How many flows have become known, ever.
  std::uint64_t added() const { return added_; }

 private:
  std::uint8_t& slot(std::uint64_t hash) const { return slots_[hash >> (64 - kSlotBits)]; }
  std::uint64_t hash(const IpAddress& destination) const;
  std::uint64_t hash(const FourTuple& flow) const;
  std::uint64_t mix(std::uint64_t hash, ByteView words) const;

  std::uint8_t* slots_;
  Secret secret_;
  std::uint64_t added_ = 0;
};

}  // namespace migd
