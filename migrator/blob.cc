#include "migrator/blob.h"

#include <algorithm>

#include "base/limits.h"
#include "base/reader.h"
#include "base/writer.h"
#include "stack/snapshot_rules.h"

namespace migd {
namespace {

constexpr std::uint8_t kMandatory = 0x80;
constexpr std::size_t kNameMax = 255;
constexpr std::size_t kOutOfOrderMax = 65536;  // ranges; their bytes are bounded by the window

enum class Section : std::uint8_t {
  kIdentity = 1,  // who it is and what it belongs to
  kTuple = 2,
  kTcp = 3,       // the fixed-size protocol state
  kSendData = 4,  // in flight, then unsent
  kUnread = 5,    // acknowledged, not consumed
  kOutOfOrder = 6,
  kSackBlocks = 7,
  kApplication = 8,  // the application's own state
  kHistory = 9,      // optional
  kForwarded = 10,   // empty unless no application has the connection
  kSuspended = 11,   // states of applications that have left
  kRecovery = 12,    // optional: of loss recovery and congestion control
  kSent = 13,        // optional: what is known of what is in flight
  kPath = 14,        // optional: what is known of the way to the peer
  kProgress = 15,    // optional: for how long there was none
};

// Each group of fields is described once, as a function over an Io that either writes or reads.
class WriteIo {
 public:
  explicit WriteIo(ByteWriter& out) : out_(out) {}
  void u8(const std::uint8_t& v) { out_.u8(v); }
  void u16(const std::uint16_t& v) { out_.u16(v); }
  void u32(const std::uint32_t& v) { out_.u32(v); }
  void u64(const std::uint64_t& v) { out_.u64(v); }
  void seq(const SeqNum& v) { out_.u32(v.value()); }
  void flag(const bool& v) { out_.u8(v ? 1 : 0); }
  void duration(const Duration& v) {
    out_.u64(static_cast<std::uint64_t>(std::max(v, Duration::zero()).count()));
  }
  // 32 bits of microseconds, and what is longer as that.
  void microseconds(const Duration& v) {
    out_.u32(static_cast<std::uint32_t>(
        std::clamp<std::int64_t>(to_microseconds(v), 0, ~std::uint32_t{0})));
  }
  void optional_microseconds(const std::optional<Duration>& v) {
    flag(v.has_value());
    microseconds(v.value_or(Duration::zero()));
  }
  void node(const NodeId& v) { out_.u16(v.value); }
  void epoch(const Epoch& v) { out_.u32(v.value); }
  void text(const std::string& v) {
    MIGD_CHECK(v.size() <= kNameMax);
    out_.u8(static_cast<std::uint8_t>(v.size()));
    out_.bytes(as_bytes(v));
  }
  void connection(const ConnectionId& v) { v.write(out_); }
  void state(const TcpState& v) { out_.u8(static_cast<std::uint8_t>(v)); }
  void algorithm(const CongestionAlgorithm& v) { out_.u8(static_cast<std::uint8_t>(v)); }
  void mode(const MigrationMode& v) { out_.u8(static_cast<std::uint8_t>(v)); }
  void optional_seq(const std::optional<SeqNum>& v) {
    flag(v.has_value());
    seq(v.value_or(SeqNum()));
  }
  void optional_u32(const std::optional<std::uint32_t>& v) {
    flag(v.has_value());
    u32(v.value_or(0));
  }

 private:
  ByteWriter& out_;
};

class ReadIo {
 public:
  explicit ReadIo(BoundedReader& in) : in_(in) {}
  void u8(std::uint8_t& v) { v = in_.u8(); }
  void u16(std::uint16_t& v) { v = in_.u16(); }
  void u32(std::uint32_t& v) { v = in_.u32(); }
  void u64(std::uint64_t& v) { v = in_.u64(); }
  void seq(SeqNum& v) { v = SeqNum(in_.u32()); }
  void flag(bool& v) {
    const std::uint8_t raw = in_.u8();
    sane_ = sane_ && raw <= 1;
    v = raw == 1;
  }
  void duration(Duration& v) {
    const std::uint64_t raw = in_.u64();
    sane_ = sane_ && raw <= kDurationMax;
    v = Duration(static_cast<Duration::rep>(std::min(raw, kDurationMax)));
  }
  void microseconds(Duration& v) { v = std::chrono::microseconds(in_.u32()); }
  void optional_microseconds(std::optional<Duration>& v) {
    bool set = false;
    Duration value{};
    flag(set);
    microseconds(value);
    if (set) v = value;
  }
  void node(NodeId& v) { v.value = in_.u16(); }
  void epoch(Epoch& v) { v.value = in_.u32(); }
  void text(std::string& v) { v = as_text(in_.bytes(in_.u8())); }
  void connection(ConnectionId& v) { v = ConnectionId::read(in_); }
  void state(TcpState& v) {
    const std::uint8_t raw = in_.u8();
    sane_ = sane_ && raw <= static_cast<std::uint8_t>(TcpState::kTimeWait);
    v = sane_ ? static_cast<TcpState>(raw) : TcpState::kEstablished;
  }
  void algorithm(CongestionAlgorithm& v) {
    const std::uint8_t raw = in_.u8();
    sane_ = sane_ && raw <= static_cast<std::uint8_t>(CongestionAlgorithm::kCubic);
    v = sane_ ? static_cast<CongestionAlgorithm>(raw) : CongestionAlgorithm::kCubic;
  }
  void mode(MigrationMode& v) {
    const std::uint8_t raw = in_.u8();
    sane_ = sane_ && raw <= static_cast<std::uint8_t>(MigrationMode::kHold);
    v = sane_ ? static_cast<MigrationMode>(raw) : MigrationMode::kNow;
  }
  void optional_seq(std::optional<SeqNum>& v) {
    bool set = false;
    SeqNum value;
    flag(set);
    seq(value);
    if (set) v = value;
  }
  void optional_u32(std::optional<std::uint32_t>& v) {
    bool set = false;
    std::uint32_t value = 0;
    flag(set);
    u32(value);
    if (set) v = value;
  }
  bool sane() const { return sane_; }

 private:
  // A year: beyond every timer, far from overflow when added to an Instant.
  static constexpr std::uint64_t kDurationMax = std::uint64_t{366} * 24 * 3600 * 1'000'000'000;
  BoundedReader& in_;
  bool sane_ = true;
};

template <typename Io, typename Blob>
void io_identity(Io& io, Blob& b) {
  io.connection(b.tenure.connection);
  io.epoch(b.tenure.epoch);
  io.node(b.source);
  io.text(b.service);
  io.text(b.application);
}

template <typename Io, typename Tcp>
void io_tcp(Io& io, Tcp& t) {
  io.state(t.state);
  io.seq(t.send_unacknowledged);
  io.seq(t.send_next);
  io.u32(t.send_window);
  io.u32(t.send_window_max);
  io.seq(t.send_wl1);
  io.seq(t.send_wl2);
  io.u8(t.send_scale);
  io.u32(t.send_in_flight);
  io.optional_seq(t.fin_sequence);
  io.u32(t.send_buffer_limit);
  io.seq(t.receive_next);
  io.seq(t.announced_right_edge);
  io.u8(t.receive_scale);
  io.u32(t.receive_window_limit);
  io.flag(t.peer_fin_received);
  io.flag(t.ack_pending);
  io.u16(t.mss);
  io.u16(t.announced_mss);
  io.flag(t.window_scaling);
  io.flag(t.timestamps);
  io.flag(t.sack);
  io.u32(t.ts_recent);
  io.seq(t.ts_last_ack_sent);
  io.duration(t.ts_recent_age);
  io.u32(t.ts_clock);
  io.duration(t.ts_clock_part);
  io.flag(t.rtt_known);
  io.duration(t.srtt);
  io.duration(t.rttvar);
  io.duration(t.rto);
  io.duration(t.timer_waited);
  io.u8(t.retransmissions);
  io.u8(t.duplicate_acks);
  io.u32(t.cwnd);
  io.u32(t.ssthresh);
  io.u32(t.cwnd_bytes_acked);
  io.flag(t.in_fast_recovery);
  io.flag(t.in_rto_recovery);
  io.seq(t.recovery_end);
  io.u8(t.persist_backoff);
  io.u8(t.persist_probes);
  io.flag(t.keepalive);
  io.duration(t.keepalive_idle);
  io.duration(t.keepalive_interval);
  io.u32(t.keepalive_count);
  io.u8(t.keepalive_probes_sent);
  io.duration(t.idle);
  io.duration(t.time_in_state);
  io.flag(t.no_delay);
  io.flag(t.read_closed);
  io.flag(t.write_closed);
  io.u8(t.traffic_class);
  io.u8(t.hop_limit);
  io.u64(t.bytes_in);
  io.u64(t.bytes_out);
  io.duration(t.age);
  io.u32(t.retransmitted_segments);
}

template <typename Io, typename Tcp>
void io_path(Io& io, Tcp& t) {
  io.u16(t.path_mtu);
  io.duration(t.path_mtu_age);
}

template <typename Io, typename Tcp>
void io_progress(Io& io, Tcp& t) {
  io.duration(t.unacknowledged_for);
}

template <typename Io, typename State>
void io_recovery(Io& io, State& r) {
  io.flag(r.rack_known);
  io.duration(r.rack_sent_ago);
  io.seq(r.rack_end);
  io.duration(r.rack_rtt);
  io.seq(r.rack_highest);
  io.flag(r.reordering_seen);
  io.u8(r.reordering_multiplier);
  io.u8(r.reordering_persist);
  io.optional_seq(r.reordering_round);
  io.duration(r.min_rtt);
  io.duration(r.min_rtt_previous);
  io.duration(r.min_rtt_age);
  io.u32(r.prr_delivered);
  io.u32(r.prr_sent);
  io.u32(r.prr_flight);
  io.optional_seq(r.probe_end);
  io.flag(r.probe_repeated);
  io.u8(r.frto_step);
  io.flag(r.undo_possible);
  io.seq(r.undo_proven);
  io.seq(r.undo_end);
  io.u32(r.undo_unproven);
  io.u32(r.undo_cwnd);
  io.u32(r.undo_ssthresh);
  io.optional_u32(r.undo_timestamp);
  io.seq(r.limited_until);
  io.duration(r.send_idle);
}

template <typename Io, typename State>
void io_congestion(Io& io, State& c) {
  io.algorithm(c.algorithm);
  io.flag(c.epoch_known);
  io.duration(c.epoch_ago);
  io.flag(c.after_time_out);
  io.u32(c.epoch_cwnd);
  io.u32(c.cwnd_max);
  io.u32(c.cwnd_prior);
  io.u32(c.cwnd_reno);
  io.u32(c.undo_cwnd_max);
  io.u8(c.slow_start_rounds);
  io.optional_seq(c.round_end);
  io.duration(c.round_rtt);
  io.duration(c.round_rtt_last);
  io.duration(c.slow_start_rtt);
  io.u8(c.round_samples);
}

// A range's marks are the bits of one octet.
constexpr std::uint8_t kSacked = 1, kLost = 2, kResent = 4, kRetransmitted = 8;

void write_sent(ByteWriter& out, const std::vector<SentRange>& ranges) {
  for (const SentRange& range : ranges) {
    out.u32(range.length);
    out.u8(static_cast<std::uint8_t>((range.sacked ? kSacked : 0) | (range.lost ? kLost : 0) |
                                     (range.resent ? kResent : 0) |
                                     (range.retransmitted ? kRetransmitted : 0)));
    WriteIo(out).duration(range.sent_ago);
  }
}

bool read_sent(BoundedReader& in, std::vector<SentRange>& ranges) {
  ReadIo io(in);
  while (in.remaining() > 0) {
    if (ranges.size() == kSentRangesMax) return false;
    SentRange range;
    range.length = in.u32();
    const std::uint8_t marks = in.u8();
    io.duration(range.sent_ago);
    if (!in.ok() || !io.sane() || marks >= 2 * kRetransmitted) return false;
    range.sacked = (marks & kSacked) != 0;
    range.lost = (marks & kLost) != 0;
    range.resent = (marks & kResent) != 0;
    range.retransmitted = (marks & kRetransmitted) != 0;
    ranges.push_back(range);
  }
  return true;
}

template <typename Io, typename Move>
void io_past_move(Io& io, Move& m) {
  io.node(m.from);
  io.node(m.to);
  io.node(m.forwarder);
  io.epoch(m.epoch);
  io.text(m.asked_by);
  io.mode(m.mode);
  io.flag(m.at_once);
  io.u32(m.blob_bytes);
  io.microseconds(m.prepared);
  io.microseconds(m.at_source);
  io.microseconds(m.crossing);
  io.microseconds(m.at_target);
  io.duration(m.age);
  io.optional_microseconds(m.first_out);
  io.optional_microseconds(m.first_in);
}

template <typename Io, typename F>
void io_forwarded(Io& io, F& f) {
  io.u8(f.times);
  io.flag(f.kept);
  io.connection(f.endpoint.connection);
  io.seq(f.endpoint.send_next);
  io.seq(f.endpoint.receive_next);
}

template <typename Body>
void write_section(ByteWriter& out, Section type, bool mandatory, Body body) {
  out.u8(static_cast<std::uint8_t>(type));
  out.u8(mandatory ? kMandatory : 0);
  const std::size_t length_at = out.reserve(4);
  const std::size_t start = out.size();
  body();
  out.set_u32(length_at, static_cast<std::uint32_t>(out.size() - start));
}

auto refuse(const char* rule) {
  return fail(ErrorCode::kProtocol, std::string("blob: ") + rule);
}

bool read_out_of_order(BoundedReader& in, std::vector<TcpSnapshot::OutOfOrder>& ranges) {
  while (in.remaining() > 0) {
    if (ranges.size() == kOutOfOrderMax) return false;
    TcpSnapshot::OutOfOrder range;
    range.first = SeqNum(in.u32());
    const std::uint8_t fin = in.u8();
    const ByteView data = in.bytes(in.u32());
    if (!in.ok() || fin > 1) return false;
    range.fin = fin == 1;
    range.data = to_bytes(data);
    ranges.push_back(std::move(range));
  }
  return true;
}

bool read_sack_blocks(BoundedReader& in, std::vector<TcpSnapshot::SackBlock>& blocks) {
  while (in.remaining() > 0) {
    TcpSnapshot::SackBlock block;
    block.left = SeqNum(in.u32());
    block.right = SeqNum(in.u32());
    if (!in.ok() || blocks.size() == 4) return false;
    blocks.push_back(block);
  }
  return true;
}

bool read_history(BoundedReader& in, MoveHistory& history) {
  ReadIo io(in);
  io.u32(history.older);
  while (in.remaining() > 0) {
    PastMove move;
    io_past_move(io, move);
    if (!in.ok() || !io.sane() || move.asked_by.size() > kAskedByMax ||
        history.moves.size() == kPastMovesMax) {
      return false;
    }
    history.moves.push_back(std::move(move));
  }
  return in.ok();
}

void write_history(ByteWriter& out, const MoveHistory& history) {
  WriteIo io(out);
  io.u32(history.older);
  for (const PastMove& move : history.moves)
    io_past_move(io, move);
}

bool read_forwarded(BoundedReader& in, Forwarded& forwarded) {
  ReadIo io(in);
  io_forwarded(io, forwarded);
  const Result<FourTuple> tuple = read_four_tuple(in);
  if (!tuple || !io.sane()) return false;
  forwarded.endpoint.tuple = *tuple;
  return forwarded.times >= 1 && forwarded.times <= limits::kForwardHopsMax;
}

// In the order in which they left, so that the latest is known.
bool read_suspended(BoundedReader& in, SuspendedStates& suspended) {
  while (in.remaining() > 0) {
    const std::string name(as_text(in.bytes(in.u8())));
    const ByteView state = in.bytes(in.u32());
    if (!in.ok() || name.empty() || suspended.find(name) != nullptr) return false;
    if (!suspended.put(name, to_bytes(state))) return false;
  }
  return true;
}

// Reads the value of one section; false when it breaks the section's form.
bool read_section(Section type, BoundedReader& in, ConnectionBlob& blob) {
  ReadIo io(in);
  switch (type) {
    case Section::kIdentity:
      io_identity(io, blob);
      break;
    case Section::kTuple: {
      Result<FourTuple> tuple = read_four_tuple(in);
      if (!tuple) return false;
      blob.tcp.tuple = *tuple;
      break;
    }
    case Section::kTcp:
      io_tcp(io, blob.tcp);
      break;
    case Section::kSendData:
      if (in.remaining() > limits::kSendBufferMax) return false;
      blob.tcp.send_data = to_bytes(in.bytes(in.remaining()));
      break;
    case Section::kUnread:
      if (in.remaining() > limits::kWindowMax) return false;
      blob.tcp.unread = to_bytes(in.bytes(in.remaining()));
      break;
    case Section::kOutOfOrder:
      if (!read_out_of_order(in, blob.tcp.out_of_order)) return false;
      break;
    case Section::kSackBlocks:
      if (!read_sack_blocks(in, blob.tcp.sack_blocks)) return false;
      break;
    case Section::kApplication:
      if (in.remaining() > limits::kApplicationStateMax) return false;
      blob.application_state = to_bytes(in.bytes(in.remaining()));
      break;
    case Section::kHistory:
      if (!read_history(in, blob.history)) return false;
      break;
    case Section::kForwarded:
      if (in.remaining() > 0 && !read_forwarded(in, blob.forwarded.emplace())) return false;
      break;
    case Section::kRecovery:
      io_recovery(io, blob.tcp.recovery);
      io_congestion(io, blob.tcp.congestion);
      break;
    case Section::kSent:
      if (!read_sent(in, blob.tcp.sent)) return false;
      break;
    case Section::kPath:
      io_path(io, blob.tcp);
      break;
    case Section::kProgress:
      io_progress(io, blob.tcp);
      break;
    case Section::kSuspended:
      if (!read_suspended(in, blob.suspended)) return false;
      break;
  }
  return in.finished() && io.sane();
}

constexpr std::uint32_t bit(Section type) {
  return std::uint32_t{1} << static_cast<unsigned>(type);
}
constexpr std::uint32_t kRequired =
    bit(Section::kIdentity) | bit(Section::kTuple) | bit(Section::kTcp) | bit(Section::kSendData) |
    bit(Section::kUnread) | bit(Section::kOutOfOrder) | bit(Section::kSackBlocks) |
    bit(Section::kApplication) | bit(Section::kForwarded) | bit(Section::kSuspended);

void write_suspended(ByteWriter& out, const SuspendedStates& suspended) {
  WriteIo io(out);
  for (const auto& [name, state] : suspended.entries()) {
    io.text(name);
    out.u32(static_cast<std::uint32_t>(state.size()));
    out.bytes(state);
  }
}

}  // namespace

void MoveHistory::add(PastMove move) {
  if (moves.size() == kPastMovesMax) {
    moves.erase(moves.begin());
    ++older;
  }
  if (move.asked_by.size() > kAskedByMax) move.asked_by.resize(kAskedByMax);
  moves.push_back(std::move(move));
}

Bytes encode_history(const MoveHistory& history) {
  Bytes bytes;
  ByteWriter out(bytes);
  write_history(out, history);
  return bytes;
}

Result<MoveHistory> decode_history(ByteView bytes) {
  BoundedReader in(bytes);
  MoveHistory history;
  if (!read_history(in, history)) return fail(ErrorCode::kProtocol, "malformed history");
  return history;
}

Bytes encode_blob(const ConnectionBlob& blob) {
  const TcpSnapshot& tcp = blob.tcp;
  Bytes bytes;
  std::size_t ranges_size = 0;
  for (const auto& range : tcp.out_of_order)
    ranges_size += 9 + range.data.size();
  bytes.reserve(1280 + 13 * tcp.sent.size() + tcp.send_data.size() + tcp.unread.size() +
                ranges_size + blob.application_state.size());
  ByteWriter out(bytes);
  WriteIo io(out);
  out.u32(kBlobMagic);
  out.u16(kBlobVersion);
  out.u16(kBlobCompatibleVersion);
  write_section(out, Section::kIdentity, true, [&] { io_identity(io, blob); });
  write_section(out, Section::kTuple, true, [&] { write_four_tuple(out, tcp.tuple); });
  write_section(out, Section::kTcp, true, [&] { io_tcp(io, tcp); });
  write_section(out, Section::kSendData, true, [&] { out.bytes(tcp.send_data); });
  write_section(out, Section::kUnread, true, [&] { out.bytes(tcp.unread); });
  write_section(out, Section::kOutOfOrder, true, [&] {
    for (const auto& range : tcp.out_of_order) {
      out.u32(range.first.value());
      out.u8(range.fin ? 1 : 0);
      out.u32(static_cast<std::uint32_t>(range.data.size()));
      out.bytes(range.data);
    }
  });
  write_section(out, Section::kSackBlocks, true, [&] {
    for (const auto& block : tcp.sack_blocks) {
      out.u32(block.left.value());
      out.u32(block.right.value());
    }
  });
  write_section(out, Section::kApplication, true, [&] { out.bytes(blob.application_state); });
  write_section(out, Section::kForwarded, true, [&] {
    if (!blob.forwarded) return;
    io_forwarded(io, *blob.forwarded);
    write_four_tuple(out, blob.forwarded->endpoint.tuple);
  });
  write_section(out, Section::kSuspended, true, [&] { write_suspended(out, blob.suspended); });
  write_section(out, Section::kRecovery, false, [&] {
    io_recovery(io, tcp.recovery);
    io_congestion(io, tcp.congestion);
  });
  write_section(out, Section::kSent, false, [&] { write_sent(out, tcp.sent); });
  write_section(out, Section::kPath, false, [&] { io_path(io, tcp); });
  write_section(out, Section::kProgress, false, [&] { io_progress(io, tcp); });
  write_section(out, Section::kHistory, false, [&] { write_history(out, blob.history); });
  return bytes;
}

Result<ConnectionBlob> decode_blob(ByteView bytes) {
  if (bytes.size() > limits::kBlobMax) return refuse("too large");
  BoundedReader in(bytes);
  const std::uint32_t magic = in.u32();
  in.u16();  // the writer's own version tells nothing that the compatible one does not
  const std::uint16_t compatible = in.u16();
  if (!in.ok() || magic != kBlobMagic) return refuse("not a blob");
  if (compatible > kBlobVersion || compatible < kBlobOldestReadable) {
    return refuse("incompatible version");
  }
  ConnectionBlob blob;
  std::uint32_t seen = 0;
  while (in.remaining() > 0) {
    const std::uint8_t type = in.u8();
    const std::uint8_t flags = in.u8();
    const ByteView value = in.bytes(in.u32());
    if (!in.ok()) return refuse("truncated section");
    if (type < static_cast<std::uint8_t>(Section::kIdentity) ||
        type > static_cast<std::uint8_t>(Section::kProgress)) {
      if ((flags & kMandatory) != 0) return refuse("unknown mandatory section");
      continue;
    }
    const auto section = static_cast<Section>(type);
    if ((seen & bit(section)) != 0) return refuse("repeated section");
    seen |= bit(section);
    BoundedReader section_in(value);
    if (!read_section(section, section_in, blob)) {
      return refuse(("malformed section " + std::to_string(type)).c_str());
    }
  }
  if ((seen & kRequired) != kRequired) return refuse("missing section");
  return blob;
}

}  // namespace migd
