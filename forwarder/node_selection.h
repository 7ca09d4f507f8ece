// Node selection: which node of a pool gets the next connection, by the state of all of them: ready
// or draining, and for LeastLoaded how many connections they have and how busy they are.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "forwarder/health.h"
#include "forwarder/options.h"

namespace migd {

class Selection {
 public:
  virtual ~Selection() = default;
  // A ready node of the pool that is not among `except`; nothing when there is none.
  virtual std::optional<NodeId> select(const Pool& pool, const NodeHealth& health,
                                       const std::vector<NodeId>& except) = 0;
};

// In turn, passing over nodes that are not ready.
class RoundRobin : public Selection {
 public:
  std::optional<NodeId> select(const Pool& pool, const NodeHealth& health,
                               const std::vector<NodeId>& except) override;

 private:
  std::map<std::string, std::size_t, std::less<>> next_;  // by pool name
};

// The fewest connections: as reported, and those that were given since the report. Nodes that are
// almost out of processor time come last; among equals in turn.
class LeastLoaded : public Selection {
 public:
  static constexpr std::uint16_t kBusyPermille = 900;

  std::optional<NodeId> select(const Pool& pool, const NodeHealth& health,
                               const std::vector<NodeId>& except) override;

 private:
  struct Given {
    std::uint64_t report = 0;  // since this one
    std::uint32_t connections = 0;
  };
  std::map<NodeId, Given> given_;
  std::size_t turn_ = 0;
};

// Where else connections of `self` with that application may live: the other nodes of the targets
// of the service's rules, the default one included, that name the application. If such targets
// contain `self`, only those count: one of their rules has brought the connection there. Without
// an application all rules count.
std::vector<NodeId> nodes_beside(const ServiceOptions& service, std::string_view application,
                                 NodeId self);

}  // namespace migd
