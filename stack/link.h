// A link: the device through which a node's IP packets come and go. Implementations in stack/links/
// (TUN, AF_PACKET on a veth, an in-memory pair) and middleware that wraps any of them (fault
// injector, pcap writer). A link moves whole IP packets; offload data travels in the Frame.
//
//   frames in:   device -> link -> [middleware] -> FrameSink (the node)
//   frames out:  node -> send() -> [middleware] -> link -> device
#pragma once

#include <cstdint>
#include <string>

#include "base/frame.h"
#include "base/known_flows.h"

namespace migd {

struct LinkCapabilities {
  std::uint16_t mtu = 1500;
  bool checksum_offload = false;  // takes and gives frames with Checksum::kPartial
  bool tcp_gso = false;           // takes and gives TCP trains
  bool udp_gso = false;           // takes and gives UDP trains
};

class Link {
 public:
  virtual ~Link() = default;
  virtual const LinkCapabilities& capabilities() const = 0;
  virtual std::string description() const = 0;  // "tun migd0"

  // Sends at once or, when the device is full, drops and counts. A link never queues: what was
  // handed over has left (the source of a migration must be silent when it says so). A frame whose
  // offload the device cannot take is segmented and summed in software.
  virtual void send(Frame frame) = 0;

  // Where frames go that come in; set once, before the loop runs.
  virtual void set_receiver(FrameSink* receiver) = 0;

  virtual std::uint64_t frames_dropped() const = 0;  // that the device did not take

  // What to tell of the flows that this node has, when the device lets others wait by themselves;
  // null when it does not.
  virtual KnownFlows* known_flows() { return nullptr; }
  // How often it has left those others waiting, for there were too many.
  virtual std::uint64_t strangers_pauses() const { return 0; }
};

}  // namespace migd
