#include "app/state.h"

#include "base/check.h"

namespace migd {
namespace {

std::uint8_t code_of(ApplicationKind kind) {
  switch (kind) {
    case ApplicationKind::kFiles:
      return 1;
    case ApplicationKind::kUpload:
      return 2;
    case ApplicationKind::kEcho:
      return 3;
    case ApplicationKind::kDiscard:
      return 4;
    case ApplicationKind::kSource:
      return 5;
    case ApplicationKind::kRelay:
      return 6;
  }
  return 0;
}

}  // namespace

std::string_view to_string(ApplicationKind kind) {
  switch (kind) {
    case ApplicationKind::kFiles:
      return "files";
    case ApplicationKind::kUpload:
      return "upload";
    case ApplicationKind::kEcho:
      return "echo";
    case ApplicationKind::kDiscard:
      return "discard";
    case ApplicationKind::kSource:
      return "source";
    case ApplicationKind::kRelay:
      return "relay";
  }
  return "?";
}

void write_envelope(ByteWriter& out, StateTag tag, bool ended) {
  out.u8(code_of(tag.kind));
  out.u8(tag.version);
  out.u8(ended ? 1 : 0);
}

Result<bool> read_envelope(BoundedReader& in, StateTag expected) {
  const std::uint8_t kind = in.u8();
  const std::uint8_t version = in.u8();
  if (!in.ok()) return bad_state("truncated");
  if (kind != code_of(expected.kind)) {
    return bad_state("of another kind than " + std::string(to_string(expected.kind)));
  }
  if (version != expected.version) {
    return bad_state("of version " + std::to_string(version) + ", expected " +
                     std::to_string(expected.version));
  }
  return read_flag(in, "ended");
}

Result<bool> read_flag(BoundedReader& in, std::string_view what) {
  const std::uint8_t value = in.u8();
  if (!in.ok()) return bad_state("truncated");
  if (value > 1) return bad_state(std::string(what) + " is neither 0 nor 1");
  return value == 1;
}

void write_string(ByteWriter& out, std::string_view text) {
  MIGD_CHECK(text.size() <= 0xffff);
  out.u16(static_cast<std::uint16_t>(text.size()));
  out.bytes(as_bytes(text));
}

Result<std::string> read_string(BoundedReader& in, std::size_t bytes_max, std::string_view what) {
  const std::size_t size = in.u16();
  if (size > bytes_max) return bad_state(std::string(what) + " is too long");
  const ByteView bytes = in.bytes(size);
  if (!in.ok()) return bad_state("truncated");
  return std::string(as_text(bytes));
}

tl::unexpected<Error> bad_state(std::string_view rule) {
  return fail(ErrorCode::kProtocol, "application state refused: " + std::string(rule));
}

}  // namespace migd
