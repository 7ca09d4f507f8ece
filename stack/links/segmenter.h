// Software in place of a device's offloads: cuts trains into packets and completes checksums. Used
// by links whose device cannot take a frame as it is, and by the tunneler.
//
// A train of TCP (RFC 9293) or UDP is one IP packet whose payload stands for several. Each packet
// cut from it has the train's headers, except: lengths; the IPv4 identification, which counts up;
// TCP's sequence number; FIN and PSH, which only the last has, and CWR, which only the first has
// (RFC 3168 6.1.2); and its own checksums.
#pragma once

#include <functional>

#include "base/frame.h"
#include "base/packet.h"
#include "stack/link.h"

namespace migd {

// Takes the packets, in order.
using FrameOutput = std::function<void(Frame)>;

// Completes the checksum of a frame that is not a train; afterwards it is Checksum::kVerified.
// Refuses what is not whole TCP or UDP. A frame that is not kPartial stays as it is.
tl::expected<void, DropReason> complete_checksum(Frame& frame);

// Cuts a train into packets with complete checksums; they come from `pool`. A frame that is not a
// train, or not longer than one segment, comes out alone. Refuses what it cannot cut; then nothing
// has come out.
tl::expected<void, DropReason> segment(Frame train, FramePool& pool, const FrameOutput& output);

// The frame as a device with these capabilities can take it: as it is, summed, or cut.
tl::expected<void, DropReason> conform(Frame frame, const LinkCapabilities& device, FramePool& pool,
                                       const FrameOutput& output);

}  // namespace migd
