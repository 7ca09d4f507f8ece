#include "migrator/channel/packet.h"

#include <algorithm>

#include "base/check.h"

namespace migd::channel {
namespace {

constexpr std::uint8_t kUndeliverableFlag = 0x80;

void write_without_tag(ByteWriter& out, const MessageFrame& m) {
  out.u8(static_cast<std::uint8_t>(FrameType::kMessage));
  out.u8(m.undeliverable ? kUndeliverableFlag : 0);
  out.u8(m.kind);
  out.u8(0);
  out.u16(m.origin.value);
  out.u16(m.destination.value);
  out.u64(m.number);
  out.u32(m.body_session);
  out.u32(m.body_size);
  out.u32(m.offset);
  out.u16(m.size);
  out.u16(m.head_size);
}

}  // namespace

void write(ByteWriter& out, const DataHeader& header) {
  out.u8(kTypeData);
  out.u8(header.version);
  out.u16(header.sender.value);
  out.u32(header.session);
  out.u64(header.packet);
  out.u16(header.sealed_size);
}

DataHeader read_data_header(BoundedReader& in) {
  DataHeader header;
  header.version = in.u8();
  header.sender = NodeId{in.u16()};
  header.session = in.u32();
  header.packet = in.u64();
  header.sealed_size = in.u16();
  return header;
}

std::size_t wire_size(const AckFrame& ack) {
  return 12 + 4 * ack.runs.size();
}

void write(ByteWriter& out, const AckFrame& ack) {
  MIGD_CHECK(!ack.runs.empty() && ack.runs.size() <= kAckRunsMax);
  out.u8(static_cast<std::uint8_t>(FrameType::kAck));
  out.u8(static_cast<std::uint8_t>(ack.runs.size() - 1));
  out.u32(static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(to_microseconds(ack.delay), 0, 0xffffffff)));
  out.u64(ack.runs.front().last);
  for (std::size_t i = 0; i < ack.runs.size(); ++i) {
    const NumberRun& run = ack.runs[i];
    if (i > 0) out.u16(static_cast<std::uint16_t>(ack.runs[i - 1].first - run.last - 1));
    out.u16(static_cast<std::uint16_t>(run.last - run.first + 1));
  }
}

std::optional<AckFrame> read_ack(BoundedReader& in) {
  AckFrame ack;
  const std::size_t count = std::size_t{in.u8()} + 1;
  ack.delay = std::chrono::microseconds(in.u32());
  std::uint64_t last = in.u64();
  if (count > kAckRunsMax) return std::nullopt;
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) {
      const std::uint64_t missing = in.u16();
      const std::uint64_t below = ack.runs.back().first;
      if (missing == 0 || below <= missing) return std::nullopt;
      last = below - missing - 1;
    }
    const std::uint64_t length = in.u16();
    if (length == 0 || length - 1 > last) return std::nullopt;
    ack.runs.push_back({last - (length - 1), last});
  }
  if (!in.ok()) return std::nullopt;
  return ack;
}

void write(ByteWriter& out, const MessageFrame& m) {
  write_without_tag(out, m);
  out.bytes(m.tag);
  if (m.offset == 0) out.bytes(m.head);
}

std::optional<MessageFrame> read_message(BoundedReader& in) {
  MessageFrame m;
  const std::uint8_t flags = in.u8();
  m.undeliverable = (flags & kUndeliverableFlag) != 0;
  m.kind = in.u8();
  const std::uint8_t reserved = in.u8();
  m.origin = NodeId{in.u16()};
  m.destination = NodeId{in.u16()};
  m.number = in.u64();
  m.body_session = in.u32();
  m.body_size = in.u32();
  m.offset = in.u32();
  m.size = in.u16();
  m.head_size = in.u16();
  const ByteView tag = in.bytes(kTagSize);
  if (m.head_size > kHeadMax) return std::nullopt;
  if (m.offset == 0) m.head = in.bytes(m.head_size);
  if (!in.ok()) return std::nullopt;
  std::copy(tag.begin(), tag.end(), m.tag.begin());
  const bool in_range = std::uint64_t{m.offset} + m.size <= m.body_size;
  const bool has_part = m.size > 0 || m.body_size == 0;
  if ((flags & ~kUndeliverableFlag) != 0 || reserved != 0 || !in_range || !has_part) {
    return std::nullopt;
  }
  return m;
}

void write(ByteWriter& out, const HeartbeatFrame& heartbeat) {
  MIGD_CHECK(heartbeat.payload.size() <= kHeartbeatPayloadMax);
  out.u8(static_cast<std::uint8_t>(FrameType::kHeartbeat));
  out.u8(static_cast<std::uint8_t>(heartbeat.payload.size()));
  out.bytes(heartbeat.payload);
}

std::optional<HeartbeatFrame> read_heartbeat(BoundedReader& in) {
  const std::size_t size = in.u8();
  const HeartbeatFrame heartbeat{in.bytes(size)};
  if (!in.ok() || size > kHeartbeatPayloadMax) return std::nullopt;
  return heartbeat;
}

void write(ByteWriter& out, const CloseFrame& close) {
  out.u8(static_cast<std::uint8_t>(FrameType::kClose));
  out.u8(static_cast<std::uint8_t>(close.cause));
}

std::optional<CloseFrame> read_close(BoundedReader& in) {
  const std::uint8_t cause = in.u8();
  if (!in.ok() || cause != static_cast<std::uint8_t>(CloseCause::kShutdown)) return std::nullopt;
  return CloseFrame{CloseCause::kShutdown};
}

void write_associated(ByteWriter& out, const MessageFrame& m) {
  write_without_tag(out, m);
  if (m.offset == 0) out.bytes(m.head);
}

}  // namespace migd::channel
