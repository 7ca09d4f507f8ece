#include "cli/config.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "tests/cli/config_text.h"
#include "tests/support/temp_dir.h"

namespace migd {
namespace {

TEST(Config, SaysEverythingThatTheFileSays) {
  const Result<Config> config = read_text(kFullConfig);
  ASSERT_TRUE(config) << config.error().text;
  const NodeOptions& node = config->node;
  EXPECT_EQ(node.self.name, "a");
  EXPECT_EQ(node.self.id, NodeId{1});
  EXPECT_EQ(node.self.roles, (Roles{true, true, true}));
  EXPECT_EQ(node.self.tunnel_v4, *IpAddress::parse("10.77.200.1"));
  EXPECT_EQ(node.self.tunnel_v6, *IpAddress::parse("fd77::200:1"));
  EXPECT_EQ(node.gue_port, 6081);
  EXPECT_EQ(node.channel_port, 7947);
  EXPECT_EQ(node.heartbeat, 100ms);
  EXPECT_EQ(node.dead_after, 2s);
  EXPECT_EQ(node.window_bytes, 512u << 10);
  EXPECT_EQ(node.send_buffer_bytes, 1u << 20);
  EXPECT_FALSE(node.timestamps);
  EXPECT_FALSE(node.sack);
  EXPECT_EQ(node.keepalive, 60s);
  EXPECT_EQ(node.syn_backlog, 77);
  EXPECT_FALSE(node.syn_cookies);
  EXPECT_EQ(node.max_connections, 5000u);
  EXPECT_EQ(node.memory_bytes, 1u << 30);
  EXPECT_EQ(node.migration_timeout, 3s);
  EXPECT_TRUE(node.secret_keys.empty());
}

TEST(Config, PeersServicesAndApplications) {
  const Result<Config> config = read_text(kFullConfig);
  ASSERT_TRUE(config) << config.error().text;
  const NodeOptions& node = config->node;
  ASSERT_EQ(node.peers.size(), 2u);
  EXPECT_EQ(node.peers[0].info.name, "b");
  EXPECT_EQ(node.peers[0].info.id, NodeId{2});
  EXPECT_EQ(node.peers[0].public_keys.size(), 2u);
  EXPECT_FALSE(node.peers[0].info.tunnel_v6);
  EXPECT_EQ(node.peers[1].info.roles, (Roles{false, true, false}));

  ASSERT_EQ(node.services.size(), 1u);
  const ServiceOptions& web = node.services[0];
  ASSERT_EQ(web.vips.size(), 2u);
  EXPECT_EQ(web.vips[1], *Endpoint::parse("[fd77::100:1]:80"));
  EXPECT_EQ(web.protocol, ServiceOptions::Protocol::kHttp);
  EXPECT_EQ(web.classify_bytes_max, 4096u);
  EXPECT_EQ(web.classify_timeout, 250ms);
  EXPECT_EQ(std::get<PoolTarget>(web.default_target).pool, "all");
  EXPECT_EQ(web.default_application, "files");
  ASSERT_EQ(web.rules.size(), 1u);
  EXPECT_EQ(web.rules[0].name, "uploads");
  EXPECT_EQ(web.rules[0].match.method, "POST");
  EXPECT_EQ(web.rules[0].match.host, "example.com");
  EXPECT_EQ(web.rules[0].match.path_prefix, "/upload");
  EXPECT_EQ(std::get<NodeTarget>(web.rules[0].target).node, NodeId{2});
  EXPECT_EQ(web.rules[0].application, "upload");
  ASSERT_EQ(web.pools.size(), 1u);
  EXPECT_EQ(web.pools[0].nodes, (std::vector{NodeId{1}, NodeId{2}}));
  EXPECT_EQ(web.pools[0].policy, Pool::Policy::kRoundRobin);

  ASSERT_EQ(node.applications.size(), 2u);
  EXPECT_EQ(node.applications[0].kind, ApplicationKind::kFiles);
  EXPECT_EQ(node.applications[0].root, "/nowhere/www");
  EXPECT_EQ(node.applications[1].kind, ApplicationKind::kRelay);
  EXPECT_EQ(node.applications[1].address.host_or_path, "/nowhere/app.sock");
  EXPECT_TRUE(node.applications[1].proxy_header);
  EXPECT_FALSE(node.applications[1].http_idle);
}

TEST(Config, SettingsOfThisNodeAlone) {
  const Result<Config> config = read_text(kFullConfig);
  ASSERT_TRUE(config) << config.error().text;
  EXPECT_EQ(config->link.kind, LinkConfig::Kind::kPacket);
  EXPECT_EQ(config->link.name, "migd0");
  EXPECT_EQ(config->link.device, "migd0p");
  EXPECT_EQ(config->link.mtu, 1400);
  EXPECT_EQ(config->link.pcap_path, "/nowhere/all.pcap");
  ASSERT_TRUE(config->link.fault);
  EXPECT_EQ(config->link.fault->options.loss, 0.5);
  EXPECT_EQ(config->link.fault->options.reordering, 1.0);
  EXPECT_EQ(config->link.fault->options.delay, 5ms);
  EXPECT_EQ(config->link.fault->options.jitter, 1ms);
  EXPECT_EQ(config->link.fault->seed, 7u);
  EXPECT_EQ(config->admin.socket_path, "/nowhere/a.sock");
  EXPECT_EQ(config->log.format, LogFormat::kJson);
  EXPECT_EQ(config->log.level, LogLevel::kDebug);
  EXPECT_EQ(config->log.file_path, "/nowhere/a.log");
}

TEST(Config, HowLongAClientMayLeaveDataUnacknowledged) {
  EXPECT_EQ(read_text(kFullConfig)->node.user_timeout, Duration::zero());
  const auto config =
      read_text(replaced(kFullConfig, R"(keepalive = "60s")", R"(user_timeout = "100s")"));
  ASSERT_TRUE(config) << config.error().text;
  EXPECT_EQ(config->node.user_timeout, 100s);
}

TEST(Config, ARuleWithoutANameOrApplicationGetsThem) {
  std::string text = replaced(kFullConfig, "name = \"uploads\"\n", "");
  text = replaced(text, "application = \"upload\"\n", "");
  const Result<Config> config = read_text(text);
  ASSERT_TRUE(config) << config.error().text;
  EXPECT_EQ(config->node.services[0].rules[0].name, "rule 1");
  EXPECT_EQ(config->node.services[0].rules[0].application, "files");
}

TEST(Config, ANodeWithoutPeersNeedsNoChannel) {
  const Result<Config> config = read_text(R"(config_version = 1
node = { name = "a", id = 1, roles = ["host"] }
link = { kind = "tun", name = "migd0" }
tunnel = { address = ["10.77.200.1"] }
)");
  ASSERT_TRUE(config) << config.error().text;
  EXPECT_TRUE(config->warnings.empty());
  EXPECT_EQ(config->admin.socket_path, kDefaultAdminSocket);
  EXPECT_EQ(config->link.mtu, 1500);
}

class ConfigSecrets : public testing::Test {
 protected:
  TempDir dir_;
  std::string file_ = dir_.write("a.toml", std::string(kFullConfig));
  void write_key(std::filesystem::perms mode) {
    dir_.write("a.key", "giOg7YqbP8mEJJC84FoKNQD54SyThrH6RhWrX1jahRI=\n");
    std::filesystem::permissions(dir_.file("a.key"), mode);
  }
  static std::vector<std::string> about_the_key(const Config& config) {
    std::vector<std::string> warnings = config.warnings;
    std::erase_if(warnings, [](const std::string& w) { return w.find("key") == w.npos; });
    return warnings;
  }
};

TEST_F(ConfigSecrets, AnAbsentOneIsAWarningOrARefusal) {
  const Result<Config> checked = load_config(file_, SecretPolicy::kWarnIfAbsent);
  ASSERT_TRUE(checked) << checked.error().text;
  EXPECT_EQ(about_the_key(*checked),
            std::vector{file_ + ":48: channel.key_file: " + dir_.file("a.key") +
                        " is not there; make it with: migd keygen --out " + dir_.file("a.key")});
  const Result<Config> run = load_config(file_, SecretPolicy::kRequire);
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().text,
            file_ + ":48: channel.key_file: expected a key file, " + dir_.file("a.key") +
                " is not there; make it with: migd keygen --out " + dir_.file("a.key"));
}

TEST_F(ConfigSecrets, AnAbsentFolderToServeIsAWarningOrARefusal) {
  write_key(std::filesystem::perms::owner_read);
  const Result<Config> checked = load_config(file_, SecretPolicy::kWarnIfAbsent);
  ASSERT_TRUE(checked) << checked.error().text;
  EXPECT_EQ(checked->warnings,
            std::vector{file_ + ":90: application.root: " + dir_.file("www") + " is not a folder"});
  const Result<Config> run = load_config(file_, SecretPolicy::kRequire);
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().text,
            file_ + ":90: application.root: expected a folder, " + dir_.file("www") + " is none");
}

TEST_F(ConfigSecrets, OneThatOthersMayReadIsAWarning) {
  using std::filesystem::perms;
  std::filesystem::create_directory(dir_.file("www"));
  write_key(perms::owner_read | perms::others_read);
  const Result<Config> config = load_config(file_, SecretPolicy::kRequire);
  ASSERT_TRUE(config) << config.error().text;
  EXPECT_EQ(config->node.secret_keys.size(), 1u);
  EXPECT_EQ(
      about_the_key(*config),
      std::vector{file_ + ":48: channel.key_file: " + dir_.file("a.key") +
                  " can be read by others than its owner; run: chmod 600 " + dir_.file("a.key")});
  write_key(perms::owner_read | perms::owner_write);
  EXPECT_TRUE(about_the_key(*load_config(file_, SecretPolicy::kRequire)).empty());
}

TEST_F(ConfigSecrets, OneThatIsNoKeyIsRefusedWithoutShowingIt) {
  dir_.write("a.key", "hunter2\n");
  const Result<Config> config = load_config(file_, SecretPolicy::kWarnIfAbsent);
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().text,
            file_ +
                ":48: channel.key_file: expected a key file, got not a key: expected 32 bytes "
                "as base64");
}

TEST(Config, AFileThatIsNotThereIsSaidInOneLine) {
  const Result<Config> config = load_config("/nowhere/at/all.toml", SecretPolicy::kRequire);
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().text, "/nowhere/at/all.toml: No such file or directory");
}

class ExampleConfig : public testing::TestWithParam<std::string> {};

TEST_P(ExampleConfig, IsAccepted) {
  const Result<Config> config =
      load_config("configs/" + GetParam() + ".toml", SecretPolicy::kWarnIfAbsent);
  ASSERT_TRUE(config) << config.error().text;
}

INSTANTIATE_TEST_SUITE_P(All, ExampleConfig,
                         testing::Values("single", "forwarder", "host", "relay_host", "packet"),
                         [](const auto& example) { return example.param; });

TEST(ExampleConfigs, EachFileIsTested) {
  const auto files = std::filesystem::directory_iterator("configs");
  EXPECT_EQ(std::distance(begin(files), end(files)), 5);
}

// The three files of the example cluster tell the same of each other.
TEST(ExampleConfigs, TheClusterAgrees) {
  std::vector<Config> configs;
  for (const char* name : {"forwarder", "host", "relay_host"}) {
    const Result<Config> config =
        load_config("configs/" + std::string(name) + ".toml", SecretPolicy::kWarnIfAbsent);
    ASSERT_TRUE(config) << config.error().text;
    configs.push_back(*config);
  }
  for (const Config& config : configs) {
    for (const PeerOptions& peer : config.node.peers) {
      const auto same = [&](const Config& other) {
        const NodeInfo& self = other.node.self;
        return self.name == peer.info.name && self.id == peer.info.id &&
               self.roles == peer.info.roles && self.tunnel_v4 == peer.info.tunnel_v4 &&
               self.tunnel_v6 == peer.info.tunnel_v6;
      };
      EXPECT_TRUE(std::any_of(configs.begin(), configs.end(), same)) << peer.info.name;
    }
    EXPECT_EQ(config.node.services[0].vips, configs[0].node.services[0].vips);
  }
}

}  // namespace
}  // namespace migd
