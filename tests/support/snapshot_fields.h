// The fields of a TcpSnapshot, to be gone through one by one. A field that is added to the struct
// and not here does not compile, so no test that goes through all of them can forget it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <utility>

#include "stack/snapshot.h"

namespace migd::test {

// In the order of the structs.
#define MIGD_SNAPSHOT_FIELDS                                                                      \
  tuple, state, send_unacknowledged, send_next, send_window, send_window_max, send_wl1, send_wl2, \
      send_scale, send_data, send_in_flight, sent, fin_sequence, send_buffer_limit, receive_next, \
      announced_right_edge, receive_scale, receive_window_limit, unread, peer_fin_received,       \
      out_of_order, sack_blocks, ack_pending, mss, announced_mss, path_mtu, path_mtu_age,         \
      window_scaling, timestamps, sack, ts_recent, ts_last_ack_sent, ts_recent_age, ts_clock,     \
      ts_clock_part, rtt_known, srtt, rttvar, rto, timer_waited, retransmissions, duplicate_acks, \
      cwnd, ssthresh, cwnd_bytes_acked, in_fast_recovery, in_rto_recovery, recovery_end
#define MIGD_RECOVERY_FIELDS                                                                  \
  rack_known, rack_sent_ago, rack_end, rack_rtt, rack_highest, reordering_seen,               \
      reordering_multiplier, reordering_persist, reordering_round, min_rtt, min_rtt_previous, \
      min_rtt_age, prr_delivered, prr_sent, prr_flight, probe_end, probe_repeated, frto_step, \
      undo_possible, undo_proven, undo_end, undo_unproven, undo_cwnd, undo_ssthresh,          \
      undo_timestamp, limited_until, send_idle
#define MIGD_CONGESTION_FIELDS                                                                    \
  algorithm, epoch_known, epoch_ago, after_time_out, epoch_cwnd, cwnd_max, cwnd_prior, cwnd_reno, \
      undo_cwnd_max, slow_start_rounds, round_end, round_rtt, round_rtt_last, slow_start_rtt,     \
      round_samples
#define MIGD_LATER_FIELDS                                                                          \
  persist_backoff, persist_probes, keepalive, keepalive_idle, keepalive_interval, keepalive_count, \
      keepalive_probes_sent, unacknowledged_for, idle, time_in_state, no_delay, read_closed,       \
      write_closed, traffic_class, hop_limit, bytes_in, bytes_out, age, retransmitted_segments

// References to all of them; Snapshot is TcpSnapshot, const or not.
template <typename Snapshot>
auto fields_of(Snapshot& snapshot) {
  auto& [MIGD_SNAPSHOT_FIELDS, recovery, congestion, MIGD_LATER_FIELDS] = snapshot;
  auto& [MIGD_RECOVERY_FIELDS] = recovery;
  auto& [MIGD_CONGESTION_FIELDS] = congestion;
  return std::tie(MIGD_SNAPSHOT_FIELDS, MIGD_RECOVERY_FIELDS, MIGD_CONGESTION_FIELDS,
                  MIGD_LATER_FIELDS);
}

using SnapshotFields = decltype(fields_of(std::declval<TcpSnapshot&>()));
inline constexpr std::size_t kSnapshotFieldCount = std::tuple_size_v<SnapshotFields>;

#define MIGD_FIELD_TEXT(...) #__VA_ARGS__
#define MIGD_FIELD_NAMES(fields) MIGD_FIELD_TEXT(fields)
inline constexpr std::array<std::string_view, kSnapshotFieldCount> kSnapshotFieldNames = [] {
  std::array<std::string_view, kSnapshotFieldCount> names;
  std::string_view rest = MIGD_FIELD_NAMES(
      (MIGD_SNAPSHOT_FIELDS, MIGD_RECOVERY_FIELDS, MIGD_CONGESTION_FIELDS, MIGD_LATER_FIELDS));
  rest = rest.substr(1, rest.size() - 2);  // the parentheses
  for (std::string_view& name : names) {
    const std::size_t end = std::min(rest.find(','), rest.size());
    name = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 2, rest.size()));
  }
  return names;
}();
#undef MIGD_FIELD_NAMES
#undef MIGD_FIELD_TEXT
#undef MIGD_SNAPSHOT_FIELDS
#undef MIGD_RECOVERY_FIELDS
#undef MIGD_CONGESTION_FIELDS
#undef MIGD_LATER_FIELDS

// visit(name, field), for each.
template <typename Snapshot, typename Visit>
void for_each_field(Snapshot& snapshot, Visit visit) {
  const auto fields = fields_of(snapshot);
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (visit(kSnapshotFieldNames[I], std::get<I>(fields)), ...);
  }
  (std::make_index_sequence<kSnapshotFieldCount>());
}

}  // namespace migd::test
