#include "tests/sim/tcp.h"

#include <algorithm>
#include <utility>

namespace migd::sim {
namespace {

constexpr int kTriesMax = 12;

}  // namespace

Tcp::Tcp(const TcpConfig& config, EventLoop& loop, Output output)
    : config_(config),
      loop_(loop),
      output_(std::move(output)),
      retransmit_timer_(loop.make_timer([this] { on_retransmit_timer(); })),
      ack_timer_(loop.make_timer([this] { on_ack_timer(); })),
      opened_at_(loop.now()) {
  send_.set_min_rto(config.min_rto);
  receive_.set_options({.buffer = config.receive_buffer,
                        .scale = config.window_scale.value_or(0),
                        .mss = config.mss});
}

std::uint32_t Tcp::clock_ticks() const {
  return config_.timestamp_origin +
         static_cast<std::uint32_t>(to_milliseconds(loop_.now().time_since_epoch()));
}

std::uint64_t Tcp::peer_offset(std::uint32_t seq) const {
  const std::uint64_t next = receive_.next();
  const auto distance = static_cast<std::int32_t>(seq - peer_seq(next));
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(next) + distance);
}

// ---- sending ----

Segment Tcp::blank(std::uint64_t offset, std::uint8_t flags) {
  Segment segment;
  segment.src = config_.local;
  segment.dst = config_.remote;
  segment.seq = config_.initial_sequence + static_cast<std::uint32_t>(offset);
  segment.flags = flags;
  return segment;
}

void Tcp::emit(Segment& segment) {
  const bool syn = segment.has(Segment::kSyn);
  if (segment.has(Segment::kAck)) {
    segment.ack = peer_seq(receive_.next());
    last_ack_sent_ = receive_.next();
    ack_now_ = false;
    segments_unacked_ = 0;
    ack_timer_->stop();
  }
  segment.window = receive_.announce(scaling_ && !syn);
  if (timestamps_ || (syn && state_ == State::kSynSent && config_.timestamps)) {
    segment.timestamps = Segment::Timestamps{clock_ticks(), ts_recent_};
  }
  ++counters_.segments_sent;
  output_(encode(segment));
}

void Tcp::send_syn() {
  const bool answer = state_ == State::kSynReceived;
  Segment segment = blank(0, answer ? Segment::kSyn | Segment::kAck : Segment::kSyn);
  segment.mss = config_.mss;
  if (answer ? scaling_ : config_.window_scale.has_value()) {
    segment.window_scale = config_.window_scale;
  }
  segment.sack_permitted = answer ? sack_ : config_.sack;
  emit(segment);
}

void Tcp::send_ack() {
  Segment segment = blank(send_.nxt(), Segment::kAck);
  if (sack_) {
    for (const auto& [left, right] : receive_.ranges()) {
      if (segment.block_count == (timestamps_ ? 3u : 4u)) break;
      segment.blocks[segment.block_count++] = {peer_seq(left), peer_seq(right)};
    }
  }
  emit(segment);
}

void Tcp::pump() {
  while (const auto piece = send_.next_piece()) {
    Segment segment = blank(piece->offset, Segment::kAck);
    segment.payload = ByteView(send_.data()).subspan(piece->offset - 1, piece->size);
    if (piece->fin) segment.flags |= Segment::kFin;
    if (piece->offset + piece->size == send_.data().size() + 1) segment.flags |= Segment::kPsh;
    if (piece->again) {
      ++counters_.retransmissions;
      timed_.reset();
    } else if (!timed_) {
      timed_ = {piece->offset + piece->size, loop_.now()};
    }
    emit(segment);
  }
}

void Tcp::rearm() {
  if (state_ == State::kSynSent || state_ == State::kSynReceived || send_.anything_in_flight()) {
    const bool syn = state_ != State::kOpen;
    retransmit_timer_->start(loop_.now() + (syn ? 1s * (1 << syn_tries_) : send_.rto()));
  } else if (state_ == State::kOpen && send_.blocked_by_window()) {
    retransmit_timer_->start(loop_.now() + config_.min_rto * (1 << std::min(probe_backoff_, 8)));
  } else {
    retransmit_timer_->stop();
  }
}

void Tcp::on_retransmit_timer() {
  if (state_ == State::kSynSent || state_ == State::kSynReceived) {
    if (++syn_tries_ > 6) return end(State::kTimedOut);
    ++counters_.retransmissions;
    send_syn();
  } else if (send_.anything_in_flight()) {
    if (send_.backoff() >= 6 && ++syn_tries_ > kTriesMax) return end(State::kTimedOut);
    ++counters_.timeouts;
    send_.on_timeout();
    pump();
  } else if (send_.blocked_by_window()) {
    ++probe_backoff_;
    ++counters_.zero_window_probes;
    Segment probe = blank(send_.una() - 1, Segment::kAck);
    emit(probe);
  }
  rearm();
}

void Tcp::on_ack_timer() {
  if (state_ == State::kOpen) send_ack();
}

// ---- using it ----

void Tcp::connect() {
  state_ = State::kSynSent;
  send_syn();
  rearm();
}

void Tcp::write(ByteView bytes) {
  send_.write(bytes);
  if (state_ != State::kOpen) return;
  const bool idle = !send_.anything_in_flight();
  pump();
  if (idle) rearm();
}

void Tcp::shutdown_write() {
  send_.shutdown();
  if (state_ != State::kOpen) return;
  const bool idle = !send_.anything_in_flight();
  pump();
  if (idle) rearm();
}

void Tcp::abort() {
  Segment segment = blank(send_.nxt(), Segment::kRst | Segment::kAck);
  emit(segment);
  end(State::kReset);
}

void Tcp::set_reading(bool on) {
  reading_ = on;
  if (on) read(receive_.unread());
}

void Tcp::read(std::size_t most) {
  receive_.read(most);
  if (state_ == State::kOpen && receive_.worth_update()) send_ack();
}

void Tcp::end(State state) {
  state_ = state;
  retransmit_timer_->stop();
  ack_timer_->stop();
  if (on_change_) on_change_();
}

// ---- receiving ----

void Tcp::on_segment(const Segment& segment) {
  ++counters_.segments_received;
  switch (state_) {
    case State::kListen:
    case State::kSynSent:
      return on_handshake(segment);
    case State::kSynReceived:
    case State::kOpen:
    case State::kDone:
      break;
    case State::kClosed:
    case State::kReset:
    case State::kTimedOut:
      if (segment.has(Segment::kRst)) ++counters_.resets;
      return;
  }
  if (segment.payload.size() > config_.mss) ++counters_.oversized;
  if (!handle_reset_and_syn(segment) || !acceptable(segment)) {
    if (ack_now_) send_ack();
    return;
  }
  handle_ack(segment);
  if (state_ == State::kOpen || state_ == State::kDone) handle_data(segment);
  finish_input();
}

void Tcp::negotiate(const Segment& syn) {
  peer_isn_ = syn.seq;
  timestamps_ = config_.timestamps && syn.timestamps.has_value();
  sack_ = config_.sack && syn.sack_permitted;
  scaling_ = config_.window_scale && syn.window_scale;
  peer_scale_ = scaling_ ? *syn.window_scale : std::uint8_t{0};
  if (timestamps_) ts_recent_ = syn.timestamps->value;
  const std::uint32_t mss = std::min(config_.mss, syn.mss.value_or(536));
  send_.set_mss(mss - (timestamps_ ? 12u : 0u));
  send_.use_sack(sack_);
}

void Tcp::on_handshake(const Segment& segment) {
  if (state_ == State::kListen) {
    if (!segment.has(Segment::kSyn) || segment.has(Segment::kAck)) return;
    config_.remote = segment.src;
    negotiate(segment);
    state_ = State::kSynReceived;
    send_syn();
    return rearm();
  }
  const bool for_us = segment.has(Segment::kAck) && segment.ack == config_.initial_sequence + 1;
  if (segment.has(Segment::kRst)) {
    ++counters_.resets;
    if (for_us) end(State::kReset);
    return;
  }
  if (!for_us || !segment.has(Segment::kSyn)) return;
  negotiate(segment);
  state_ = State::kOpen;
  send_.established();
  send_.on_ack(1, 1 + segment.window, false);
  syn_tries_ = 0;
  retransmit_timer_->stop();
  pump();
  if (last_ack_sent_ == 0) send_ack();
  rearm();
  if (on_change_) on_change_();
}

// RFC 5961: a reset counts only exactly at RCV.NXT; a SYN draws a challenge ACK.
bool Tcp::handle_reset_and_syn(const Segment& segment) {
  if (segment.has(Segment::kRst)) {
    ++counters_.resets;
    if (peer_offset(segment.seq) == receive_.next()) {
      end(State::kReset);
    } else {
      ++counters_.challenge_acks;
      ack_now_ = true;
    }
    return false;
  }
  if (segment.has(Segment::kSyn)) {
    if (state_ == State::kSynReceived) {
      send_syn();
    } else {
      ++counters_.late_syns;
      ack_now_ = true;
    }
    return false;
  }
  return segment.has(Segment::kAck);
}

// RFC 7323 5.3: PAWS.
bool Tcp::acceptable(const Segment& segment) {
  if (!timestamps_) return true;
  if (!segment.timestamps) {
    ++counters_.missing_timestamps;
    return false;
  }
  if (before(segment.timestamps->value, ts_recent_)) {
    ++counters_.paws_drops;
    ack_now_ = true;
    return false;
  }
  if (peer_offset(segment.seq) <= last_ack_sent_) ts_recent_ = segment.timestamps->value;
  return true;
}

void Tcp::handle_ack(const Segment& segment) {
  const auto distance = static_cast<std::int32_t>(
      segment.ack - (config_.initial_sequence + static_cast<std::uint32_t>(send_.una())));
  if (state_ == State::kSynReceived) {
    if (segment.ack != config_.initial_sequence + 1) return;
    state_ = State::kOpen;
    send_.established();
    send_.on_ack(1, 1 + (std::uint64_t{segment.window} << peer_scale_), false);
    return;
  }
  if (distance < 0) return;
  const std::uint64_t ack = send_.una() + static_cast<std::uint32_t>(distance);
  for (std::size_t i = 0; i < segment.block_count; ++i) {
    const auto offset = [&](std::uint32_t seq) { return ack + (seq - segment.ack); };
    send_.on_sacked(offset(segment.blocks[i].left), offset(segment.blocks[i].right));
  }
  const bool in_flight = send_.anything_in_flight();
  const auto outcome = send_.on_ack(ack, ack + (std::uint64_t{segment.window} << peer_scale_),
                                    segment.length() == 0);
  if (outcome.unacceptable) {
    ++counters_.unacceptable_acks;
    ack_now_ = true;
    return;
  }
  counters_.duplicate_acks_received += outcome.duplicate && in_flight ? 1 : 0;
  counters_.fast_retransmits += outcome.fast_retransmit ? 1 : 0;
  if (!outcome.advanced) return;
  syn_tries_ = 0;
  probe_backoff_ = 0;
  if (timestamps_ && segment.timestamps->echo != 0) {
    send_.on_rtt(std::chrono::milliseconds(clock_ticks() - segment.timestamps->echo));
  } else if (timed_ && ack >= timed_->first) {
    send_.on_rtt(loop_.now() - timed_->second);
  }
  if (timed_ && ack >= timed_->first) timed_.reset();
  if (send_.anything_in_flight()) rearm();
}

void Tcp::handle_data(const Segment& segment) {
  if (segment.length() == 0) {
    // A probe or keep-alive below the window wants an answer (RFC 9293 3.10.7.4).
    if (peer_offset(segment.seq) < receive_.next()) ack_now_ = true;
    return;
  }
  const auto outcome =
      receive_.accept(peer_offset(segment.seq), segment.payload, segment.has(Segment::kFin));
  counters_.outside_window += outcome.outside ? 1 : 0;
  counters_.contradicting_data += outcome.mismatch ? 1 : 0;
  counters_.out_of_order += outcome.out_of_order ? 1 : 0;
  counters_.holes_filled += outcome.filled_hole ? 1 : 0;
  counters_.duplicate_data += outcome.duplicate ? 1 : 0;
  if (outcome.out_of_order || outcome.duplicate || outcome.outside) ++counters_.duplicate_acks_sent;
  if (reading_) receive_.read(receive_.unread());
  ack_now_ |= !outcome.in_order || outcome.filled_hole || receive_.finished() ||
              config_.delayed_ack == Duration::zero();
  if (outcome.in_order && ++segments_unacked_ >= 2) ack_now_ = true;
}

void Tcp::finish_input() {
  if (state_ == State::kOpen) {
    const bool idle = !send_.anything_in_flight();
    pump();
    if (idle || !send_.anything_in_flight()) rearm();
  }
  if (ack_now_) send_ack();
  if (segments_unacked_ > 0) ack_timer_->start(loop_.now() + config_.delayed_ack);
  if (state_ == State::kOpen && receive_.finished() && send_.fin_acknowledged()) {
    end(State::kDone);
  } else if (on_change_) {
    on_change_();
  }
}

}  // namespace migd::sim
