// The order mark: goes down the way that a flow leaves, behind the last packet that took it.
//
// It is a packet of the flow itself: what keeps the flow's packets in order (one of several paths,
// one of several receive queues) keeps the mark behind them, as it would not keep a datagram of the
// channel. Where the mark has come, everything older has. It is a TCP segment of the client's
// without any flag, such as no TCP sends, and its sequence number is the epoch that the flow goes
// to. It may be lost like any packet, and nobody answers it.
#pragma once

#include <optional>

#include "base/address.h"
#include "base/frame.h"
#include "base/ids.h"
#include "base/packet.h"

namespace migd {

Frame make_order_mark(const FourTuple& tuple, Epoch epoch, FramePool& pool);

// Unset: another packet.
inline std::optional<Epoch> order_mark(const TcpView& tcp) {
  if (tcp.flags() != 0) return std::nullopt;
  return Epoch{tcp.seq().value()};
}

}  // namespace migd
