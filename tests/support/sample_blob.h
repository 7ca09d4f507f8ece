// A connection blob in which every field has a value of its own, so that a field that is forgotten
// or swapped shows.
#pragma once

#include "migrator/blob.h"

namespace migd::testing {

inline FourTuple sample_tuple() {
  return {*Endpoint::parse("10.77.100.1:80"), *Endpoint::parse("10.77.1.2:40001")};
}

inline Bytes ramp(std::size_t size, std::size_t first = 0) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<std::uint8_t>((first + i) % 251);
  return bytes;
}

inline ConnectionBlob sample_blob() {
  ConnectionBlob blob;
  blob.tenure = {{NodeId{11}, Boot{0x123456789abc}, 42}, Epoch{3}};
  blob.source = NodeId{11};
  blob.service = "web";
  blob.application = "files";
  blob.application_state = ramp(33, 7);
  static_cast<void>(blob.suspended.put("relay", ramp(5, 9)));
  static_cast<void>(blob.suspended.put("upload", ramp(40, 11)));
  TcpSnapshot& t = blob.tcp;
  t.tuple = sample_tuple();
  t.state = TcpState::kCloseWait;
  t.send_unacknowledged = SeqNum(0xfffffff0);
  t.send_next = SeqNum(0xfffffff0) + 100;
  t.send_window = 60000;
  t.send_window_max = 65000;
  t.send_wl1 = SeqNum(5000);
  t.send_wl2 = SeqNum(0xfffffff0);
  t.send_scale = 7;
  t.send_data = ramp(300);
  t.send_in_flight = 100;
  t.sent = {{60, true, false, false, false, 3ms}, {40, false, true, true, true, 1ms}};
  t.send_buffer_limit = 1 << 18;
  t.receive_next = SeqNum(5001);
  t.announced_right_edge = SeqNum(5001 + 60000);
  t.receive_scale = 6;
  t.receive_window_limit = 1 << 20;
  t.unread = ramp(17, 3);
  t.peer_fin_received = true;
  t.out_of_order = {{SeqNum(6000), ramp(10, 1), false}, {SeqNum(7000), ramp(20, 2), true}};
  t.sack_blocks = {{SeqNum(7000), SeqNum(7020)}, {SeqNum(6000), SeqNum(6010)}};
  t.ack_pending = true;
  t.mss = 1388;
  t.announced_mss = 1340;
  t.path_mtu = 1400;
  t.path_mtu_age = 30s;
  t.unacknowledged_for = 9s;
  t.window_scaling = true;
  t.timestamps = true;
  t.sack = true;
  t.ts_recent = 0xdeadbeef;
  t.ts_last_ack_sent = SeqNum(5001);
  t.ts_recent_age = 12ms;
  t.ts_clock = 777 * 64;
  t.ts_clock_part = 5us;
  t.rtt_known = true;
  t.srtt = 3ms;
  t.rttvar = 1ms;
  t.rto = 200ms;
  t.timer_waited = 7ms;
  t.retransmissions = 1;
  t.duplicate_acks = 2;
  t.cwnd = 14480;
  t.ssthresh = 20000;
  t.cwnd_bytes_acked = 99;
  t.in_fast_recovery = true;
  t.recovery_end = SeqNum(123);
  RecoveryState& r = t.recovery;
  r.rack_known = true;
  r.rack_sent_ago = 4ms;
  r.rack_end = SeqNum(41);
  r.rack_rtt = 3100us;
  r.rack_highest = SeqNum(42);
  r.reordering_seen = true;
  r.reordering_multiplier = 2;
  r.reordering_persist = 15;
  r.reordering_round = SeqNum(43);
  r.min_rtt = 2900us;
  r.min_rtt_previous = 2800us;
  r.min_rtt_age = 70s;
  r.prr_delivered = 2896;
  r.prr_sent = 1448;
  r.prr_flight = 13032;
  r.probe_end = SeqNum(44);
  r.probe_repeated = true;
  r.frto_step = 2;
  r.undo_possible = true;
  r.undo_proven = SeqNum(45);
  r.undo_end = SeqNum(46);
  r.undo_unproven = 40;
  r.undo_cwnd = 21720;
  r.undo_ssthresh = 21721;
  r.undo_timestamp = 49664;
  r.limited_until = SeqNum(47);
  r.send_idle = 1ms;
  CongestionState& c = t.congestion;
  c.algorithm = CongestionAlgorithm::kReno;
  c.epoch_known = true;
  c.epoch_ago = 5s;
  c.after_time_out = true;
  c.epoch_cwnd = 10136;
  c.cwnd_max = 18461;
  c.cwnd_prior = 14481;
  c.cwnd_reno = 11000;
  c.undo_cwnd_max = 14482;
  c.slow_start_rounds = 3;
  c.round_end = SeqNum(48);
  c.round_rtt = 3200us;
  c.round_rtt_last = 3300us;
  c.slow_start_rtt = 3400us;
  c.round_samples = 7;
  t.persist_backoff = 0;
  t.persist_probes = 4;
  t.keepalive = true;
  t.keepalive_idle = 7200s;
  t.keepalive_interval = 75s;
  t.keepalive_count = 9;
  t.keepalive_probes_sent = 1;
  t.idle = 250ms;
  t.time_in_state = 40s;
  t.no_delay = false;
  t.read_closed = true;
  t.write_closed = false;
  t.traffic_class = 0x10;
  t.hop_limit = 63;
  t.bytes_in = 1'000'000'007;
  t.bytes_out = 5'000'000'011;
  t.age = 90s;
  t.retransmitted_segments = 6;
  blob.forwarded =
      Forwarded{{blob.tenure.connection, t.tuple, t.send_next, t.receive_next}, 3, true};
  PastMove move;
  move.from = NodeId{1};
  move.to = NodeId{10};
  move.epoch = Epoch{2};
  move.asked_by = "classifier";
  move.blob_bytes = 720;
  move.prepared = 300us;
  move.at_source = 410us;
  move.crossing = 90us;
  move.at_target = 230us;
  move.age = 5s;
  move.first_out = 15us;
  move.first_in = 2ms;
  blob.history = {{move}, 6};
  move.from = NodeId{10};
  move.to = NodeId{11};
  move.forwarder = NodeId{1};
  move.epoch = Epoch{3};
  move.asked_by = "operator";
  move.mode = MigrationMode::kDrain;
  move.at_once = true;
  move.blob_bytes = 0;
  move.age = 1s;
  move.first_out.reset();
  move.first_in.reset();
  blob.history.add(move);
  return blob;
}

}  // namespace migd::testing
