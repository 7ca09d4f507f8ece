// What the configuration does not name: constants of the channel that tests change.
#pragma once

#include "migrator/channel/congestion.h"
#include "migrator/channel/hello.h"

namespace migd::channel {

struct Tuning {
  Capabilities capabilities;  // ciphers and datagram_max are filled in by the engine
  bool use_aes = true;        // where both ends have it

  CongestionOptions congestion;
  Duration initial_round_trip = 20ms;
  Duration ack_delay_max = 1ms;
  std::size_t ack_every = 32;  // packets
  Duration probe_timeout_floor = 5ms;
  Duration probe_timeout_max = 500ms;

  // New session keys after this long or this much; at twice as much the session ends.
  Duration rekey_after = 10min;
  std::uint64_t rekey_packets = std::uint64_t{1} << 31;
  std::uint64_t rekey_bytes = std::uint64_t{32} << 30;
  Duration old_session_lifetime = 30s;

  std::size_t partial_messages_max = 4096;  // half-received or half-relayed, of one origin
  Duration partial_idle_max = 10s;          // without a further fragment
  Duration relay_idle_max = 5s;             // without an acknowledgement
  int open_tries = 8;                       // of one fragment, before its message is given up

  Duration hello_retry_first = 50ms;
  Duration hello_retry_max = 1s;
};

}  // namespace migd::channel
