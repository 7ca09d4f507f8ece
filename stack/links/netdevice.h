// What the links ask of the kernel about a network device of this namespace, and set.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/result.h"

namespace migd {

using MacAddress = std::array<std::uint8_t, 6>;

class NetDevice {
 public:
  static bool exists(const std::string& name);
  static Result<NetDevice> find(const std::string& name);

  const std::string& name() const { return name_; }
  int index() const { return index_; }
  std::uint16_t mtu() const;       // at most limits::kMtuMax
  Result<MacAddress> mac() const;  // of an Ethernet device
  bool is_up() const;
  bool has_arp() const;
  // Of a TUN device that may have several: how many of its queues are attached to a descriptor, by
  // whatever process. 0 when the kernel does not say.
  unsigned attached_queues() const;

  Result<void> set_mtu(std::uint16_t mtu) const;
  Result<void> set_queue_length(int packets) const;  // of what waits for us to read it
  // Does nothing when it is up. Afterwards the device passes packets: without this, the kernel
  // drops what it sends for some milliseconds after the device got its carrier.
  Result<void> bring_up() const;

 private:
  NetDevice(std::string name, int index) : name_(std::move(name)), index_(index) {}
  short flags() const;
  void settle() const;

  std::string name_;
  int index_;
};

}  // namespace migd
