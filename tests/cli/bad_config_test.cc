// Every wrong configuration is refused with one line that says where and what was expected.
#include <gtest/gtest.h>

#include "tests/cli/config_text.h"

namespace migd {
namespace {

struct Bad {
  std::string_view from;  // of kFullConfig; empty: `to` goes to its end
  std::string_view to;
  std::string_view line;  // behind "/nowhere/a.toml:"
};

std::string change(const Bad& bad) {
  if (bad.from.empty()) return std::string(kFullConfig) + std::string(bad.to);
  return replaced(kFullConfig, bad.from, bad.to);
}

class BadConfig : public testing::TestWithParam<Bad> {};

TEST_P(BadConfig, IsRefusedWithItsLine) {
  const Result<Config> config = read_text(change(GetParam()));
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().text, "/nowhere/a.toml:" + std::string(GetParam().line));
  EXPECT_EQ(config.error().code, ErrorCode::kInvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(
    Syntax, BadConfig,
    testing::Values(
        Bad{"mtu = 1400",
            "mtu = =", "12: Error while parsing value: could not determine value type"},
        Bad{"[[peer]]\nname = \"b\"", "[[peer]\nname = \"b\"",
            "55: Error while parsing table header: expected ']', saw '\\n'"},
        Bad{"id = 1\n", "id = 1\nid = 2\n",
            "6: Error while parsing key-value pair: cannot redefine existing integer 'id'"},
        Bad{"[log]", "[admin]",
            "27: Error while parsing table header: cannot redefine existing table 'admin'"},
        Bad{R"("a.sock")", R"("a.sock)",
            "25: Error while parsing string: unescaped control characters other than TAB (U+0009) "
            "are explicitly prohibited"}));

INSTANTIATE_TEST_SUITE_P(
    Keys, BadConfig,
    testing::Values(
        Bad{"config_version = 1\n", "", "1: config_version: missing, expected 1"},
        Bad{"config_version = 1", "config_version = 2", "1: config_version: expected 1, got 2"},
        Bad{"name = \"a\"\n", "naem = \"a\"\n", "4: node.naem: unknown key, did you mean 'name'?"},
        Bad{"[tunnel]", "[tunel]", "42: tunel: unknown key, did you mean 'tunnel'?"},
        Bad{"heartbeat =", "hartbeat =",
            "49: channel.hartbeat: unknown key, did you mean 'heartbeat'?"},
        Bad{"loss =", "losses =", "16: link.fault.losses: unknown key, did you mean 'loss'?"},
        Bad{R"(protocol = "http")", R"(proto = "http")",
            "73: service.classify.proto: unknown key, did you mean 'protocol'?"},
        Bad{R"(method = "POST")", R"(verb = "POST")", "79: service.rule.match.verb: unknown key"},
        Bad{"policy =", "polciy =",
            "85: service.pool.all.polciy: unknown key, did you mean 'policy'?"},
        Bad{"", "[cluster]\nmode = \"static\"\n", "98: cluster: unknown key"},
        Bad{"name = \"a\"\n", "",
            "3: node.name: missing, expected a name of at most 63 letters, digits, '.', '_' and "
            "'-', begun by a letter or digit"},
        Bad{"[link]\nkind = \"packet\"\n", "[link]\n",
            R"(8: link.kind: missing, expected "tun" or "packet")"},
        Bad{"device = \"migd0p\"\n", "",
            "8: link.device: missing, expected the name of a device, at most 15 characters"},
        Bad{R"(kind = "packet")", R"(kind = "tun")",
            R"(11: link.device: expected only with kind = "packet")"},
        Bad{"root = \"www\"\n", "", "87: application.root: missing, expected the folder to serve"},
        Bad{"address = \"unix:app.sock\"\n", "",
            "92: application.address: missing, expected \"tcp:HOST:PORT\" or \"unix:PATH\""},
        Bad{R"(root = "www")", R"(address = "unix:x")",
            R"(90: application.address: expected only with kind = "relay")"},
        Bad{R"(kind = "files")", R"(kind = "echo")",
            R"(90: application.root: expected only with kind = "files")"},
        Bad{"key_file = \"a.key\"\n", "",
            "46: channel.key_file: missing, expected the path of a key file or an array of two"},
        Bad{"vip = [\"10.77.100.1:80\", \"[fd77::100:1]:80\"]\n", "",
            "70: service.vip: missing, expected an array of \"ADDRESS:PORT\" or \"[IPV6]:PORT\""},
        Bad{"default = \"pool:all\"\n", "",
            R"(70: service.default: missing, expected "node:NAME" or "pool:NAME")"},
        Bad{"application = \"files\"\ndefault", "default",
            "70: service.application: missing, expected the name of an application"}));

INSTANTIATE_TEST_SUITE_P(
    Types, BadConfig,
    testing::Values(
        Bad{"mtu = 1400", R"(mtu = "1400")",
            "12: link.mtu: expected an integer from 1280 to 65535, got '1400'"},
        Bad{R"(name = "a")", "name = 7",
            "4: node.name: expected a name of at most 63 letters, digits, '.', '_' and '-', begun "
            "by a letter or digit, got 7"},
        Bad{"id = 1\n", "id = 1.5\n", "5: node.id: expected an integer from 1 to 65534, got 1.5"},
        Bad{R"(roles = ["forwarder", "classifier", "host"])", R"(roles = "host")",
            "6: node.roles: expected an array of \"forwarder\", \"classifier\" and \"host\", each "
            "at most once, got 'host'"},
        Bad{R"(roles = ["forwarder", "classifier", "host"])", R"(roles = ["forwarder", 7])",
            "6: node.roles: expected an array of \"forwarder\", \"classifier\" and \"host\", each "
            "at most once, got 7"},
        Bad{"timestamps = false", R"(timestamps = "no")",
            "35: tcp.timestamps: expected true or false, got 'no'"},
        Bad{"[[peer]]\nname = \"b\"", "[peer]\nname = \"b\"",
            "63: Error while parsing table header: cannot redefine existing table 'peer' as "
            "array-of-tables"},
        Bad{"loss = 0.5", R"(loss = "50%")",
            "16: link.fault.loss: expected a probability from 0.0 to 1.0, got '50%'"},
        Bad{"gue_port = 6081", "gue_port = 1979-05-27",
            "44: tunnel.gue_port: expected an integer from 1 to 65535, got a date or time"},
        Bad{R"(public_key = "ZVrJ0WorBfBHMypjKWlf1U2PZzmaGLifjd4RlBxREMc=")", "public_key = 7",
            "67: peer.public_key: expected a public key (base64, as migd keygen prints it) or an "
            "array of two, got 7"},
        Bad{R"(nodes = ["a", "b"])", "nodes = []",
            "84: service.pool.all.nodes: expected an array of names of nodes, got an empty "
            "array"}));

INSTANTIATE_TEST_SUITE_P(
    Values, BadConfig,
    testing::Values(
        Bad{R"(name = "a")", R"(name = "")",
            "4: node.name: expected a name of at most 63 letters, digits, '.', '_' and '-', begun "
            "by a letter or digit, got ''"},
        Bad{R"(name = "a")", R"(name = "a b")",
            "4: node.name: expected a name of at most 63 letters, digits, '.', '_' and '-', begun "
            "by a letter or digit, got 'a b'"},
        Bad{R"(name = "a")", R"(name = "a\nb")",
            "4: node.name: expected a name of at most 63 letters, digits, '.', '_' and '-', begun "
            "by a letter or digit, got 'a?b'"},
        Bad{"id = 1\n", "id = 0\n", "5: node.id: expected an integer from 1 to 65534, got 0"},
        Bad{"id = 1\n", "id = 65535\n",
            "5: node.id: expected an integer from 1 to 65534, got 65535"},
        Bad{"\"classifier\", \"host\"]\n\n[link]", "\"clasifier\", \"host\"]\n\n[link]",
            "6: node.roles: expected an array of \"forwarder\", \"classifier\" and \"host\", each "
            "at most once, got 'clasifier'"},
        Bad{"\"classifier\", \"host\"]\n\n[link]", "\"host\", \"host\"]\n\n[link]",
            "6: node.roles: expected an array of \"forwarder\", \"classifier\" and \"host\", each "
            "at most once, got 'host'"},
        Bad{"mtu = 1400", "mtu = 1279",
            "12: link.mtu: expected an integer from 1280 to 65535, got 1279"},
        Bad{R"(name = "migd0")", R"(name = "a-very-long-device")",
            "10: link.name: expected the name of a device, at most 15 characters, got "
            "'a-very-long-device'"},
        Bad{R"(name = "migd0")", R"(name = "../net")",
            "10: link.name: expected the name of a device, at most 15 characters, got '../net'"},
        Bad{"loss = 0.5", "loss = 1.5",
            "16: link.fault.loss: expected a probability from 0.0 to 1.0, got 1.5"},
        Bad{"loss = 0.5", "loss = nan",
            "16: link.fault.loss: expected a probability from 0.0 to 1.0, got nan"},
        Bad{R"(delay = "5ms")", R"(delay = "5")",
            R"(20: link.fault.delay: expected a duration from "0s" to "10s", got '5')"},
        Bad{R"(level = "debug")", R"(level = "loud")",
            "29: log.level: expected \"debug\" or \"info\" or \"warn\" or \"error\", got 'loud'"},
        Bad{R"(window = "512KiB")", R"(window = "512KB")",
            R"(33: tcp.window: expected a size from "4KiB" to "8MiB", got '512KB')"},
        Bad{R"(window = "512KiB")", R"(window = "9MiB")",
            R"(33: tcp.window: expected a size from "4KiB" to "8MiB", got '9MiB')"},
        Bad{R"(window = "512KiB")", "window = 524288",
            R"(33: tcp.window: expected a size from "4KiB" to "8MiB", got 524288)"},
        Bad{R"(send_buffer = "1MiB")", R"(send_buffer = "99999999999GiB")",
            "34: tcp.send_buffer: expected a size from \"4KiB\" to \"8MiB\", got '99999999999GiB'"},
        Bad{R"(keepalive = "60s")", R"(keepalive = "10ms")",
            R"(37: tcp.keepalive: expected "0s" (off) or at least "1s")"},
        Bad{R"(keepalive = "60s")", R"(keepalive = "-5s")",
            R"(37: tcp.keepalive: expected a duration from "0s" to "24h", got '-5s')"},
        Bad{R"(keepalive = "60s")", R"(user_timeout = "10ms")",
            R"(37: tcp.user_timeout: expected "0s" (off) or at least "1s")"},
        Bad{R"(keepalive = "60s")", R"(min_rto = "1ms")",
            R"(37: tcp.min_rto: expected a duration from "5ms" to "5s", got '1ms')"},
        Bad{R"(keepalive = "60s")", R"(congestion_control = "vegas")",
            R"(37: tcp.congestion_control: expected "cubic" or "reno", got 'vegas')"},
        Bad{"syn_backlog = 77", "syn_backlog = 65536",
            "38: tcp.syn_backlog: expected an integer from 0 to 65535, got 65536"},
        Bad{"max_connections = 5000", "max_connections = 0",
            "40: tcp.max_connections: expected an integer from 1 to 1048576, got 0"},
        Bad{"max_connections = 5000", R"(memory = "512KiB")",
            R"(40: tcp.memory: expected a size from "1MiB" to "1024GiB", got '512KiB')"},
        Bad{R"(heartbeat = "100ms")", R"(heartbeat = "1.5s")",
            "49: channel.heartbeat: expected a duration from \"10ms\" to \"1m\", got '1.5s'"},
        Bad{R"(dead_after = "2s")", R"(dead_after = "150ms")",
            "50: channel.dead_after: expected at least two heartbeats"},
        Bad{"port = 7947", "port = 6081",
            "47: channel.port: expected another port than tunnel.gue_port"},
        Bad{"port = 7947", "port = 70000",
            "47: channel.port: expected an integer from 1 to 65535, got 70000"},
        Bad{R"(timeout = "3s")", R"(timeout = "2h")",
            "53: migrate.timeout: expected a duration from \"10ms\" to \"1h\", got '2h'"},
        Bad{R"(socket = "a.sock")",
            "socket = "
            "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
            "xxxxxxxxxxxxxxxxxxxxxxxx\"",
            "25: admin.socket: expected a path of at most 107 bytes, got 117"},
        Bad{R"("10.77.200.1", "fd77)", R"("10.77.200", "fd77)",
            "43: tunnel.address: expected an array of one IPv4 address, one IPv6 address, or both, "
            "got '10.77.200'"},
        Bad{R"("fd77::200:1"])", R"("10.77.200.9"])",
            "43: tunnel.address: expected an array of one IPv4 address, one IPv6 address, or both, "
            "got two of one family"},
        Bad{R"(address = ["10.77.200.1", "fd77::200:1"])", R"(address = ["224.0.0.1"])",
            "43: tunnel.address: expected an array of one IPv4 address, one IPv6 address, or both, "
            "got '224.0.0.1'"},
        Bad{R"(public_key = "ZVrJ0)", R"(public_key = "VrJ0)",
            "67: peer.public_key: expected a public key (base64, as migd keygen prints it), got "
            "'VrJ0WorBfBHMypjKWlf1U2PZzmaGLifjd4RlBxREMc='"},
        Bad{R"(kind = "files")", R"(kind = "file")",
            "89: application.kind: expected \"files\" or \"upload\" or \"echo\" or \"discard\" or "
            "\"source\" or \"relay\", got 'file'"},
        Bad{R"("unix:app.sock")", R"("tcp:localhost:0")",
            "95: application.address: expected \"tcp:HOST:PORT\" or \"unix:PATH\", got "
            "'tcp:localhost:0'"},
        Bad{R"("unix:app.sock")", R"("http://app")",
            "95: application.address: expected \"tcp:HOST:PORT\" or \"unix:PATH\", got "
            "'http://app'"},
        Bad{"proxy_protocol = 2", "proxy_protocol = 1",
            "96: application.proxy_protocol: expected 2, got 1"},
        Bad{R"(key_file = "a.key")", R"(key_file = ["a", "b", "c"])",
            "48: channel.key_file: expected the path of a key file or an array of two, got an "
            "array"}));

INSTANTIATE_TEST_SUITE_P(
    Meaning, BadConfig,
    testing::Values(
        Bad{R"(name = "b")", R"(name = "a")", "56: peer.name: the name 'a' is taken already"},
        Bad{R"(name = "k")", R"(name = "b")", "64: peer.name: the name 'b' is taken already"},
        Bad{"id = 2", "id = 1", "57: peer.id: the id 1 is taken already, by a"},
        Bad{R"("10.77.200.2")", R"("10.77.200.1")",
            "58: peer.tunnel_address: the address 10.77.200.1 is taken already, by a"},
        Bad{R"(public_key = "ZVrJ0WorBfBHMypjKWlf1U2PZzmaGLifjd4RlBxREMc=")",
            R"(public_key = "U7FrST4o4738swxiXdTj3gOobYTHUNKoTih/YdqSUsw=")",
            "67: peer.public_key: the key U7FrST4o4738swxiXdTj3gOobYTHUNKoTih/YdqSUsw= is taken "
            "already, by b"},
        Bad{R"(address = ["10.77.200.1", "fd77::200:1"])", R"(address = ["fd77::200:1"])",
            "55: peer.tunnel_address: expected an address of a family that tunnel.address has too"},
        Bad{R"(address = ["10.77.200.1", "fd77::200:1"])", R"(address = ["10.77.200.1"])",
            "72: service.vip: expected an address of a family that tunnel.address has, it has no "
            "IPv6 address"},
        Bad{R"("10.77.100.1:80")", R"("10.77.100.1")",
            "72: service.vip: expected an array of \"ADDRESS:PORT\" or \"[IPV6]:PORT\", got "
            "'10.77.100.1'"},
        Bad{R"("10.77.100.1:80")", R"("10.77.100.1:0")",
            "72: service.vip: expected an array of \"ADDRESS:PORT\" or \"[IPV6]:PORT\", got "
            "'10.77.100.1:0'"},
        Bad{R"("10.77.100.1:80")", R"("10.77.100.1:99999")",
            "72: service.vip: expected an array of \"ADDRESS:PORT\" or \"[IPV6]:PORT\", got "
            "'10.77.100.1:99999'"},
        Bad{R"("10.77.100.1:80")", R"("localhost:80")",
            "72: service.vip: expected an array of \"ADDRESS:PORT\" or \"[IPV6]:PORT\", got "
            "'localhost:80'"},
        Bad{R"("10.77.100.1:80")", R"("10.77.200.2:80")",
            "72: service.vip: expected an address of its own, 10.77.200.2 is the tunnel address of "
            "'b'"},
        Bad{R"("[fd77::100:1]:80")", R"("10.77.100.1:80")",
            "72: service.vip: the VIP 10.77.100.1:80 is taken already"},
        Bad{R"(default = "pool:all")", R"(default = "all")",
            R"(75: service.default: expected "node:NAME" or "pool:NAME", got 'all')"},
        Bad{R"(default = "pool:all")", R"(default = "pool:al")",
            "75: service.default: expected the name of a pool of this service, got 'al', did you "
            "mean 'all'?"},
        Bad{R"(target = "node:b")", R"(target = "node:c")",
            "80: service.rule.target: expected the name of this node or a peer, got 'c'"},
        Bad{R"(target = "node:b")", R"(target = "node:k")",
            "80: service.rule.target: expected a node with the role \"host\", 'k' has it not"},
        Bad{R"(nodes = ["a", "b"])", R"(nodes = ["a", "h1"])",
            "84: service.pool.all.nodes: expected the name of this node or a peer, got 'h1'"},
        Bad{R"(nodes = ["a", "b"])", R"(nodes = ["a", "b", "a"])",
            "84: service.pool.all.nodes: expected each node once, got 'a' twice"},
        Bad{R"(nodes = ["a", "b"])", R"(nodes = ["b", "k"])",
            "84: service.pool.all.nodes: expected a node with the role \"host\", 'k' has it not"},
        Bad{"[service.pool.all]", R"([service.pool."a b"])",
            "83: service.pool: expected a name of at most 63 letters, digits, '.', '_' and '-', "
            "begun by a letter or digit, got 'a b'"},
        Bad{R"(application = "files")", R"(application = "flies")",
            "74: service.application: expected the name of an [[application]] of this node, got "
            "'flies', did you mean 'files'?"},
        Bad{R"(target = "node:b")", R"(target = "node:a")",
            "81: service.rule.application: expected the name of an [[application]] of this node, "
            "got 'upload'"},
        Bad{"match = { method = \"POST\", host = \"example.com\", path_prefix = \"/upload\" }",
            "match = {}",
            "79: service.rule.match: expected at least one of method, host and path_prefix"},
        Bad{R"(path_prefix = "/upload")", R"(path_prefix = "upload")",
            "79: service.rule.match.path_prefix: expected a path that begins with '/', got "
            "'upload'"},
        Bad{R"(protocol = "http")", R"(protocol = "none")",
            "79: service.rule.match: expected no rules, for classify.protocol is \"none\""},
        Bad{R"(on = "request", protocol = "http", max_bytes = "4KiB", timeout = "250ms")",
            R"(on = "syn")",
            "79: service.rule.match: expected no rules, for classify.on is not \"request\""},
        Bad{R"(on = "request", protocol = "http")", R"(on = "call", protocol = "http")",
            "73: service.classify.protocol: expected only with on = \"request\""},
        Bad{R"(policy = "round-robin")", R"(policy = "random")",
            "85: service.pool.all.policy: expected \"round-robin\" or \"least-loaded\", got "
            "'random'"},
        Bad{"", "[[application]]\nname = \"app\"\nkind = \"echo\"\n",
            "99: application.name: the application name 'app' is taken already"},
        Bad{"",
            "[[service]]\nname = \"web\"\nvip = [\"10.77.100.2:80\"]\napplication = "
            "\"files\"\ndefault = \"node:a\"\n",
            "99: service.name: the service name 'web' is taken already"},
        Bad{"",
            "[[service]]\nname = \"web2\"\nvip = [\"10.77.100.1:80\"]\napplication = "
            "\"files\"\ndefault = \"node:a\"\n",
            "100: service.vip: the VIP 10.77.100.1:80 is taken already, by service web"}));

}  // namespace
}  // namespace migd
