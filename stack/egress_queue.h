// What lwIP has sent and the device has not taken yet, as frames.
//
// Theory of operation
//   lwIP hands out one segment at a time. Where the device cuts trains (LinkCapabilities::tcp_gso),
//   a segment that follows the one before it, and differs from it only where the device's cutting
//   makes a difference too (stack/links/segmenter.h), is appended to it: its payload is copied
//   once, and one frame of up to 64 KiB crosses the device in place of 45. A train ends with a
//   segment that is shorter than the first, or that carries PSH or FIN: only its last segment may.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "base/frame.h"
#include "base/packet.h"
#include "stack/link.h"

struct pbuf;

namespace migd {

class EgressQueue {
 public:
  EgressQueue(const LinkCapabilities& link, std::shared_ptr<FramePool> pool);

  // Sequence space of a segment.
  struct Span {
    SeqNum seq;
    std::uint32_t length = 0;
  };

  // `segment`: TCP header with options in its first pbuf, then the payload. `ip` says whose it is;
  // its sizes are filled in here.
  Span add(IpHeader ip, const pbuf& segment);
  // A segment without a payload, in one piece.
  void add(IpHeader ip, ByteView header);

  bool empty() const { return frames_.empty(); }
  // Moves all frames, oldest first, to the end of `out`.
  void take(std::vector<Frame>& out);

 private:
  // The last frame, as long as a further segment may follow in it.
  struct Train {
    IpHeader ip;
    std::size_t header_size = 0;  // of TCP
    std::size_t segment_size = 0;
    SeqNum next;
    bool open = false;
  };

  bool joins(const IpHeader& ip, const TcpView& tcp, std::size_t payload_size) const;
  void join(const TcpView& tcp, const pbuf& segment, std::size_t payload_size);
  void begin(const IpHeader& ip, const TcpView& tcp, const pbuf& segment);
  void finish();

  const bool trains_;
  const bool partial_checksums_;
  const std::shared_ptr<FramePool> pool_;
  std::vector<Frame> frames_;
  Train train_;
};

}  // namespace migd
