// A configuration that uses every key, as text to be changed by tests.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "cli/config/read.h"

namespace migd {

inline constexpr std::string_view kFullConfig = R"(config_version = 1

[node]
name = "a"
id = 1
roles = ["forwarder", "classifier", "host"]

[link]
kind = "packet"
name = "migd0"
device = "migd0p"
mtu = 1400
pcap = "all.pcap"

[link.fault]
loss = 0.5
duplicate = 0.25
reorder = 1
corrupt = 0.0
delay = "5ms"
jitter = "1ms"
seed = 7

[admin]
socket = "a.sock"

[log]
format = "json"
level = "debug"
file = "a.log"

[tcp]
window = "512KiB"
send_buffer = "1MiB"
timestamps = false
sack = false
keepalive = "60s"
syn_backlog = 77
syn_cookies = false
max_connections = 5000

[tunnel]
address = ["10.77.200.1", "fd77::200:1"]
gue_port = 6081

[channel]
port = 7947
key_file = "a.key"
heartbeat = "100ms"
dead_after = "2s"

[migrate]
timeout = "3s"

[[peer]]
name = "b"
id = 2
tunnel_address = ["10.77.200.2"]
public_key = ["U7FrST4o4738swxiXdTj3gOobYTHUNKoTih/YdqSUsw=",
              "giOg7YqbP8mEJJC84FoKNQD54SyThrH6RhWrX1jahRI="]
roles = ["host"]

[[peer]]
name = "k"
id = 3
tunnel_address = ["10.77.200.3"]
public_key = "ZVrJ0WorBfBHMypjKWlf1U2PZzmaGLifjd4RlBxREMc="
roles = ["classifier"]

[[service]]
name = "web"
vip = ["10.77.100.1:80", "[fd77::100:1]:80"]
classify = { on = "request", protocol = "http", max_bytes = "4KiB", timeout = "250ms" }
application = "files"
default = "pool:all"

[[service.rule]]
name = "uploads"
match = { method = "POST", host = "example.com", path_prefix = "/upload" }
target = "node:b"
application = "upload"

[service.pool.all]
nodes = ["a", "b"]
policy = "round-robin"

[[application]]
name = "files"
kind = "files"
root = "www"

[[application]]
name = "app"
kind = "relay"
address = "unix:app.sock"
proxy_protocol = 2
http_idle = false
)";

inline std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out(text);
  const std::size_t at = out.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  if (at != std::string::npos) out.replace(at, from.size(), to);
  return out;
}

inline Result<Config> read_text(std::string_view toml,
                                SecretPolicy secrets = SecretPolicy::kWarnIfAbsent) {
  ReadContext context;
  return read_config(toml, "/nowhere/a.toml", secrets, context);
}

}  // namespace migd
