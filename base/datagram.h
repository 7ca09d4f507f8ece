// Datagrams between nodes. The blob channel speaks to a DatagramSender and is fed by whoever
// receives: the intermediate driver, which picks the channel's datagrams out of the device's
// packets, or a kernel socket (base/uv/uv_datagram.h), or the simulator.
#pragma once

#include "base/address.h"
#include "base/bytes.h"
#include "base/time.h"

namespace migd {

class DatagramSender {
 public:
  virtual ~DatagramSender() = default;
  // Sends `payload` as consecutive datagrams of `segment_size` bytes each (the last may be
  // shorter), all to one receiver; a device with segmentation offload takes the train whole.
  // Unreliable: there is no answer.
  virtual void send(const Endpoint& to, ByteView payload, std::size_t segment_size) = 0;
};

class DatagramReceiver {
 public:
  virtual ~DatagramReceiver() = default;
  virtual void on_datagram(const Endpoint& from, ByteView payload, Instant now) = 0;
};

}  // namespace migd
