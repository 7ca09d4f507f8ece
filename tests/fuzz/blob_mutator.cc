#include "tests/fuzz/blob_mutator.h"

#include <concepts>
#include <vector>

#include "base/limits.h"
#include "stack/snapshot_rules.h"
#include "tests/fuzz/mutate.h"
#include "tests/support/snapshot_fields.h"

namespace migd::fuzz {
namespace {

using sim::SimRng;

constexpr std::size_t kBytesMax = 20'000;  // of one range, as the mutator makes them
constexpr std::size_t kRangesMax = 6;

std::uint32_t some_distance(SimRng& rng) {
  return static_cast<std::uint32_t>(rng.next() >> (32 + rng.below(32)));
}

// Every sequence number of a snapshot: a new one is most telling near to another.
std::vector<SeqNum> sequence_numbers(const TcpSnapshot& s) {
  std::vector<SeqNum> all = {s.send_unacknowledged,
                             s.send_next,
                             s.send_unacknowledged + static_cast<std::uint32_t>(s.send_data.size()),
                             s.receive_next,
                             s.announced_right_edge,
                             s.recovery_end};
  for (const auto& range : s.out_of_order) {
    all.push_back(range.first);
    all.push_back(range.first + static_cast<std::uint32_t>(range.data.size()));
  }
  return all;
}

class FieldMutator {
 public:
  FieldMutator(const TcpSnapshot& snapshot, SimRng& rng)
      : numbers_(sequence_numbers(snapshot)), rng_(rng) {}

  void change(FourTuple& tuple) {
    if (rng_.chance(0.8)) {
      tuple.peer.port = static_cast<std::uint16_t>(rng_.next());
    } else {
      std::swap(tuple.local, tuple.peer);
    }
  }
  void change(TcpState& state) { state = static_cast<TcpState>(rng_.below(8)); }
  void change(bool& flag) { flag = !flag; }
  template <std::unsigned_integral Number>
  void change(Number& number) {
    switch (rng_.below(5)) {
      case 0:
        number = static_cast<Number>(number + rng_.below(5) - 2);
        return;
      case 1:
        number = static_cast<Number>(rng_.next());
        return;
      case 2:
        number = static_cast<Number>(std::uint64_t{1} << rng_.below(sizeof(Number) * 8));
        return;
      case 3:
        number = static_cast<Number>(rng_.below(3000));
        return;
      case 4:
        LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(&number), sizeof number, sizeof number);
        return;
    }
  }
  void change(SeqNum& number) {
    const SeqNum base = rng_.chance(0.3) ? number : numbers_[rng_.below(numbers_.size())];
    const std::uint32_t distance = some_distance(rng_);
    number = rng_.chance(0.5) ? base + distance : base - distance;
  }
  void change(std::optional<SeqNum>& number) {
    if (number && rng_.chance(0.3)) {
      number.reset();
    } else {
      if (!number) number.emplace();
      change(*number);
    }
  }
  void change(std::optional<std::uint32_t>& number) {
    if (!number) number.emplace();
    change(*number);
  }
  void change(CongestionAlgorithm& algorithm) {
    algorithm = static_cast<CongestionAlgorithm>(rng_.below(2));
  }
  void change(std::vector<SentRange>& ranges) {
    if (ranges.empty()) ranges.push_back({.length = 1});
    SentRange& range = ranges[rng_.below(ranges.size())];
    switch (rng_.below(5)) {
      case 0:
        return change(range.length);
      case 1:
        return change(range.sacked);
      case 2:
        range.lost = !range.lost;
        range.resent = range.retransmitted = range.lost && rng_.chance(0.5);
        return;
      case 3:
        return change(range.sent_ago);
      case 4: {  // in two
        const std::uint32_t length = range.length / 2;
        range.length -= length;
        if (length > 0) ranges.insert(ranges.begin(), {.length = length});
        return;
      }
    }
  }
  void change(Duration& time) {
    const auto shift = rng_.below(62);
    time = rng_.chance(0.3) ? time + Duration(rng_.below(3) - 1)
                            : Duration(static_cast<Duration::rep>((rng_.next() >> 1) >> shift));
  }
  void change(Bytes& bytes) {
    if (rng_.chance(0.3)) {
      mutate(bytes, std::min(bytes.size() + 64, kBytesMax));
    } else {
      bytes.resize(std::min<std::size_t>(rng_.below(std::uint64_t{1} << rng_.below(15)), kBytesMax),
                   static_cast<std::uint8_t>(rng_.next()));
    }
  }
  void change(std::vector<TcpSnapshot::OutOfOrder>& ranges) {
    if (ranges.size() < kRangesMax && (ranges.empty() || rng_.chance(0.4))) {
      TcpSnapshot::OutOfOrder range;
      change(range.first);
      range.data.resize(1 + rng_.below(2000));
      ranges.insert(ranges.begin() + static_cast<std::ptrdiff_t>(rng_.below(ranges.size() + 1)),
                    std::move(range));
      return;
    }
    const std::size_t at = rng_.below(ranges.size());
    switch (rng_.below(4)) {
      case 0:
        ranges.erase(ranges.begin() + static_cast<std::ptrdiff_t>(at));
        return;
      case 1:
        return change(ranges[at].first);
      case 2:
        return change(ranges[at].data);
      case 3:
        return change(ranges[at].fin);
    }
  }
  void change(std::vector<TcpSnapshot::SackBlock>& blocks) {
    if (blocks.empty() || (blocks.size() < 4 && rng_.chance(0.4))) {
      blocks.emplace_back();
      change(blocks.back().left);
      blocks.back().right = blocks.back().left + some_distance(rng_);
      return;
    }
    const std::size_t at = rng_.below(blocks.size());
    if (rng_.chance(0.3)) {
      blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(at));
    } else {
      change(rng_.chance(0.5) ? blocks[at].left : blocks[at].right);
    }
  }

 private:
  const std::vector<SeqNum> numbers_;
  SimRng& rng_;
};

void mend_sent(TcpSnapshot& s) {
  if (s.state == TcpState::kSynReceived || s.state == TcpState::kTimeWait) s.sent.clear();
  auto left = static_cast<std::uint32_t>(s.send_next - s.send_unacknowledged);
  for (SentRange& range : s.sent) {
    range.length = std::min(std::max(range.length, 1u), left);
    left -= range.length;
    range.sacked = range.sacked && s.sack && !range.lost;
    range.sent_ago = std::clamp(range.sent_ago, Duration(0), Duration(24h));
  }
  std::erase_if(s.sent, [](const SentRange& range) { return range.length == 0; });
  if (!s.sent.empty()) s.sent.back().length += left;
}

// The relations that every snapshot of that state keeps, from its state, its data and its window.
void mend_sending(TcpSnapshot& s, SimRng& rng) {
  const bool closing = s.state >= TcpState::kFinWait1;
  const bool acknowledged = s.state == TcpState::kFinWait2 || s.state == TcpState::kTimeWait;
  if (acknowledged || s.state == TcpState::kSynReceived) s.send_data.clear();
  const auto size = static_cast<std::uint32_t>(s.send_data.size());
  s.send_buffer_limit = std::clamp(s.send_buffer_limit, size + 1, limits::kSendBufferMax);
  if (s.send_in_flight > size) s.send_in_flight = static_cast<std::uint32_t>(rng.below(size + 1));
  s.write_closed = closing;
  s.fin_sequence.reset();
  const bool fin_in_flight =
      closing && !acknowledged && s.send_in_flight == size && rng.chance(0.5);
  if (closing)
    s.fin_sequence = acknowledged ? s.send_unacknowledged - 1 : s.send_unacknowledged + size;
  s.send_next = s.send_unacknowledged + s.send_in_flight + (fin_in_flight ? 1u : 0u) +
                (s.state == TcpState::kSynReceived ? 1u : 0u);
  if (!s.window_scaling) s.send_scale = s.receive_scale = 0;
  s.send_scale %= 15;
  s.send_window = std::min(s.send_window, 0xffffu << s.send_scale);
  s.send_window_max = std::clamp(s.send_window_max, s.send_window, 0xffffu << s.send_scale);
  mend_sent(s);
  if (s.in_rto_recovery) s.in_fast_recovery = false;
  if (s.in_rto_recovery || s.in_fast_recovery) s.recovery_end = s.send_next;
  if (!s.in_rto_recovery) s.recovery.frto_step = 0;
  if (s.recovery.probe_end) s.recovery.probe_end = s.send_next;
  if (s.send_next == s.send_unacknowledged) s.recovery.probe_end.reset();
  const bool waiting = size > 0 || (closing && !acknowledged);
  if (!waiting || s.send_in_flight > 1) s.persist_backoff = 0;
  if (s.read_closed && !s.write_closed) s.read_closed = false;
}

void mend_receiving(TcpSnapshot& s, SimRng& rng) {
  s.peer_fin_received = s.state == TcpState::kCloseWait || s.state == TcpState::kClosing ||
                        s.state == TcpState::kLastAck || s.state == TcpState::kTimeWait;
  s.receive_scale %= 15;
  s.receive_window_limit = std::clamp(s.receive_window_limit, 1u,
                                      std::min(0xffffu << s.receive_scale, limits::kWindowMax));
  if (s.state == TcpState::kSynReceived) s.unread.clear();
  s.unread.resize(std::min<std::size_t>(s.unread.size(), s.receive_window_limit));
  const auto room = s.receive_window_limit - static_cast<std::uint32_t>(s.unread.size());
  const std::uint32_t edge = s.state == TcpState::kSynReceived ? std::min(room, 0xffffu) : room;
  if (static_cast<std::uint32_t>(s.announced_right_edge - s.receive_next) > edge)
    s.announced_right_edge = s.receive_next + static_cast<std::uint32_t>(rng.below(edge + 1));
  if (s.peer_fin_received || s.state == TcpState::kSynReceived) s.out_of_order.clear();
  SeqNum behind = s.receive_next + 1;
  for (auto& range : s.out_of_order) {
    if (range.first < behind || range.first - behind > 3000)
      range.first = behind + static_cast<std::uint32_t>(rng.below(500));
    range.fin = range.fin && &range == &s.out_of_order.back();
    behind = range.first + static_cast<std::uint32_t>(range.data.size());
  }
  if (!s.sack || s.out_of_order.empty()) s.sack_blocks.clear();
  for (auto& block : s.sack_blocks) {
    const auto& range = s.out_of_order[rng.below(s.out_of_order.size())];
    block = {range.first, range.first + static_cast<std::uint32_t>(range.data.size())};
  }
  if (s.timestamps) s.ts_last_ack_sent = s.receive_next - static_cast<std::uint32_t>(rng.below(2));
}

void mend_times(TcpSnapshot& s) {
  s.srtt = std::clamp(s.srtt, Duration(0), Duration(100s));
  s.rttvar = std::clamp(s.rttvar, Duration(0), Duration(100s));
  s.rto = std::clamp(s.rto, Duration(1ms), Duration(60s));
  s.ts_clock_part %= Duration(1ms);
  s.age = std::min(s.age, Duration(24h * 365));
  for (Duration* time : {&s.time_in_state, &s.idle, &s.ts_recent_age, &s.unacknowledged_for})
    *time = std::min(*time, s.age);
  if (!something_waits(s)) s.unacknowledged_for = Duration(0);
  s.timer_waited = std::min(s.timer_waited, Duration(24h));
  RecoveryState& r = s.recovery;
  CongestionState& c = s.congestion;
  for (Duration* time :
       {&r.min_rtt, &r.min_rtt_previous, &c.round_rtt, &c.round_rtt_last, &c.slow_start_rtt})
    *time = std::clamp(*time, Duration(0), Duration(100s));
  for (Duration* time : {&r.rack_sent_ago, &r.rack_rtt, &r.min_rtt_age, &r.send_idle, &c.epoch_ago})
    *time = std::clamp(*time, Duration(0), Duration(24h));
  for (std::uint32_t* bytes : {&r.prr_delivered, &r.prr_sent, &r.prr_flight, &r.undo_unproven,
                               &r.undo_cwnd, &r.undo_ssthresh, &c.epoch_cwnd, &c.cwnd_max,
                               &c.cwnd_prior, &c.cwnd_reno, &c.undo_cwnd_max})
    *bytes = std::min(*bytes, 1u << 30);
  r.reordering_multiplier = std::max<std::uint8_t>(r.reordering_multiplier, 1);
  r.frto_step %= 3;
  s.retransmissions %= 6;
  s.persist_probes %= 6;
  s.cwnd = std::clamp(s.cwnd, 1u, 1u << 30);
  s.ssthresh = std::clamp(s.ssthresh, 1u, 1u << 30);
  s.cwnd_bytes_acked = std::min(s.cwnd_bytes_acked, 1u << 30);
  s.mss = std::max<std::uint16_t>(s.mss, 88);
  s.announced_mss = std::max<std::uint16_t>(s.announced_mss, 88);
  if (s.path_mtu != 0) s.path_mtu = std::max<std::uint16_t>(s.path_mtu, 1280);
  s.path_mtu_age = s.path_mtu == 0 ? Duration(0) : std::min(s.path_mtu_age, s.age);
  s.keepalive_idle = std::clamp(s.keepalive_idle, Duration(1ms), Duration(24h));
  s.keepalive_interval = std::clamp(s.keepalive_interval, Duration(0), Duration(24h));
  s.keepalive_count = s.keepalive_count % 255 + 1;
  s.keepalive_probes_sent = static_cast<std::uint8_t>(s.keepalive_probes_sent % s.keepalive_count);
  if (s.hop_limit == 0) s.hop_limit = 1;
}

}  // namespace

void mutate_blob(ConnectionBlob& blob, SimRng& rng) {
  for (std::uint64_t n = 1 + rng.below(4); n > 0; --n) {
    const std::size_t field = rng.below(test::kSnapshotFieldCount);
    FieldMutator mutator(blob.tcp, rng);
    std::size_t at = 0;
    test::for_each_field(blob.tcp, [&](std::string_view, auto& value) {
      if (at++ == field) mutator.change(value);
    });
  }
  if (rng.chance(0.1)) mutate(blob.application_state, blob.application_state.size() + 16);
  if (rng.chance(0.7)) {
    mend_sending(blob.tcp, rng);
    mend_receiving(blob.tcp, rng);
    mend_times(blob.tcp);
  }
}

}  // namespace migd::fuzz
