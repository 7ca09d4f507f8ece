#include "migrator/wire.h"

#include <algorithm>

#include "base/reader.h"
#include "base/writer.h"

namespace migd::wire {
namespace {

constexpr std::uint64_t kUnset = ~std::uint64_t{0};
constexpr std::uint8_t kGrantedFlag = 1, kForwardedFlag = 2;
constexpr std::uint64_t kDurationMax = std::uint64_t{366} * 24 * 3600 * 1'000'000'000;

void write(ByteWriter& out, const Tenure& t) {
  t.connection.write(out);
  out.u32(t.epoch.value);
}
void write(ByteWriter& out, NodeId node) {
  out.u16(node.value);
}
void write(ByteWriter& out, FlowId flow) {
  out.u32(flow.value);
}
void write(ByteWriter& out, Duration d) {
  out.u64(static_cast<std::uint64_t>(std::max(d, Duration::zero()).count()));
}
void write_text(ByteWriter& out, std::string_view text) {
  const std::string_view cut = text.substr(0, 255);
  out.u8(static_cast<std::uint8_t>(cut.size()));
  out.bytes(as_bytes(cut));
}

void read(BoundedReader& in, Tenure& t) {
  t.connection = ConnectionId::read(in);
  t.epoch.value = in.u32();
}
void read(BoundedReader& in, NodeId& node) {
  node.value = in.u16();
}
void read(BoundedReader& in, FlowId& flow) {
  flow.value = in.u32();
}
void read(BoundedReader& in, Duration& d) {
  d = Duration(static_cast<Duration::rep>(std::min(in.u64(), kDurationMax)));
}
void read_text(BoundedReader& in, std::string& text) {
  text = as_text(in.bytes(in.u8()));
}
bool read_flag(BoundedReader& in, bool& flag) {
  const std::uint8_t raw = in.u8();
  flag = raw == 1;
  return raw <= 1;
}
bool read(BoundedReader& in, FourTuple& tuple) {
  Result<FourTuple> result = read_four_tuple(in);
  if (result) tuple = *result;
  return result.has_value();
}

struct Writer {
  ByteWriter& out;

  void operator()(const State& m) const {
    write(out, m.tenure);
    write(out, m.source);
    write(out, m.target);
    write(out, m.forwarder);
    write(out, m.flow);
    write(out, m.own_flow);
    out.u8(static_cast<std::uint8_t>((m.granted ? kGrantedFlag : 0) |
                                     (m.forwarded ? kForwardedFlag : 0)));
    write_four_tuple(out, m.tuple);
  }
  void operator()(const Ready& m) const { write(out, m.tenure); }
  void operator()(const Refuse& m) const {
    write(out, m.tenure);
    write_text(out, m.reason);
  }
  void operator()(const Grant& m) const {
    write(out, m.tenure);
    write(out, m.held);
  }
  void operator()(const Active& m) const {
    write(out, m.tenure);
    write(out, m.silent);
  }
  void operator()(const Abort& m) const {
    write(out, m.tenure);
    write_text(out, m.reason);
  }
  void operator()(const Barrier& m) const {
    write(out, m.tenure);
    write(out, m.forwarder);
    out.u64(m.boot.value);
    out.u8(m.quiet ? 1 : 0);
  }
  void operator()(const Map& m) const {
    write(out, m.tenure);
    write(out, m.owner);
    write(out, m.flow);
    out.u8(m.half_open ? 1 : 0);
    write_four_tuple(out, m.tuple);
  }
  void operator()(const Unmap& m) const {
    write(out, m.tenure);
    write_four_tuple(out, m.tuple);
  }
  void operator()(const LeaseRequest&) const {}
  void operator()(const Lease& m) const {
    out.u32(m.first);
    out.u32(m.count);
    out.bytes(m.key);
  }
  void operator()(const Locate& m) const {
    out.u64(m.query);
    write_text(out, m.prefix);
  }
  void operator()(const Located& m) const {
    const std::size_t n = std::min(m.matches.size(), Located::kMatchesMax);
    out.u64(m.query);
    out.u8(static_cast<std::uint8_t>(n));
    for (std::size_t i = 0; i < n; ++i) {
      write(out, m.matches[i].tenure);
      out.u8(m.matches[i].here ? 1 : 0);
      write(out, m.matches[i].next_owner);
    }
  }
  void operator()(const Order& m) const {
    out.u64(m.request);
    m.connection.write(out);
    write(out, m.target);
    write(out, m.terms.timeout);
    out.u8(static_cast<std::uint8_t>(m.terms.mode));
    out.u8(m.terms.unbound ? 1 : 0);
    write_text(out, m.terms.application);
  }
  void operator()(const OrderResult& m) const {
    const MigrationFinished& f = m.finished;
    out.u64(f.request);
    out.u8(static_cast<std::uint8_t>(f.outcome));
    write(out, f.tenure);
    write(out, f.source);
    write(out, f.target);
    out.u32(f.blob_bytes);
    for (const auto& at : f.stage_at) {
      out.u64(at ? static_cast<std::uint64_t>(at->count()) : kUnset);
    }
    write_text(out, f.reason);
  }
  void operator()(const Prepare& m) const {
    write(out, m.tenure);
    write_four_tuple(out, m.tuple);
    out.u8(m.kept ? 1 : 0);
    write_text(out, m.application);
  }
  void operator()(const Promise& m) const {
    write(out, m.tenure);
    write_text(out, m.reason);
  }
  void operator()(const Trace& m) const {
    out.u64(m.query);
    m.connection.write(out);
  }
  void operator()(const Traced& m) const {
    out.u64(m.query);
    out.u8(m.found ? 1 : 0);
    write(out, m.tenure);
    write_four_tuple(out, m.tuple);
  }
  void operator()(const Moved& m) const {
    write(out, m.tenure);
    write(out, m.owner);
    write(out, m.instead_of);
    write_four_tuple(out, m.tuple);
  }
};

bool read(BoundedReader& in, State& m) {
  read(in, m.tenure);
  read(in, m.source);
  read(in, m.target);
  read(in, m.forwarder);
  read(in, m.flow);
  read(in, m.own_flow);
  const std::uint8_t flags = in.u8();
  if ((flags & ~(kGrantedFlag | kForwardedFlag)) != 0) return false;
  m.granted = (flags & kGrantedFlag) != 0;
  m.forwarded = (flags & kForwardedFlag) != 0;
  return read(in, m.tuple);
}
bool read(BoundedReader& in, Ready& m) {
  return read(in, m.tenure), true;
}
bool read(BoundedReader& in, Grant& m) {
  read(in, m.tenure);
  read(in, m.held);
  return true;
}
bool read(BoundedReader& in, Refuse& m) {
  read(in, m.tenure);
  read_text(in, m.reason);
  return true;
}
bool read(BoundedReader& in, Active& m) {
  read(in, m.tenure);
  read(in, m.silent);
  return true;
}
bool read(BoundedReader& in, Abort& m) {
  read(in, m.tenure);
  read_text(in, m.reason);
  return true;
}
bool read(BoundedReader& in, Barrier& m) {
  read(in, m.tenure);
  read(in, m.forwarder);
  m.boot.value = in.u64();
  return read_flag(in, m.quiet);
}
bool read(BoundedReader& in, Map& m) {
  read(in, m.tenure);
  read(in, m.owner);
  read(in, m.flow);
  return read_flag(in, m.half_open) && read(in, m.tuple);
}
bool read(BoundedReader& in, Unmap& m) {
  read(in, m.tenure);
  return read(in, m.tuple);
}
bool read(BoundedReader&, LeaseRequest&) {
  return true;
}
bool read(BoundedReader& in, Lease& m) {
  m.first = in.u32();
  m.count = in.u32();
  const ByteView key = in.bytes(m.key.size());
  std::copy(key.begin(), key.end(), m.key.begin());
  return true;
}
bool read(BoundedReader& in, Locate& m) {
  m.query = in.u64();
  read_text(in, m.prefix);
  return true;
}
bool read(BoundedReader& in, Located& m) {
  m.query = in.u64();
  const std::size_t n = in.u8();
  if (n > Located::kMatchesMax) return false;
  for (std::size_t i = 0; i < n; ++i) {
    Located::Match match;
    read(in, match.tenure);
    match.here = in.u8() == 1;
    read(in, match.next_owner);
    m.matches.push_back(match);
  }
  return true;
}
bool read(BoundedReader& in, Order& m) {
  m.request = in.u64();
  m.connection = ConnectionId::read(in);
  read(in, m.target);
  read(in, m.terms.timeout);
  const std::uint8_t mode = in.u8();
  if (mode > static_cast<std::uint8_t>(MigrationMode::kHold)) return false;
  m.terms.mode = static_cast<MigrationMode>(mode);
  if (!read_flag(in, m.terms.unbound)) return false;
  read_text(in, m.terms.application);
  return true;
}
bool read(BoundedReader& in, OrderResult& m) {
  MigrationFinished& f = m.finished;
  f.request = in.u64();
  const std::uint8_t outcome = in.u8();
  if (outcome > static_cast<std::uint8_t>(MigrationOutcome::kAborted)) return false;
  f.outcome = static_cast<MigrationOutcome>(outcome);
  read(in, f.tenure);
  read(in, f.source);
  read(in, f.target);
  f.blob_bytes = in.u32();
  for (auto& at : f.stage_at) {
    const std::uint64_t raw = in.u64();
    if (raw != kUnset) at = Duration(static_cast<Duration::rep>(std::min(raw, kDurationMax)));
  }
  read_text(in, f.reason);
  return true;
}
bool read(BoundedReader& in, Prepare& m) {
  read(in, m.tenure);
  if (!read(in, m.tuple) || !read_flag(in, m.kept)) return false;
  read_text(in, m.application);
  return true;
}
bool read(BoundedReader& in, Promise& m) {
  read(in, m.tenure);
  read_text(in, m.reason);
  return true;
}

bool read(BoundedReader& in, Trace& m) {
  m.query = in.u64();
  m.connection = ConnectionId::read(in);
  return true;
}
bool read(BoundedReader& in, Traced& m) {
  m.query = in.u64();
  const std::uint8_t found = in.u8();
  m.found = found == 1;
  read(in, m.tenure);
  return read(in, m.tuple) && found <= 1;
}
bool read(BoundedReader& in, Moved& m) {
  read(in, m.tenure);
  read(in, m.owner);
  read(in, m.instead_of);
  return read(in, m.tuple);
}

template <typename M>
Result<Message> parse_as(ByteView head) {
  BoundedReader in(head);
  M message;
  if (!read(in, message) || !in.finished()) {
    return fail(ErrorCode::kProtocol, "malformed migration message");
  }
  return Message(std::move(message));
}

template <std::size_t... I>
Result<Message> parse_indexed(std::size_t index, ByteView head, std::index_sequence<I...>) {
  using Parser = Result<Message> (*)(ByteView);
  static constexpr Parser kParsers[] = {&parse_as<std::variant_alternative_t<I, Message>>...};
  return kParsers[index](head);
}

}  // namespace

// The alternatives of Message stand in the order of Kind.
Kind kind_of(const Message& message) {
  return static_cast<Kind>(message.index() + 1);
}
static_assert(std::variant_size_v<Message> == static_cast<std::size_t>(Kind::kMoved));

Bytes serialize(const Message& message) {
  Bytes head;
  head.reserve(128);  // most fit
  ByteWriter out(head);
  std::visit(Writer{out}, message);
  return head;
}

Result<Message> parse(std::uint8_t kind, ByteView head) {
  constexpr std::size_t kCount = std::variant_size_v<Message>;
  if (kind == 0 || kind > kCount) return fail(ErrorCode::kProtocol, "unknown migration message");
  return parse_indexed(kind - 1u, head, std::make_index_sequence<kCount>());
}

}  // namespace migd::wire
