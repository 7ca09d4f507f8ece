#include "tests/stack/snapshot_text.h"

#include <fmt/format.h>

namespace migd::test {
namespace {

std::string text(ByteView bytes) {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    sum = sum * 31 + bytes[i];
  return fmt::format("{} bytes, sum {:x}", bytes.size(), sum);
}

}  // namespace

std::string to_text(const TcpSnapshot& s) {
  std::string out;
  const auto line = [&out](std::string_view name, const std::string& value) {
    out += fmt::format("{} {}\n", name, value);
  };
  const auto number = [&](std::string_view name, std::uint64_t value) {
    line(name, fmt::format("{}", value));
  };
  const auto time = [&](std::string_view name, Duration value) {
    line(name, fmt::format("{} ns", value.count()));
  };
  line("tuple", s.tuple.to_string());
  line("state", std::string(to_string(s.state)));
  number("send_unacknowledged", s.send_unacknowledged.value());
  number("send_next", s.send_next.value());
  number("send_window", s.send_window);
  number("send_window_max", s.send_window_max);
  number("send_wl1", s.send_wl1.value());
  number("send_wl2", s.send_wl2.value());
  number("send_scale", s.send_scale);
  line("send_data", text(s.send_data));
  number("send_in_flight", s.send_in_flight);
  number("send_lost", s.send_lost);
  line("fin_sequence", s.fin_sequence ? std::to_string(s.fin_sequence->value()) : "none");
  number("send_buffer_limit", s.send_buffer_limit);
  number("receive_next", s.receive_next.value());
  number("announced_right_edge", s.announced_right_edge.value());
  number("receive_scale", s.receive_scale);
  number("receive_window_limit", s.receive_window_limit);
  line("unread", text(s.unread));
  number("peer_fin_received", s.peer_fin_received);
  for (const auto& range : s.out_of_order) {
    line("out_of_order", fmt::format("{} {} {}", range.first.value(), text(range.data), range.fin));
  }
  for (const auto& block : s.sack_blocks) {
    line("sack_block", fmt::format("{} {}", block.left.value(), block.right.value()));
  }
  number("ack_pending", s.ack_pending);
  number("mss", s.mss);
  number("window_scaling", s.window_scaling);
  number("timestamps", s.timestamps);
  number("sack", s.sack);
  number("ts_recent", s.ts_recent);
  number("ts_last_ack_sent", s.ts_last_ack_sent.value());
  time("ts_recent_age", s.ts_recent_age);
  number("ts_clock", s.ts_clock);
  time("ts_clock_part", s.ts_clock_part);
  number("rtt_known", s.rtt_known);
  time("srtt", s.srtt);
  time("rttvar", s.rttvar);
  time("rto", s.rto);
  time("timer_waited", s.timer_waited);
  number("retransmissions", s.retransmissions);
  number("duplicate_acks", s.duplicate_acks);
  number("cwnd", s.cwnd);
  number("ssthresh", s.ssthresh);
  number("cwnd_bytes_acked", s.cwnd_bytes_acked);
  number("in_fast_recovery", s.in_fast_recovery);
  number("in_rto_recovery", s.in_rto_recovery);
  number("recovery_end", s.recovery_end.value());
  number("persist_backoff", s.persist_backoff);
  number("persist_probes", s.persist_probes);
  number("keepalive", s.keepalive);
  time("keepalive_idle", s.keepalive_idle);
  time("keepalive_interval", s.keepalive_interval);
  number("keepalive_count", s.keepalive_count);
  number("keepalive_probes_sent", s.keepalive_probes_sent);
  time("idle", s.idle);
  time("time_in_state", s.time_in_state);
  number("no_delay", s.no_delay);
  number("read_closed", s.read_closed);
  number("write_closed", s.write_closed);
  number("traffic_class", s.traffic_class);
  number("hop_limit", s.hop_limit);
  number("bytes_in", s.bytes_in);
  number("bytes_out", s.bytes_out);
  time("age", s.age);
  number("retransmitted_segments", s.retransmitted_segments);
  return out;
}

}  // namespace migd::test
