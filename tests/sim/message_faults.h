// Message faults: one message of the migration protocol lost, lost with its session, repeated,
// delayed or overtaken, in a cluster that is busy enough to need all kinds of them. Nobody dies of
// it: every client is served to the end, and whoever asked for a move gets an answer.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/channel_tap.h"

namespace migd::sim {

enum class MessageFault {
  kLost,             // the datagrams that carry it, once
  kLostWithSession,  // and everything between the two for 5 s
  kRepeated,
  kRepeatedLate,  // again after 700 ms
  kDelayed,       // 30 ms
  kDelayedLong,   // 3 s: longer than its sender waits for an answer
  kOvertaken,     // by the next message between the two
};
inline constexpr std::array kMessageFaults = {
    MessageFault::kLost,         MessageFault::kLostWithSession, MessageFault::kRepeated,
    MessageFault::kRepeatedLate, MessageFault::kDelayed,         MessageFault::kDelayedLong,
    MessageFault::kOvertaken};

std::string_view to_string(MessageFault fault);

struct MessageStrike {
  wire::Kind kind;
  MessageFault fault;
  int nth;  // of its kind in the run, from 1 on
  bool prepare;

  std::string name() const;  // "grant/lost/1/prepared"
};

// Why there is no such message; empty: there is.
std::string_view impossible(wire::Kind kind, bool prepare);

struct MessageResult {
  bool reached = false;  // there was such a message
  std::vector<std::string> complaints;
};
MessageResult run(const MessageStrike& strike, std::uint64_t seed);

}  // namespace migd::sim
