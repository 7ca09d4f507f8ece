// HELLO: how two nodes come to session keys. Its envelope stands in packet.h; sealed inside, with
// XChaCha20-Poly1305 under a key of the pair of static keys and of the direction:
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-------------------------------+---------------+---------------+
//   |        receiver node          |E|A|  reserved |   reserved    |
//   +-------------------------------+---------------+---------------+
//   |                     boot of the sender (64)                   |
//   +---------------------------------------------------------------+
//   |     share: the sender's fresh X25519 public key (32 bytes)    |
//   +---------------------------------------------------------------+
//   |     association that the sender holds with the receiver, or 0 (64)
//   +---------------------------------------------------------------+
//   |     echo: the receiver's latest boot (64) and share (32), or zeros
//   +---------------+---------------+-------------------------------+
//   | channel, min  | channel, max  |     blob, lowest version      |
//   +---------------+---------------+---------------+---------------+
//   |     blob, highest version     | encapsulations|  timestamps   |
//   +-------------------------------+---------------+---------------+
//   | window profile|    ciphers    |     largest datagram          |
//   +---------------+---------------+-------------------------------+
//   |     anything further is ignored                               |
//   +---------------------------------------------------------------+
//   E: established: the sender holds the session made of both shares.
//   A: answer: the sender does not itself ask for a session.
//
// encapsulations: bit 0 identifier in the ports, bit 1 GUE. ciphers: bit 0 ChaCha20-Poly1305,
// bit 1 AES-256-GCM. timestamps, window profile: numbers that must be equal.
#pragma once

#include <optional>

#include "base/random.h"
#include "migrator/channel/packet.h"
#include "migrator/channel/refusal.h"

namespace migd::channel {

inline constexpr std::size_t kHelloHeaderSize = 12;
inline constexpr std::size_t kHelloNonceSize = 24;
inline constexpr std::size_t kHelloInsideSize = 104;
inline constexpr std::size_t kHelloSize =
    kHelloHeaderSize + kHelloNonceSize + kTagSize + kHelloInsideSize;

struct VersionRange {
  std::uint16_t lowest = 1;
  std::uint16_t highest = 1;
  bool operator==(const VersionRange&) const = default;
};

struct Capabilities {
  VersionRange channel{kChannelVersion, kChannelVersion};
  VersionRange blob{1, 1};
  std::uint8_t encapsulations = 0x03;
  std::uint8_t timestamp_layout = 1;
  std::uint8_t window_profile = 1;
  std::uint8_t ciphers = 0x01;
  std::uint16_t datagram_max = 1400;
  bool operator==(const Capabilities&) const = default;
};

// Why nodes with these cannot work together; nullopt when they can.
std::optional<Refusal> incompatibility(const Capabilities& ours, const Capabilities& theirs);
Cipher common_cipher(const Capabilities& ours, const Capabilities& theirs);

// A boot and the share that it proposes for a session.
struct Offer {
  Boot boot;
  Key share{};
  bool operator==(const Offer&) const = default;
};

struct HelloHeader {
  std::uint8_t version = kHelloVersion;
  NodeId sender;
  KeyId sender_key = 0;
  KeyId receiver_key = 0;
};

struct Hello {
  NodeId receiver;
  bool established = false;
  bool answer = false;
  Offer offer;
  std::uint64_t association = 0;
  Offer echo;  // zeros: none
  Capabilities capabilities;
  bool operator==(const Hello&) const = default;
};

void write(ByteWriter& out, const HelloHeader& header);
HelloHeader read_hello_header(BoundedReader& in);  // behind the type octet
void write(ByteWriter& out, const Hello& hello);
std::optional<Hello> read_hello(ByteView inside);

// Whole datagrams.
Bytes seal_hello(NodeId sender, const StaticPair& pair, const Hello& hello, Rng& rng);
// The inside of a HELLO datagram, or nullopt when it is not authentic under the pair.
std::optional<Bytes> open_hello(const StaticPair& pair, ByteView datagram);

}  // namespace migd::channel
