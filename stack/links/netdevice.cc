#include "stack/links/netdevice.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/limits.h"

namespace migd {
namespace {

// False, with errno, when the kernel refuses.
bool control(unsigned long request, const std::string& name, ifreq& data) {
  name.copy(data.ifr_name, sizeof data.ifr_name - 1);
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const int status = ioctl(fd, request, &data);
  const int error = errno;
  close(fd);
  errno = error;
  return status == 0;
}

Error refused(const std::string& what, int error) {
  const bool permission = error == EPERM || error == EACCES;
  return {permission ? ErrorCode::kPermission : ErrorCode::kIo,
          what + ": " + (permission ? "CAP_NET_ADMIN is missing" : std::strerror(error))};
}

}  // namespace

bool NetDevice::exists(const std::string& name) {
  return if_nametoindex(name.c_str()) != 0;
}

Result<NetDevice> NetDevice::find(const std::string& name) {
  const unsigned index = if_nametoindex(name.c_str());
  if (index == 0) {
    return fail(ErrorCode::kNotFound,
                "there is no device '" + name + "' in this network namespace");
  }
  return NetDevice(name, static_cast<int>(index));
}

std::uint16_t NetDevice::mtu() const {
  ifreq data{};
  if (!control(SIOCGIFMTU, name_, data)) return limits::kMtuMin;
  return static_cast<std::uint16_t>(
      std::clamp<int>(data.ifr_mtu, 0, static_cast<int>(limits::kMtuMax)));
}

Result<MacAddress> NetDevice::mac() const {
  ifreq data{};
  if (!control(SIOCGIFHWADDR, name_, data) || data.ifr_hwaddr.sa_family != ARPHRD_ETHER) {
    return fail(ErrorCode::kInvalidArgument, "device '" + name_ + "' is not Ethernet");
  }
  MacAddress mac;
  std::memcpy(mac.data(), data.ifr_hwaddr.sa_data, mac.size());
  return mac;
}

short NetDevice::flags() const {
  ifreq data{};
  return control(SIOCGIFFLAGS, name_, data) ? data.ifr_flags : short{0};
}

bool NetDevice::is_up() const {
  return (flags() & IFF_UP) != 0;
}
bool NetDevice::has_arp() const {
  return (flags() & IFF_NOARP) == 0;
}

Result<void> NetDevice::set_mtu(std::uint16_t mtu) const {
  ifreq data{};
  data.ifr_mtu = mtu;
  if (control(SIOCSIFMTU, name_, data)) return {};
  return tl::unexpected(refused("cannot set the MTU of device '" + name_ + "'", errno));
}

Result<void> NetDevice::set_queue_length(int packets) const {
  ifreq data{};
  data.ifr_qlen = packets;
  if (control(SIOCSIFTXQLEN, name_, data)) return {};
  return tl::unexpected(refused("cannot set the queue length of device '" + name_ + "'", errno));
}

Result<void> NetDevice::bring_up() const {
  ifreq data{};
  data.ifr_flags = static_cast<short>(flags() | IFF_UP);
  if (!is_up() && !control(SIOCSIFFLAGS, name_, data)) {
    return tl::unexpected(
        refused("device '" + name_ + "' is down and cannot be brought up", errno));
  }
  settle();
  return {};
}

// The kernel activates a device's queue in a task that it runs later (linkwatch). Asking for the
// state of the carrier makes it do so at once.
void NetDevice::settle() const {
  ethtool_value link{ETHTOOL_GLINK, 0};
  ifreq data{};
  data.ifr_data = reinterpret_cast<char*>(&link);
  control(SIOCETHTOOL, name_, data);
}

}  // namespace migd
