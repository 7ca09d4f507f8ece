#include "cli/host_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/temp_dir.h"

namespace migd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Config make_config() {
  Config config;
  config.link.name = "migd0";
  config.link.device = "migd0p";
  config.node.self.tunnel_v4 = *IpAddress::parse("10.77.200.1");
  config.node.self.tunnel_v6 = *IpAddress::parse("fd77::200:1");
  ServiceOptions web;
  web.vips = {*Endpoint::parse("10.77.100.1:80"), *Endpoint::parse("10.77.100.1:443")};
  config.node.services.push_back(web);
  return config;
}

KernelRoute route(const char* prefix, std::uint8_t bits, const char* device,
                  std::uint32_t metric = 0) {
  return {*IpAddress::parse(prefix), bits, metric, device};
}

HostFacts good_facts() {
  HostFacts facts;
  facts.ipv4_forwarding = 1;
  facts.ipv6_forwarding = 1;
  facts.rp_filter = {{"all", 0}, {"default", 0}, {"migd0", 2}};
  facts.addresses = {{*IpAddress::parse("10.77.1.2"), "eth0"}};
  facts.routes = {route("0.0.0.0", 0, "eth0"), route("10.77.200.0", 23, "migd0"),
                  route("10.77.100.1", 32, "migd0"), route("::", 0, "eth0"),
                  route("fd77::200:1", 128, "migd0")};
  return facts;
}

TEST(HostCheck, AHostInOrder) {
  EXPECT_THAT(host_warnings(make_config(), good_facts()), IsEmpty());
}

TEST(HostCheck, NothingKnownIsNoWarningAboutSettings) {
  HostFacts facts = good_facts();
  facts.ipv4_forwarding = facts.ipv6_forwarding = std::nullopt;
  facts.rp_filter.clear();
  EXPECT_THAT(host_warnings(make_config(), facts), IsEmpty());
}

TEST(HostCheck, ForwardingOff) {
  HostFacts facts = good_facts();
  facts.ipv4_forwarding = facts.ipv6_forwarding = 0;
  EXPECT_THAT(
      host_warnings(make_config(), facts),
      ElementsAre("net.ipv4.ip_forward is 0: the kernel drops what comes out of migd0; run: sysctl "
                  "-w net.ipv4.ip_forward=1",
                  "net.ipv6.conf.all.forwarding is 0: the kernel drops what comes out of migd0; "
                  "run: sysctl -w net.ipv6.conf.all.forwarding=1"));
}

TEST(HostCheck, AFamilyThatIsNotUsedDoesNotMatter) {
  HostFacts facts = good_facts();
  facts.ipv6_forwarding = 0;
  Config config = make_config();
  config.node.self.tunnel_v6.reset();
  EXPECT_THAT(host_warnings(config, facts), IsEmpty());
}

TEST(HostCheck, StrictReversePathFilter) {
  HostFacts facts = good_facts();
  facts.rp_filter["all"] = 1;
  EXPECT_THAT(host_warnings(make_config(), facts),
              ElementsAre("net.ipv4.conf.all.rp_filter is 1 (strict): answers of a connection that "
                          "came another way are dropped; run: sysctl -w "
                          "net.ipv4.conf.all.rp_filter=0"));
}

TEST(HostCheck, AnAddressThatTheKernelHas) {
  HostFacts facts = good_facts();
  facts.addresses.push_back({*IpAddress::parse("10.77.100.1"), "lo"});
  facts.addresses.push_back({*IpAddress::parse("fd77::200:1"), "eth0"});
  EXPECT_THAT(
      host_warnings(make_config(), facts),
      ElementsAre("tunnel address fd77::200:1 is assigned to eth0: the kernel answers for it, with "
                  "RST; run: ip -6 address del fd77::200:1 dev eth0",
                  "VIP 10.77.100.1 is assigned to lo: the kernel answers for it, with RST; run: ip "
                  "address del 10.77.100.1 dev lo"));
}

TEST(HostCheck, AnAddressThatIsNotRoutedToTheDevice) {
  HostFacts facts = good_facts();
  facts.routes = {route("10.77.0.0", 16, "migd0", 100), route("10.77.0.0", 16, "eth0", 50),
                  route("10.77.100.0", 25, "migd0")};
  EXPECT_THAT(host_warnings(make_config(), facts),
              ElementsAre("tunnel address 10.77.200.1 is routed to eth0 instead of migd0; run: ip "
                          "route add 10.77.200.1/32 dev migd0",
                          "tunnel address fd77::200:1 is not routed to migd0; run: ip -6 route add "
                          "fd77::200:1/128 dev migd0"));
}

TEST(HostCheck, TheDeviceAndTheRightToIt) {
  HostFacts facts = good_facts();
  facts.device_exists = false;
  facts.tun_problem = "Permission denied";
  EXPECT_THAT(
      host_warnings(make_config(), facts),
      ElementsAre("/dev/net/tun cannot be opened (Permission denied); give the right to it, or use "
                  "link.kind = \"packet\" on a veth pair",
                  "there is no device migd0; run: ip tuntap add dev migd0 mode tun vnet_hdr "
                  "multi_queue"));
  Config config = make_config();
  config.link.kind = LinkConfig::Kind::kPacket;
  EXPECT_THAT(host_warnings(config, facts),
              ElementsAre("there is no device migd0; run: ip link add migd0 type veth peer name "
                          "migd0p"));
}

TEST(HostCheck, RoutesOfTheKernel) {
  const auto v4 = parse_ipv4_routes(
      "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
      "eth0\t00000000\t01014D0A\t0003\t0\t0\t5\t00000000\t0\t0\t0\n"
      "migd0\t01644D0A\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0\n"
      "broken line\n");
  ASSERT_EQ(v4.size(), 2u);
  EXPECT_EQ(v4[0].prefix_bits, 0);
  EXPECT_EQ(v4[0].metric, 5u);
  EXPECT_EQ(v4[1].prefix.to_string(), "10.77.100.1");
  EXPECT_EQ(v4[1].prefix_bits, 32);
  EXPECT_EQ(v4[1].device, "migd0");

  const auto v6 = parse_ipv6_routes(
      "fd770000000001000000000000000001 80 00000000000000000000000000000000 00 "
      "00000000000000000000000000000000 00000400 00000001 00000000 00000001    migd0\n"
      "zz 80\n");
  ASSERT_EQ(v6.size(), 1u);
  EXPECT_EQ(v6[0].prefix.to_string(), "fd77:0:0:100::1");
  EXPECT_EQ(v6[0].prefix_bits, 128);
  EXPECT_EQ(v6[0].metric, 1024u);
  EXPECT_EQ(v6[0].device, "migd0");
}

TEST(HostCheck, ReadsWhatThereIs) {
  const TempDir proc;
  std::filesystem::create_directories(proc.file("sys/net/ipv4/conf/all"));
  proc.write("sys/net/ipv4/ip_forward", "0\n");
  proc.write("sys/net/ipv4/conf/all/rp_filter", "1\n");
  Config config = make_config();
  config.link.name = "no-such-device";
  const HostFacts facts = read_host_facts(config, proc.path());
  EXPECT_EQ(facts.ipv4_forwarding, 0);
  EXPECT_EQ(facts.ipv6_forwarding, std::nullopt);
  EXPECT_EQ(facts.rp_filter, (std::map<std::string, int>{{"all", 1}}));
  EXPECT_FALSE(facts.device_exists);
  EXPECT_TRUE(facts.routes.empty());
}

}  // namespace
}  // namespace migd
