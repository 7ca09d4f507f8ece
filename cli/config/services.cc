// [[service]]: addresses that clients connect to, and the rules that choose a node.
#include <algorithm>

#include "cli/config/checks.h"
#include "cli/config/sections.h"

namespace migd {
namespace {

using enum Presence;
constexpr std::string_view kTargetExpected = "\"node:NAME\" or \"pool:NAME\"";

std::vector<std::string> names_of(const std::map<std::string, NodeInfo>& nodes) {
  std::vector<std::string> names;
  names.reserve(nodes.size());
  for (const auto& [name, node] : nodes)
    names.push_back(name);
  return names;
}

// Reads one [[service]]; what its parts share is here.
class ServiceReader {
 public:
  ServiceReader(TableReader& table, Draft& draft) : table_(table), draft_(draft) {}

  void read() {
    read_name();
    read_vips();
    table_.table("classify", kOptional, [this](TableReader& t) { read_classify(t); });
    table_.named_tables(
        "pool", [this](const Placed<std::string>& name, TableReader& t) { read_pool(name, t); });
    read_default();
    table_.tables("rule", [this](TableReader& t) { read_rule(t); });
    draft_.config.node.services.push_back(std::move(service_));
  }

 private:
  void read_name() {
    const auto name = table_.text("name", kRequired, kNameExpected);
    if (!name) return;
    if (!is_name(name->value)) {
      table_.complain(name->place, "name", expected_got(kNameExpected, name->value));
    }
    claim(draft_, table_, name->place, "name", "the service name '" + name->value + "'",
          "another [[service]]");
    service_.name = name->value;
  }

  void read_vips() {
    constexpr std::string_view kExpected = "an array of \"ADDRESS:PORT\" or \"[IPV6]:PORT\"";
    for (const auto& text : table_.texts("vip", kRequired, kExpected)) {
      const Result<Endpoint> vip = Endpoint::parse(text.value);
      if (!vip || vip->port == 0 || !is_unicast(vip->address)) {
        table_.complain(text.place, "vip", expected_got(kExpected, text.value));
        continue;
      }
      check_vip(text.place, *vip);
      service_.vips.push_back(*vip);
    }
  }

  void check_vip(Place place, const Endpoint& vip) {
    const std::string address = vip.address.to_string();
    if (const auto owner = draft_.owners.find("the address " + address);
        owner != draft_.owners.end()) {
      table_.complain(place, "vip",
                      "expected an address of its own, " + address + " is the tunnel address of '" +
                          owner->second + "'");
    }
    if (!draft_.config.node.self.tunnel(vip.address.family())) {
      const std::string family = vip.address.is_v4() ? "IPv4" : "IPv6";
      table_.complain(place, "vip",
                      "expected an address of a family that tunnel.address has, it has no " +
                          family + " address");
    }
    claim(draft_, table_, place, "vip", "the VIP " + vip.to_string(), "service " + service_.name);
  }

  void read_classify(TableReader& classify) {
    using On = ServiceOptions::On;
    if (const auto on = classify.choice("on", kOptional, {"request", "syn", "call"})) {
      service_.on = std::array{On::kRequest, On::kSyn, On::kCall}[*on];
      if (service_.on != On::kRequest) {
        for (const std::string_view key : {"protocol", "max_bytes", "timeout"})
          classify.only_with(key, "on = \"request\"");
      }
    }
    if (classify.choice("protocol", kOptional, {"http", "none"}) == 1) {
      service_.protocol = ServiceOptions::Protocol::kNone;
    }
    if (const auto size = classify.size("max_bytes", 64, 64u << 10)) {
      service_.classify_bytes_max = size->value;
    }
    if (const auto timeout = classify.duration("timeout", 1ms, 60s)) {
      service_.classify_timeout = timeout->value;
    }
  }

  void read_pool(const Placed<std::string>& name, TableReader& table) {
    if (!is_name(name.value)) {
      table_.complain(name.place, "pool", expected_got(kNameExpected, name.value));
    }
    Pool pool{name.value, {}, {}};
    if (table.choice("policy", kOptional, {"round-robin", "least-loaded"}) == 1) {
      pool.policy = Pool::Policy::kLeastLoaded;
    }
    for (const auto& node : table.texts("nodes", kRequired, "an array of names of nodes")) {
      const std::optional<NodeId> id = host_called(table, node, "nodes");
      if (!id) continue;
      if (std::count(pool.nodes.begin(), pool.nodes.end(), *id) != 0) {
        table.complain(node.place, "nodes",
                       "expected each node once, got '" + node.value + "' twice");
      }
      pool.nodes.push_back(*id);
    }
    service_.pools.push_back(std::move(pool));
  }

  void read_default() {
    const auto application = table_.text("application", kRequired, kApplicationExpected);
    if (application) service_.default_application = application->value;
    if (const auto target = read_target(table_, "default")) {
      service_.default_target = *target;
      if (application) check_application(table_, *application, *target);
    }
  }

  void read_rule(TableReader& table) {
    ServiceRule rule;
    const auto name = table.text("name", kOptional, "a name");
    rule.name = name ? name->value : "rule " + std::to_string(service_.rules.size() + 1);
    table.table("match", kRequired, [&](TableReader& match) { read_match(match, rule.match); });
    const auto application = table.text("application", kOptional, kApplicationExpected);
    rule.application = application ? application->value : service_.default_application;
    if (const auto target = read_target(table, "target")) {
      rule.target = *target;
      if (application) check_application(table, *application, *target);
    }
    service_.rules.push_back(std::move(rule));
  }

  void read_match(TableReader& table, RuleMatch& match) {
    constexpr std::string_view kPathExpected = "a path that begins with '/'";
    if (const auto method = table.text("method", kOptional, "an HTTP method")) {
      match.method = method->value;
    }
    if (const auto host = table.text("host", kOptional, "the name of a host")) {
      match.host = host->value;
    }
    if (const auto path = table.text("path_prefix", kOptional, kPathExpected)) {
      match.path_prefix = path->value;
      if (path->value.front() != '/') {
        table.complain(path->place, "path_prefix", expected_got(kPathExpected, path->value));
      }
    }
    if (service_.on != ServiceOptions::On::kRequest) {
      table.complain_here("expected no rules, for classify.on is not \"request\"");
    } else if (service_.protocol == ServiceOptions::Protocol::kNone) {
      table.complain_here("expected no rules, for classify.protocol is \"none\"");
    } else if (!match.method && !match.host && !match.path_prefix) {
      table.complain_here("expected at least one of method, host and path_prefix");
    }
  }

  std::optional<RuleTarget> read_target(TableReader& table, std::string_view key) {
    const auto text = table.text(key, kRequired, kTargetExpected);
    if (!text) return std::nullopt;
    const std::size_t colon = text->value.find(':');
    const std::string kind = text->value.substr(0, colon);
    const Placed<std::string> name{colon == std::string::npos ? "" : text->value.substr(colon + 1),
                                   text->place};
    if (name.value.empty() || (kind != "node" && kind != "pool")) {
      table.complain(text->place, key, expected_got(kTargetExpected, text->value));
      return std::nullopt;
    }
    if (kind == "pool") return pool_called(table, name, key);
    const auto node = host_called(table, name, key);
    if (!node) return std::nullopt;
    return NodeTarget{*node};
  }

  std::optional<RuleTarget> pool_called(TableReader& table, const Placed<std::string>& name,
                                        std::string_view key) {
    std::vector<std::string> known;
    for (const Pool& pool : service_.pools) {
      if (pool.name == name.value) return PoolTarget{name.value};
      known.push_back(pool.name);
    }
    table.complain_unknown(name, key, "a pool of this service", known);
    return std::nullopt;
  }

  std::optional<NodeId> host_called(TableReader& table, const Placed<std::string>& name,
                                    std::string_view key) {
    const auto found = draft_.nodes.find(name.value);
    if (found == draft_.nodes.end()) {
      table.complain_unknown(name, key, "this node or a peer", names_of(draft_.nodes));
      return std::nullopt;
    }
    if (!found->second.roles.host) {
      table.complain_reference(
          name.place, key,
          "expected a node with the role \"host\", '" + name.value + "' has it not");
    }
    return found->second.id;
  }

  // Other nodes' applications are their own business; what may come to this one must be here.
  void check_application(TableReader& table, const Placed<std::string>& application,
                         const RuleTarget& target) {
    if (!may_choose_self(target)) return;
    std::vector<std::string> known;
    for (const ApplicationOptions& option : draft_.config.node.applications) {
      if (option.name == application.value) return;
      known.push_back(option.name);
    }
    table.complain_unknown(application, "application", "an [[application]] of this node", known);
  }

  bool may_choose_self(const RuleTarget& target) const {
    const NodeId self = draft_.config.node.self.id;
    if (const auto* node = std::get_if<NodeTarget>(&target)) return node->node == self;
    const std::string& name = std::get<PoolTarget>(target).pool;
    return std::any_of(service_.pools.begin(), service_.pools.end(), [&](const Pool& pool) {
      return pool.name == name && std::count(pool.nodes.begin(), pool.nodes.end(), self) != 0;
    });
  }

  static constexpr std::string_view kApplicationExpected = "the name of an application";

  TableReader& table_;
  Draft& draft_;
  ServiceOptions service_;
};

}  // namespace

void read_service(TableReader& service, Draft& draft) {
  ServiceReader(service, draft).read();
}

}  // namespace migd
