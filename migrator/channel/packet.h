// The datagrams of the channel: all of its wire format but the inside of HELLO (hello.h).
//
// Every integer is big-endian. A datagram is one of
//
//   HELLO                                           DATA
//    0                   1                   2       3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +---------------+---------------+-------------------------------+
//   |   type = 1    |  version = 1  |          sender node          |
//   +---------------+---------------+-------------------------------+
//   |     key id of the sender's static key: BLAKE2b, first 32 bits |
//   +---------------------------------------------------------------+
//   |     key id of the receiver's static key                       |
//   +---------------------------------------------------------------+
//   |     random nonce, 24 bytes ...                                |
//   +---------------------------------------------------------------+
//   |     tag (16), then sealed: hello.h ...                        |
//   +---------------------------------------------------------------+
//
//   +---------------+---------------+-------------------------------+
//   |   type = 2    |  version = 1  |          sender node          |
//   +---------------+---------------+-------------------------------+
//   |                          session id                           |
//   +---------------------------------------------------------------+
//   |                                                               |
//   +                   packet number (64 bits)                     +
//   |                                                               |
//   +-------------------------------+-------------------------------+
//   |     sealed size               |  sealed: frames ...           |
//   +-------------------------------+                               |
//   |                                                  tag (16)     |
//   +---------------------------------------------------------------+
//   |  the bodies of the MESSAGE frames, in their order ...         |
//   +---------------------------------------------------------------+
//
// The header is clear and authenticated; packet numbers never repeat under a key, and are the
// AEAD's nonce. `sealed size` counts frames and tag. What follows is sealed already, from the
// message's origin to its destination, and is not encrypted a second time: a relay spends nothing
// on it.
//
// Frames, one after the other:
//
//   ACK         type = 1 (8)  runs - 1 (8)  delay, microseconds (32)  largest packet number (64)
//               length of the first run (16), then for each other run, downwards:
//               numbers missing (16)  length (16)
//
//   MESSAGE     +---------------+---------------+-------------------------------+
//               |   type = 2    |U|  reserved   |     kind      |  reserved     |
//               +---------------+---------------+-------------------------------+
//               |          origin node          |       destination node        |
//               +-------------------------------+-------------------------------+
//               |                    message number (64 bits)                   |
//               |                                                               |
//               +---------------------------------------------------------------+
//               |     id of the session, of origin and destination, that sealed it
//               +---------------------------------------------------------------+
//               |                          body size                            |
//               +---------------------------------------------------------------+
//               |                       fragment offset                         |
//               +-------------------------------+-------------------------------+
//               |        fragment size          |          head size            |
//               +-------------------------------+-------------------------------+
//               |     tag of this fragment of the body (16)                     |
//               +---------------------------------------------------------------+
//               |     the head, in the fragment with offset 0 only ...          |
//               +---------------------------------------------------------------+
//               U: the message could not be delivered; its origin gets its head back.
//
//   HEARTBEAT   type = 3 (8)  size (8)  payload
//
//   CLOSE       type = 4 (8)  cause (8): 1 the node ends in order
//
// A body is sealed in fragments: nonce = message number (64), offset (32); associated data = the
// MESSAGE frame without its tag, head included. Message numbers count up for each pair of origin
// and destination, and never go back during a boot.
#pragma once

#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/reader.h"
#include "base/time.h"
#include "base/writer.h"
#include "migrator/channel/aead.h"
#include "migrator/channel/number_window.h"
#include "migrator/channel/static_keys.h"

namespace migd::channel {

inline constexpr std::uint8_t kTypeHello = 1;
inline constexpr std::uint8_t kTypeData = 2;
inline constexpr std::uint8_t kHelloVersion = 1;    // of HELLO itself: it negotiates all others
inline constexpr std::uint8_t kChannelVersion = 1;  // of DATA and its frames

inline constexpr std::size_t kDataHeaderSize = 18;
inline constexpr std::size_t kTagSize = std::tuple_size_v<Tag>;
inline constexpr std::size_t kMessageFrameSize = 48;  // without the head
inline constexpr std::size_t kHeadMax = 1024;         // a head travels in one fragment
inline constexpr std::size_t kHeartbeatPayloadMax = 32;
inline constexpr std::size_t kAckRunsMax = 64;
inline constexpr std::size_t kDatagramMin = 1200;  // the smallest datagram_max: 1280 less headers
static_assert(kDataHeaderSize + kMessageFrameSize + kHeadMax + kTagSize < kDatagramMin);

struct DataHeader {
  std::uint8_t version = kChannelVersion;
  NodeId sender;
  std::uint32_t session = 0;
  std::uint64_t packet = 0;
  std::uint16_t sealed_size = 0;

  bool operator==(const DataHeader&) const = default;
};

void write(ByteWriter& out, const DataHeader& header);
// Behind the type octet, which the caller has read.
DataHeader read_data_header(BoundedReader& in);

enum class FrameType : std::uint8_t { kAck = 1, kMessage = 2, kHeartbeat = 3, kClose = 4 };

struct AckFrame {
  Duration delay{};             // from the arrival of the largest to now
  std::vector<NumberRun> runs;  // at least one, downwards, never adjacent
  bool operator==(const AckFrame&) const = default;
};

struct MessageFrame {
  bool undeliverable = false;
  std::uint8_t kind = 0;
  NodeId origin;
  NodeId destination;
  std::uint64_t number = 0;
  std::uint32_t body_session = 0;
  std::uint32_t body_size = 0;
  std::uint32_t offset = 0;
  std::uint16_t size = 0;
  std::uint16_t head_size = 0;
  Tag tag{};
  ByteView head;  // empty unless offset is 0

  std::size_t wire_size() const { return kMessageFrameSize + (offset == 0 ? head_size : 0); }
};

struct HeartbeatFrame {
  ByteView payload;
};

enum class CloseCause : std::uint8_t { kShutdown = 1 };
struct CloseFrame {
  CloseCause cause = CloseCause::kShutdown;
};

std::size_t wire_size(const AckFrame& ack);
void write(ByteWriter& out, const AckFrame& ack);
void write(ByteWriter& out, const MessageFrame& message);
void write(ByteWriter& out, const HeartbeatFrame& heartbeat);
void write(ByteWriter& out, const CloseFrame& close);

// Each reads what follows the type octet; nullopt when it breaks the format.
std::optional<AckFrame> read_ack(BoundedReader& in);
std::optional<MessageFrame> read_message(BoundedReader& in);
std::optional<HeartbeatFrame> read_heartbeat(BoundedReader& in);
std::optional<CloseFrame> read_close(BoundedReader& in);

// What the tag of a body fragment covers besides the fragment.
void write_associated(ByteWriter& out, const MessageFrame& message);

}  // namespace migd::channel
