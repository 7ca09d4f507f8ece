#include "bench/tcp_repair/route.h"

#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/support/system.h"

namespace migd::bench {
namespace {

struct Attribute {
  rtattr head;
  in_addr address;
};

Attribute attribute(unsigned short type, in_addr address) {
  return {{sizeof(Attribute), type}, address};
}

struct Request {
  nlmsghdr head;
  rtmsg route;
  Attribute destination, gateway;
};

}  // namespace

Route::Route(const std::string& network_namespace, in_addr destination)
    : destination_(destination) {
  const int own = check(open("/proc/self/ns/net", O_RDONLY), "/proc/self/ns/net");
  const int there = check(open(network_namespace.c_str(), O_RDONLY), network_namespace.c_str());
  check(setns(there, CLONE_NEWNET), "setns");
  fd_ = check(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), "netlink");
  check(setns(own, CLONE_NEWNET), "setns");
  close(own);
  close(there);
}

Route::~Route() {
  close(fd_);
}

void Route::lead_to(in_addr gateway) {
  Request request{};
  request.head.nlmsg_len = sizeof request;
  request.head.nlmsg_type = RTM_NEWROUTE;
  request.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
  request.head.nlmsg_seq = ++sequence_;
  request.route.rtm_family = AF_INET;
  request.route.rtm_dst_len = 32;
  request.route.rtm_table = RT_TABLE_MAIN;
  request.route.rtm_protocol = RTPROT_BOOT;
  request.route.rtm_scope = RT_SCOPE_UNIVERSE;
  request.route.rtm_type = RTN_UNICAST;
  request.destination = attribute(RTA_DST, destination_);
  request.gateway = attribute(RTA_GATEWAY, gateway);
  check(send(fd_, &request, sizeof request, 0), "send to netlink");

  struct {
    nlmsghdr head;
    nlmsgerr error;
    char more[512];
  } answer{};
  check(recv(fd_, &answer, sizeof answer, 0), "recv from netlink");
  if (answer.head.nlmsg_type != NLMSG_ERROR || answer.error.error != 0) {
    die("route not changed: " + std::string(std::strerror(-answer.error.error)));
  }
}

}  // namespace migd::bench
