#include "stack/links/netdevice.h"

#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/bytes.h"
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

// The payload of the first attribute of that kind, empty when there is none.
ByteView attribute(ByteView attributes, unsigned short kind) {
  while (attributes.size() >= sizeof(rtattr)) {
    rtattr header;
    std::memcpy(&header, attributes.data(), sizeof header);
    if (header.rta_len < sizeof header || header.rta_len > attributes.size()) break;
    if ((header.rta_type & NLA_TYPE_MASK) == kind) {
      return attributes.first(header.rta_len).subspan(RTA_LENGTH(0));
    }
    attributes =
        attributes.subspan(std::min<std::size_t>(RTA_ALIGN(header.rta_len), attributes.size()));
  }
  return {};
}

// What the kernel knows of a device (RTM_GETLINK): the attributes of its answer, empty on failure.
Bytes link_attributes(int index) {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return {};
  struct {
    nlmsghdr header;
    ifinfomsg link;
  } request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = RTM_GETLINK;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.link.ifi_index = index;
  Bytes answer(16384);
  const bool asked = send(fd, &request, sizeof request, 0) == sizeof request;
  const ssize_t size = asked ? recv(fd, answer.data(), answer.size(), 0) : -1;
  close(fd);
  nlmsghdr header{};
  constexpr std::size_t kHeaders = NLMSG_SPACE(sizeof(ifinfomsg));
  if (size < static_cast<ssize_t>(kHeaders)) return {};
  std::memcpy(&header, answer.data(), sizeof header);
  if (header.nlmsg_type != RTM_NEWLINK) return {};
  answer.resize(static_cast<std::size_t>(size));
  answer.erase(answer.begin(), answer.begin() + kHeaders);
  return answer;
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

unsigned NetDevice::attached_queues() const {
  const Bytes attributes = link_attributes(index_);
  const ByteView of_tun = attribute(attribute(attributes, IFLA_LINKINFO), IFLA_INFO_DATA);
  const ByteView count = attribute(of_tun, IFLA_TUN_NUM_QUEUES);
  std::uint32_t queues = 0;
  if (count.size() == sizeof queues) std::memcpy(&queues, count.data(), sizeof queues);
  return queues;
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
