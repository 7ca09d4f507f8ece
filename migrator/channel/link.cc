#include "migrator/channel/link.h"

#include <algorithm>

#include "base/check.h"

namespace migd::channel {
namespace {

constexpr std::size_t kSessionsMax = 4;
constexpr int kProbesAtOnce = 2;
constexpr int kBlackoutProbes = 3;

}  // namespace

LinkCounters::LinkCounters(Metrics& metrics)
    : datagrams_sent(metrics.counter("migd_channel_datagrams_sent_total")),
      bytes_sent(metrics.counter("migd_channel_bytes_sent_total")),
      datagrams_received(metrics.counter("migd_channel_datagrams_received_total")),
      bytes_received(metrics.counter("migd_channel_bytes_received_total")),
      packets_lost(metrics.counter("migd_channel_packets_lost_total")),
      probes(metrics.counter("migd_channel_probes_total")) {}

Link::Link(const Options& options, const Tuning& tuning, LinkCounters& counters,
           std::shared_ptr<Session> session, Instant now)
    : options_(options),
      tuning_(tuning),
      counters_(counters),
      heard_at_(now),
      outbox_(options.outbox_max),
      round_trip_(tuning.initial_round_trip),
      congestion_(tuning.congestion),
      heartbeat_due_(now),
      touched_(now) {
  sessions_.push_back({std::move(session)});
}

// ---- sessions ----

void Link::add_session(std::shared_ptr<Session> session, Instant now) {
  sessions_.front().until = now + tuning_.old_session_lifetime;
  sessions_.push_front({std::move(session)});
  if (sessions_.size() > kSessionsMax) sessions_.pop_back();
  newest_confirmed_ = false;
}

std::shared_ptr<Session> Link::find_session(std::uint32_t id, Instant now) const {
  for (const Held& held : sessions_) {
    if (held.session->id == id && now < held.until) return held.session;
  }
  return nullptr;
}

// The peer may not have the newest yet. What it has confirmed, it has.
const std::shared_ptr<Session>& Link::sending_session(Instant now) const {
  const bool use_older = !newest_confirmed_ && sessions_.size() > 1 && now < sessions_[1].until;
  return sessions_[use_older ? 1 : 0].session;
}

// ---- input ----

void Link::on_packet(std::uint64_t packet, bool ack_eliciting, Instant now) {
  touched_ = now;
  const bool in_order = received_.empty() || packet == received_.largest() + 1;
  received_.add(packet);
  if (received_.largest() == packet) largest_received_at_ = now;
  if (!ack_eliciting) return;
  ++unacked_;
  const bool at_once = !in_order || unacked_ >= tuning_.ack_every;
  ack_due_ = std::min(ack_due_, at_once ? now : now + tuning_.ack_delay_max);
}

void Link::on_round_trip(Duration sample) {
  round_trip_.sample(sample, Duration::zero());
  congestion_.set_round_trip(round_trip_.smoothed());
}

bool Link::on_ack(const AckFrame& ack, Instant now) {
  touched_ = now;
  packets_.clear();
  if (!sent_.on_ack(ack, now, packets_, round_trip_)) return false;
  if (packets_.empty()) return true;
  dirty_ = true;
  probes_in_row_ = probes_due_ = 0;
  congestion_.set_round_trip(round_trip_.smoothed());
  for (const SentPacket& packet : packets_) {
    congestion_.on_acked(packet.bytes, packet.sent);
    packet.for_each([&](const FragmentRef& ref) { outbox_.on_acked(ref, now); });
  }
  on_lost(now);
  return true;
}

void Link::on_lost(Instant now) {
  packets_.clear();
  sent_.detect_lost(now, round_trip_, packets_);
  for (const SentPacket& packet : packets_) {
    counters_.packets_lost.add();
    congestion_.on_lost(packet.bytes, packet.sent, now);
    packet.for_each([&](const FragmentRef& ref) { outbox_.on_lost(ref); });
  }
}

// ---- output ----

void Link::queue_heartbeat(Bytes payload, Instant now) {
  last_heartbeat_ = payload;
  heartbeat_ = std::move(payload);
  dirty_ = true;
  heartbeat_due_ = now + options_.heartbeat;
}

bool Link::anything_to_say(Instant now) const {
  return heartbeat_ || close_queued_ || (unacked_ > 0 && ack_due_ <= now);
}

bool Link::may_send_fragment(Instant now) {
  send_at_ = kNever;
  if (outbox_.front() == nullptr) return false;
  if (probes_due_ > 0) return true;
  if (!congestion_.window_open(options_.datagram_max)) return false;
  const Instant at = congestion_.paced_until(options_.datagram_max, now);
  if (at <= now) return true;
  send_at_ = at;
  return false;
}

void Link::transmit(Train& train, Instant now) {
  touched_ = now;
  dirty_ = false;
  while (may_send_fragment(now))
    build(train, true, now);
  if (anything_to_say(now)) build(train, false, now);
  train.flush();
}

// One datagram: fragments, then what else is due, as far as there is room.
void Link::build(Train& train, bool with_fragments, Instant now) {
  Session& session = *sending_session(now);
  Bytes& bytes = train.buffer();
  ByteWriter out(bytes);
  const std::size_t begin = bytes.size();
  write(out, DataHeader{kChannelVersion, options_.self, session.id, sent_.next_number(), 0});
  SentPacket packet;
  packet.sent = now;
  std::size_t left = room();
  if (with_fragments) left -= write_fragments(out, left, packet);
  packet.in_flight = packet.first.message != nullptr;
  if (heartbeat_ && left >= 2 + heartbeat_->size()) {
    write(out, HeartbeatFrame{*heartbeat_});
    left -= 2 + heartbeat_->size();
    heartbeat_.reset();
    packet.in_flight = true;
  }
  left -= write_ack(out, left, now);
  if (close_queued_ && left >= 2) {
    write(out, CloseFrame{});
    close_queued_ = false;
  }
  const std::size_t text_at = begin + kDataHeaderSize;
  const std::size_t text_size = bytes.size() - text_at;
  out.set_u16(text_at - 2, static_cast<std::uint16_t>(text_size + kTagSize));
  const Tag tag = session.datagram_send.seal(make_nonce(sent_.next_number(), 0),
                                             ByteView(bytes).subspan(begin, kDataHeaderSize),
                                             MutableBytes(bytes).subspan(text_at, text_size));
  out.bytes(tag);
  append_bodies(bytes, packet);
  packet.bytes = bytes.size() - begin;
  MIGD_CHECK(packet.bytes <= options_.datagram_max);
  ++session.sealed_packets;
  session.sealed_bytes += packet.bytes;
  counters_.datagrams_sent.add();
  counters_.bytes_sent.add(packet.bytes);
  if (packet.in_flight) {
    congestion_.on_sent(packet.bytes, now);
    probes_due_ = std::max(0, probes_due_ - 1);
  }
  sent_.add(std::move(packet));
  train.end_datagram();
}

std::size_t Link::write_fragments(ByteWriter& out, std::size_t room, SentPacket& packet) {
  std::size_t used = 0;
  while (FragmentRef* next = outbox_.front()) {
    OutFragment& fragment = next->fragment();
    const std::size_t need = next->message->frame_of(fragment).wire_size() + fragment.size;
    if (used + need > room) break;
    used += need;
    next->message->seal(fragment, scratch_);
    write(out, next->message->frame_of(fragment));
    fragment.state = OutFragment::State::kSent;
    if (packet.first.message) {
      packet.more.push_back(*next);
    } else {
      packet.first = *next;
    }
    outbox_.pop();
  }
  MIGD_CHECK(used > 0);  // the front one always fits: it was cut for this datagram size
  return used;
}

std::size_t Link::write_ack(ByteWriter& out, std::size_t room, Instant now) {
  if (unacked_ == 0) return 0;
  AckFrame ack{now - largest_received_at_, received_.runs(kAckRunsMax)};
  const std::size_t empty_size = wire_size({}) + 4;
  if (room < empty_size) return 0;
  const std::size_t runs_max = 1 + (room - empty_size) / 4;
  if (ack.runs.size() > runs_max) ack.runs.resize(runs_max);
  write(out, ack);
  unacked_ = 0;
  ack_due_ = kNever;
  return wire_size(ack);
}

void Link::append_bodies(Bytes& out, const SentPacket& packet) {
  packet.for_each(
      [&](const FragmentRef& ref) { append(out, ref.message->sealed_bytes(ref.fragment())); });
}

// ---- time ----

Instant Link::probe_deadline() const {
  if (sent_.in_flight() == 0) return kNever;
  const Duration once =
      round_trip_.probe_timeout(tuning_.ack_delay_max, tuning_.probe_timeout_floor);
  return sent_.last_sent() +
         std::min(once * (1 << std::min(probes_in_row_, 10)), tuning_.probe_timeout_max);
}

Instant Link::next_deadline() const {
  if (dirty_) return touched_;
  return std::min({unacked_ > 0 ? ack_due_ : kNever, sent_.loss_deadline(), probe_deadline(),
                   send_at_, heartbeat_due_, dead_at()});
}

void Link::on_deadline(Instant now) {
  touched_ = now;
  while (sessions_.size() > 1 && sessions_.back().until <= now)
    sessions_.pop_back();
  if (sent_.loss_deadline() <= now) on_lost(now);
  if (probe_deadline() <= now) probe();
  dirty_ = true;
}

// Nothing came back for too long: the oldest is sent again, whatever the window says.
void Link::probe() {
  counters_.probes.add();
  if (++probes_in_row_ >= kBlackoutProbes) congestion_.on_blackout();
  probes_due_ = kProbesAtOnce;
  std::vector<FragmentRef> fragments;
  sent_.oldest(kProbesAtOnce, fragments);
  for (const FragmentRef& ref : fragments)
    outbox_.on_lost(ref);
  if (outbox_.front() == nullptr && !heartbeat_) heartbeat_ = last_heartbeat_;
}

}  // namespace migd::channel
