// Three queues of one TUN device: what belongs to flows that are known waits in the first, SYNs in
// the second, what else strangers send in the third. Whoever floods us fills one of these two. The
// third is not the second's, for the last packet of a handshake that was answered with a SYN cookie
// is a stranger's, and a client sends it only once.
//
// Theory of operation
//   The kernel asks a program of ours for each packet into which queue it goes
//   (TUNSETSTEERINGEBPF), on the processor that sends it: what finds its queue full costs us
//   nothing. The program is a hundred instructions of BPF, put together here. To it a packet is
//   known when
//
//     its destination is known altogether, or
//     it is TCP, no SYN, and its four-tuple is in the table of KnownFlows,
//
//   a table that both of us have mapped: it says what it knows without a system call. Fragments and
//   packets with IP options are a stranger's.
//
// To load a program takes CAP_BPF, or a system where everybody may.
#pragma once

#include <memory>

#include "base/known_flows.h"
#include "base/result.h"

namespace migd {

class FlowSteering {
 public:
  enum class Queue { kKnown = 0, kOpening = 1, kStrangers = 2 };  // numbers of the device's

  static Result<std::unique_ptr<FlowSteering>> load(KnownFlows::Secret secret);
  ~FlowSteering();
  FlowSteering(const FlowSteering&) = delete;
  FlowSteering& operator=(const FlowSteering&) = delete;

  KnownFlows& known() { return known_; }
  int program() const { return program_; }  // a descriptor, ours

 private:
  FlowSteering(int program, std::uint8_t* slots, KnownFlows::Secret secret)
      : program_(program), slots_(slots), known_(slots, secret) {}

  int program_;
  std::uint8_t* slots_;  // KnownFlows::kSlots, mapped
  KnownFlows known_;
};

}  // namespace migd
