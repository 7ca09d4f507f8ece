// SimNet: the routers between nodes and clients. Each participant is a port with addresses; a
// packet goes from its sender's port to the port that its destination routes to, over the directed
// path between the two, which may lose, delay, reorder, repeat, damage, throttle or block it. Each
// path draws from a generator of its own, so what happens on one does not shift another.
//
// Observers see each packet when it is sent (before any fault, in the order in which the world sent
// it), when it is delivered, and when it is lost.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "base/time.h"
#include "tests/sim/segment.h"
#include "tests/support/sim_loop.h"
#include "tests/support/sim_rng.h"

namespace migd::sim {

struct PathOptions {
  Duration delay = 100us;
  Duration jitter{};  // uniform addition to the delay; the order stays as sent
  double loss = 0;
  double duplicate = 0;
  double corrupt = 0;  // one bit, anywhere behind the addresses
  double reorder = 0;  // chance of being held back by up to reorder_delay
  Duration reorder_delay = 1ms;
  // Of the last line, which all who send there share; 0: no limit.
  std::uint64_t bytes_per_second = 0;
  Duration queue_max = 200ms;  // of throttled packets; what would wait longer is lost
  // Among four queues, the slowest has so much more delay. Each flow keeps to one, so only packets
  // of different flows change places.
  Duration queue_skew{};
  bool blocked = false;
};

using PortId = std::size_t;

struct Crossing {
  enum class Point { kSent, kDelivered, kLost };
  Point point = Point::kSent;
  Instant at;  // world time
  PortId from = 0, to = 0;
  ByteView packet;
  const Segment* tcp = nullptr;  // decoded, when it is undamaged TCP
};

class NetObserver {
 public:
  virtual ~NetObserver() = default;
  virtual void on_crossing(const Crossing& crossing) = 0;
};

class SimNet {
 public:
  using Deliver = std::function<void(Bytes packet)>;
  // Changes what a port sends: the packets that leave instead of `packet`.
  using Filter = std::function<std::vector<Bytes>(Bytes packet)>;

  SimNet(SimLoop& world, std::uint64_t seed) : world_(world), seed_(seed) {}

  PortId add_port(std::string name);
  // Who takes what arrives there; nobody (null): it is lost.
  void set_deliver(PortId port, Deliver deliver) { ports_[port].deliver = std::move(deliver); }
  const std::string& name(PortId port) const { return ports_[port].name; }
  // Packets for `address` go to `port`; with several, each flow (its address pair and ports) sticks
  // to one of them.
  void add_route(const IpAddress& address, PortId port);
  void remove_route(const IpAddress& address, PortId port);

  PathOptions& path(PortId from, PortId to);  // made from defaults at first use
  void set_defaults(const PathOptions& options) { defaults_ = options; }
  // Blocks or frees every path between the two.
  void partition(PortId a, PortId b, bool blocked);
  // The same between the one and everybody; what is under way is lost, too.
  void isolate(PortId port, bool blocked);

  void observe(NetObserver* observer) { observers_.push_back(observer); }
  void set_filter(PortId port, Filter filter) { ports_[port].filter = std::move(filter); }
  // Packets on their way to the port are lost, and so is what it sends (its machine is off).
  void set_up(PortId port, bool up) { ports_[port].up = up; }

  void send(PortId from, Bytes packet);
  std::uint64_t sent() const { return sent_; }

 private:
  struct Port {
    std::string name;
    Deliver deliver;
    Filter filter;
    bool up = true;
    bool isolated = false;
    Instant free_at{};  // of the line that leads there, which all throttled paths share
  };
  struct Path {
    PathOptions options;
    SimRng rng;
    std::array<Instant, 4> last_arrival{};  // of each queue
  };

  Path& path_state(PortId from, PortId to);
  static std::size_t flow_hash(const Addresses& addresses, ByteView packet);
  std::optional<PortId> route(const Addresses& addresses, ByteView packet) const;
  void transmit(PortId from, Bytes packet);
  void travel(PortId from, PortId to, Path& path, Bytes packet);
  Instant arrival(Path& path, Port& to, ByteView packet, bool& lost);
  void arrive(PortId from, PortId to, Bytes packet);
  void report(Crossing::Point point, PortId from, PortId to, ByteView packet);

  SimLoop& world_;
  std::uint64_t seed_;
  PathOptions defaults_;
  std::deque<Port> ports_;
  std::map<IpAddress, std::vector<PortId>> routes_;
  std::map<std::pair<PortId, PortId>, Path> paths_;
  std::vector<NetObserver*> observers_;
  std::uint64_t sent_ = 0;
};

}  // namespace migd::sim
