// What forwarder and classifier are told of the cluster and of its services. Plain values; cli/
// fills them from the configuration, tests by hand.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/address.h"
#include "base/ids.h"
#include "base/time.h"

namespace migd {

struct Roles {
  bool forwarder = false;   // receives clients' packets, owns mappings
  bool classifier = false;  // accepts connections whose owner is not chosen yet
  bool host = false;        // has applications
  bool operator==(const Roles&) const = default;
};

struct NodeInfo {
  NodeId id;
  std::string name;
  Roles roles;
  std::optional<IpAddress> tunnel_v4;  // at least one of the two
  std::optional<IpAddress> tunnel_v6;

  const std::optional<IpAddress>& tunnel(Family family) const {
    return family == Family::kIpv4 ? tunnel_v4 : tunnel_v6;
  }
};

// Where a rule sends a connection: one node, or the best of a pool.
struct NodeTarget {
  NodeId node;
};
struct PoolTarget {
  std::string pool;
};
using RuleTarget = std::variant<NodeTarget, PoolTarget>;

// All conditions that are set must hold. Text is compared as HTTP compares it: method and path
// exactly, host without case and port.
struct RuleMatch {
  std::optional<std::string> method;
  std::optional<std::string> host;
  std::optional<std::string> path_prefix;
};

struct ServiceRule {
  std::string name;  // for logs; "rule 1", ... when the configuration gives none
  RuleMatch match;
  RuleTarget target;
  std::string application;
};

struct Pool {
  std::string name;
  std::vector<NodeId> nodes;  // those that are not ready are passed over
  enum class Policy { kRoundRobin, kLeastLoaded };
  Policy policy = Policy::kRoundRobin;
};

struct ServiceOptions {
  std::string name;
  std::vector<Endpoint> vips;

  // When the node is chosen: once the SYN is answered, by the default rule; once the first bytes
  // are read; or by nobody here: the connection stays unbound until it is bound or moved by call.
  enum class On { kSyn, kRequest, kCall };
  On on = On::kRequest;
  enum class Protocol { kHttp, kNone };  // kNone: the default rule at once
  Protocol protocol = Protocol::kHttp;
  std::size_t classify_bytes_max = 8192;  // request head beyond it: the default rule
  Duration classify_timeout = 500ms;      // nothing decisive by then: the default rule
  Duration placement_timeout = 10s;       // no node takes it by then: the connection is aborted

  std::vector<ServiceRule> rules;  // the first that matches
  RuleTarget default_target;
  std::string default_application;
  std::vector<Pool> pools;
};

}  // namespace migd
