#include "tests/sim/net.h"

#include <algorithm>
#include <utility>

namespace migd::sim {
namespace {

void damage(SimRng& rng, Bytes& packet) {
  const auto ip = addresses_of(packet);
  if (!ip || packet.size() <= ip->header_size) return;
  const std::size_t bit = rng.between(ip->header_size * 8, packet.size() * 8 - 1);
  packet[bit / 8] = static_cast<std::uint8_t>(packet[bit / 8] ^ 1u << bit % 8);
}

}  // namespace

PortId SimNet::add_port(std::string name) {
  ports_.push_back({.name = std::move(name), .deliver = {}, .filter = {}});
  return ports_.size() - 1;
}

void SimNet::add_route(const IpAddress& address, PortId port) {
  routes_[address].push_back(port);
}

void SimNet::remove_route(const IpAddress& address, PortId port) {
  std::erase(routes_[address], port);
}

SimNet::Path& SimNet::path_state(PortId from, PortId to) {
  const auto found = paths_.find({from, to});
  if (found != paths_.end()) return found->second;
  Path fresh{.options = defaults_, .rng = SimRng::split(seed_, 1000 + from * 256 + to)};
  return paths_.emplace(std::pair(from, to), std::move(fresh)).first->second;
}

PathOptions& SimNet::path(PortId from, PortId to) {
  return path_state(from, to).options;
}

void SimNet::partition(PortId a, PortId b, bool blocked) {
  path(a, b).blocked = blocked;
  path(b, a).blocked = blocked;
}

void SimNet::isolate(PortId port, bool blocked) {
  ports_[port].isolated = blocked;
}

std::size_t SimNet::flow_hash(const Addresses& addresses, ByteView packet) {
  std::size_t hash = 14695981039346656037u;
  const auto mix = [&hash](ByteView bytes) {
    for (const std::uint8_t byte : bytes)
      hash = (hash ^ byte) * 1099511628211u;
  };
  mix(addresses.src.bytes());
  mix(addresses.dst.bytes());
  if (packet.size() >= addresses.header_size + 4) mix(packet.subspan(addresses.header_size, 4));
  return hash;
}

std::optional<PortId> SimNet::route(const Addresses& addresses, ByteView packet) const {
  const auto found = routes_.find(addresses.dst);
  if (found == routes_.end() || found->second.empty()) return std::nullopt;
  const auto& choices = found->second;
  if (choices.size() == 1) return choices.front();
  return choices[flow_hash(addresses, packet) % choices.size()];
}

void SimNet::send(PortId from, Bytes packet) {
  if (!ports_[from].up) return;
  if (!ports_[from].filter) return transmit(from, std::move(packet));
  for (Bytes& changed : ports_[from].filter(std::move(packet)))
    transmit(from, std::move(changed));
}

void SimNet::transmit(PortId from, Bytes packet) {
  const auto addresses = addresses_of(packet);
  if (!addresses) return;
  const auto to = route(*addresses, packet);
  if (!to) return;
  ++sent_;
  report(Crossing::Point::kSent, from, *to, packet);
  Path& path = path_state(from, *to);
  const bool blocked = path.options.blocked || ports_[from].isolated || ports_[*to].isolated;
  if (blocked || path.rng.chance(path.options.loss)) {
    return report(Crossing::Point::kLost, from, *to, packet);
  }
  if (path.rng.chance(path.options.duplicate)) travel(from, *to, path, packet);
  travel(from, *to, path, std::move(packet));
}

Instant SimNet::arrival(Path& path, Port& to, ByteView packet, bool& lost) {
  const PathOptions& options = path.options;
  Instant start = world_.now();
  if (options.bytes_per_second > 0) {
    to.free_at = std::max(to.free_at, start);
    lost = to.free_at - start > options.queue_max;
    if (lost) return start;
    to.free_at += Duration(std::int64_t{1'000'000'000} * static_cast<std::int64_t>(packet.size()) /
                           static_cast<std::int64_t>(options.bytes_per_second));
    start = to.free_at;
  }
  const auto random = [&path](Duration most) {
    return Duration(
        static_cast<std::int64_t>(path.rng.below(static_cast<std::uint64_t>(most.count()) + 1)));
  };
  Instant when = start + options.delay;
  if (options.jitter > Duration::zero()) when += random(options.jitter);
  if (path.rng.chance(options.reorder)) return when + random(options.reorder_delay);
  std::size_t queue = 0;
  if (options.queue_skew > Duration::zero()) {
    queue = flow_hash(*addresses_of(packet), packet) % path.last_arrival.size();
    when += options.queue_skew * queue / (path.last_arrival.size() - 1);
  }
  Instant& last = path.last_arrival[queue];
  last = std::max(last, when);
  return last;
}

void SimNet::travel(PortId from, PortId to, Path& path, Bytes packet) {
  bool lost = false;
  const Instant when = arrival(path, ports_[to], packet, lost);
  if (lost) return report(Crossing::Point::kLost, from, to, packet);
  if (path.rng.chance(path.options.corrupt)) damage(path.rng, packet);
  world_.schedule(when, [this, from, to, packet = std::move(packet)]() mutable {
    arrive(from, to, std::move(packet));
  });
}

void SimNet::arrive(PortId from, PortId to, Bytes packet) {
  const bool cut = ports_[from].isolated || ports_[to].isolated;
  if (cut || !ports_[to].up || !ports_[to].deliver)
    return report(Crossing::Point::kLost, from, to, packet);
  report(Crossing::Point::kDelivered, from, to, packet);
  ports_[to].deliver(std::move(packet));
}

void SimNet::report(Crossing::Point point, PortId from, PortId to, ByteView packet) {
  if (observers_.empty()) return;
  const std::optional<Segment> tcp = decode(packet);
  const Crossing crossing{point, world_.now(), from, to, packet, tcp ? &*tcp : nullptr};
  for (NetObserver* observer : observers_)
    observer->on_crossing(crossing);
}

}  // namespace migd::sim
