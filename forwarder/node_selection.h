// Node selection: which node of a pool gets the next connection. Round robin for now; others
// (least connections, hash) implement Selection as well.
#pragma once

#include <map>
#include <optional>
#include <string>
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

}  // namespace migd
