// [node], [tunnel], [channel], [[peer]]: who is in the cluster.
#include <algorithm>

#include "base/limits.h"
#include "cli/config/checks.h"
#include "cli/config/sections.h"
#include "cli/file.h"
#include "cli/keys.h"

namespace migd {
namespace {

using enum Presence;

std::string read_name(TableReader& table, Draft& draft) {
  const auto name = table.text("name", kRequired, kNameExpected);
  if (!name) return "";
  if (!is_name(name->value)) {
    table.complain(name->place, "name", expected_got(kNameExpected, name->value));
    return "";
  }
  claim(draft, table, name->place, "name", "the name '" + name->value + "'", name->value);
  return name->value;
}

NodeId read_id(TableReader& table, Draft& draft, const std::string& owner) {
  const auto id = table.integer("id", kRequired, 1, kNodeIdMax);
  if (!id) return {};
  claim(draft, table, id->place, "id", "the id " + std::to_string(id->value), owner);
  return NodeId{static_cast<std::uint16_t>(id->value)};
}

Roles read_roles(TableReader& table) {
  constexpr std::string_view kExpected =
      "an array of \"forwarder\", \"classifier\" and \"host\", each at most once";
  Roles roles;
  for (const auto& role : table.texts("roles", kRequired, kExpected)) {
    bool* const flag = role.value == "forwarder"    ? &roles.forwarder
                       : role.value == "classifier" ? &roles.classifier
                       : role.value == "host"       ? &roles.host
                                                    : nullptr;
    if (flag == nullptr || *flag) {
      table.complain(role.place, "roles", expected_got(kExpected, role.value));
    } else {
      *flag = true;
    }
  }
  return roles;
}

void read_tunnel_addresses(TableReader& table, std::string_view key, Draft& draft,
                           const std::string& owner, NodeInfo& info) {
  constexpr std::string_view kExpected = "an array of one IPv4 address, one IPv6 address, or both";
  for (const auto& text : table.texts(key, kRequired, kExpected)) {
    const Result<IpAddress> address = IpAddress::parse(text.value);
    if (!address || !is_unicast(*address)) {
      table.complain(text.place, key, expected_got(kExpected, text.value));
      continue;
    }
    auto& slot = address->is_v4() ? info.tunnel_v4 : info.tunnel_v6;
    if (slot) {
      table.complain(text.place, key,
                     "expected " + std::string(kExpected) + ", got two of one family");
      continue;
    }
    slot = *address;
    claim(draft, table, text.place, key, "the address " + address->to_string(), owner);
  }
}

void add_node(Draft& draft, const NodeInfo& info) {
  if (!info.name.empty()) draft.nodes.emplace(info.name, info);
}

// The secret is checked here, but never shown, whatever is wrong with it.
void read_key(TableReader& channel, const Placed<std::string>& file, Draft& draft) {
  const std::string path = draft.absolute(file.value);
  const Result<SecretKey> key = read_key_file(path);
  if (key) {
    draft.config.node.secret_keys.push_back(*key);
    if (others_may_read(path)) {
      draft.warn(file.place, "channel.key_file",
                 path + " can be read by others than its owner; run: chmod 600 " + path);
    }
  } else if (key.error().code == ErrorCode::kNotFound &&
             draft.secrets == SecretPolicy::kWarnIfAbsent) {
    draft.warn(file.place, "channel.key_file",
               path + " is not there; make it with: migd keygen --out " + path);
  } else if (key.error().code == ErrorCode::kNotFound) {
    channel.complain(
        file.place, "key_file",
        "expected a key file, " + path + " is not there; make it with: migd keygen --out " + path);
  } else {
    channel.complain(file.place, "key_file", "expected a key file, got " + key.error().text);
  }
}

void read_public_keys(TableReader& table, Draft& draft, PeerOptions& peer) {
  constexpr std::string_view kExpected = "a public key (base64, as migd keygen prints it)";
  for (const auto& text : table.one_or_two_texts("public_key", kRequired, kExpected)) {
    const Result<PublicKey> key = parse_public_key(text.value);
    if (!key) {
      table.complain(text.place, "public_key", expected_got(kExpected, text.value));
      continue;
    }
    claim(draft, table, text.place, "public_key", "the key " + text.value, peer.info.name);
    peer.public_keys.push_back(*key);
  }
}

}  // namespace

void read_node(TableReader& node, Draft& draft) {
  NodeInfo& self = draft.config.node.self;
  self.name = read_name(node, draft);
  self.id = read_id(node, draft, self.name);
  self.roles = read_roles(node);
  add_node(draft, self);
}

void read_tunnel(TableReader& tunnel, Draft& draft) {
  NodeOptions& node = draft.config.node;
  read_tunnel_addresses(tunnel, "address", draft, node.self.name, node.self);
  if (const auto port = tunnel.integer("gue_port", Presence::kOptional, 1, 65535)) {
    node.gue_port = static_cast<std::uint16_t>(port->value);
  }
}

void read_channel(TableReader& channel, Draft& draft) {
  NodeOptions& node = draft.config.node;
  if (const auto port = channel.integer("port", Presence::kOptional, 1, 65535)) {
    node.channel_port = static_cast<std::uint16_t>(port->value);
    if (node.channel_port == node.gue_port) {
      channel.complain(port->place, "port", "expected another port than tunnel.gue_port");
    }
  }
  if (const auto heartbeat = channel.duration("heartbeat", 10ms, 60s)) {
    node.heartbeat = heartbeat->value;
  }
  const auto dead_after = channel.duration("dead_after", 20ms, 10min);
  if (dead_after) node.dead_after = dead_after->value;
  if (node.dead_after < 2 * node.heartbeat) {
    channel.complain(dead_after ? dead_after->place : channel.place(), "dead_after",
                     "expected at least two heartbeats");
  }
  const auto files = channel.one_or_two_texts("key_file", kRequired, "the path of a key file");
  for (const auto& file : files)
    read_key(channel, file, draft);
}

void read_peer(TableReader& table, Draft& draft) {
  PeerOptions peer;
  peer.info.name = read_name(table, draft);
  peer.info.id = read_id(table, draft, peer.info.name);
  peer.info.roles = read_roles(table);
  read_tunnel_addresses(table, "tunnel_address", draft, peer.info.name, peer.info);
  read_public_keys(table, draft, peer);

  NodeOptions& node = draft.config.node;
  const bool common_v4 = node.self.tunnel_v4 && peer.info.tunnel_v4;
  const bool common_v6 = node.self.tunnel_v6 && peer.info.tunnel_v6;
  if (table.has("tunnel_address") && !common_v4 && !common_v6) {
    table.complain(table.place(), "tunnel_address",
                   "expected an address of a family that tunnel.address has too");
  }
  if (node.peers.size() == limits::kPeersMax) {
    table.complain(table.place(), "name",
                   "expected at most " + std::to_string(limits::kPeersMax) + " peers");
    return;
  }
  add_node(draft, peer.info);
  node.peers.push_back(std::move(peer));
}

}  // namespace migd
