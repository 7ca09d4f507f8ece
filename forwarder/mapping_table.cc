#include "forwarder/mapping_table.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/limits.h"

namespace migd {
namespace {

constexpr Duration kQuiet = 2 * limits::kMaximumSegmentLifetime;

// The node that answered the new connection's SYN has the mapped one: the tuple was free there.
bool accepted_by_owner(const MappingRequest& request, const Mapping& mapped) {
  return request.tenure.epoch <= Epoch{2} && request.tenure.connection.node == mapped.owner;
}

bool is_over(const Mapping& mapped, const MappingRequest& request, Instant now) {
  // Of one that is half-open it may be the same SYN, repeated, that the mapped one has answered.
  const bool syn_tells = mapped.syn_seen && !request.half_open;
  return syn_tells || accepted_by_owner(request, mapped) || now - mapped.last_used >= kQuiet;
}

bool supersedes(const MappingRequest& request, const Mapping& mapped, Instant now) {
  const ConnectionId& asked = request.tenure.connection;
  const ConnectionId known = mapped.tenure().connection;
  if (asked == known) {
    return request.tenure.epoch > mapped.epoch ||
           (request.tenure.epoch == mapped.epoch && request.owner == mapped.owner);
  }
  if (asked.node == known.node && asked.boot == known.boot) return asked.counter > known.counter;
  if (mapped.half_open && !request.half_open) return true;
  return is_over(mapped, request, now);
}

}  // namespace

MappingTable::MappingTable(const MappingTableOptions& options, const SipKey& key)
    : options_(options),
      hash_{key},
      slab_(options.mappings_max),
      index_(0, Hash{this}, Equal{this}) {
  MIGD_CHECK(options.mappings_max > 0);
}

Result<NodeId> MappingTable::install(const MappingRequest& request, Instant now) {
  const auto found = index_.find(request.tuple);
  if (found == index_.end()) {
    add(request, now);
    return NodeId{};
  }
  Mapping& mapped = slab_[*found].mapping;
  if (!supersedes(request, mapped, now)) return fail(ErrorCode::kRefused, "stale_epoch");
  if (mapped.tenure() != request.tenure) {
    mapped.previous_owner = mapped.owner;
    mapped.syn_seen = false;
  }
  // Who names no identifier does not take away the one that is known.
  if (request.flow != FlowId{} || mapped.tenure() != request.tenure) mapped.flow = request.flow;
  mapped.set_tenure(request.tenure);
  mapped.owner = request.owner;
  mapped.half_open = request.half_open;
  mapped.last_used = now;
  return mapped.previous_owner;
}

void MappingTable::add(const MappingRequest& request, Instant now) {
  if (size() >= options_.mappings_max) {
    erase(oldest());
    ++evictions_;
  }
  Number number;
  if (free_.empty()) {
    number = static_cast<Number>(slab_.size());
    slab_.emplace_back();
  } else {
    number = free_.back();
    free_.pop_back();
  }
  Entry& entry = slab_[number];
  entry.tuple = request.tuple;
  entry.mapping = Mapping{};
  entry.mapping.set_tenure(request.tenure);
  entry.mapping.last_used = now;
  entry.mapping.flow = request.flow;
  entry.mapping.owner = request.owner;
  entry.mapping.half_open = request.half_open;
  append_to_queue(number);
  index_.insert(number);
  if (options_.known_flows != nullptr) options_.known_flows->add(entry.tuple);
}

// The processor looks several steps ahead of a look-up that waits for memory, if the hash of the
// next one is known already.
void MappingTable::fetch(std::span<const FourTuple> tuples) const {
  constexpr std::size_t kAtOnce = 16;
  for (; !tuples.empty(); tuples = tuples.subspan(std::min(kAtOnce, tuples.size()))) {
    const std::size_t count = std::min(kAtOnce, tuples.size());
    std::array<std::size_t, kAtOnce> hashes;
    for (std::size_t i = 0; i < count; ++i)
      hashes[i] = hash_(tuples[i]);
    for (std::size_t i = 0; i < count; ++i) {
      const auto found = index_.find(tuples[i], hashes[i]);
      if (found != index_.end()) __builtin_prefetch(&slab_[*found].mapping, /*write=*/1);
    }
  }
}

bool MappingTable::remove(const FourTuple& tuple, const Tenure& tenure) {
  const auto found = index_.find(tuple);
  if (found == index_.end()) return false;
  const Tenure mapped = slab_[*found].mapping.tenure();
  if (mapped.connection != tenure.connection || mapped.epoch > tenure.epoch) return false;
  erase(*found);
  return true;
}

std::size_t MappingTable::remove_owner(NodeId owner) {
  std::size_t removed = 0;
  for (Number n = oldest_; n != kNone;) {
    const Number next = slab_[n].younger;
    if (slab_[n].mapping.owner == owner) {
      erase(n);
      ++removed;
    }
    n = next;
  }
  return removed;
}

Mapping* MappingTable::find(const FourTuple& tuple, Instant now) {
  const auto found = index_.find(tuple);
  if (found == index_.end()) return nullptr;
  Mapping& mapping = slab_[*found].mapping;
  mapping.last_used = now;
  return &mapping;
}

const Mapping* MappingTable::peek(const FourTuple& tuple) const {
  const auto found = index_.find(tuple);
  return found == index_.end() ? nullptr : &slab_[*found].mapping;
}

void MappingTable::for_each(
    const std::function<void(const FourTuple&, const Mapping&)>& visit) const {
  for (Number n = oldest_; n != kNone; n = slab_[n].younger)
    visit(slab_[n].tuple, slab_[n].mapping);
}

void MappingTable::erase(Number number) {
  index_.erase(number);
  if (options_.known_flows != nullptr) options_.known_flows->remove(slab_[number].tuple);
  take_from_queue(number);
  free_.push_back(number);
}

// ---- the queue, by the time of the last use as far as it is known ----

void MappingTable::append_to_queue(Number number) {
  Entry& entry = slab_[number];
  entry.queued_at = entry.mapping.last_used;
  entry.older = youngest_;
  entry.younger = kNone;
  (youngest_ == kNone ? oldest_ : slab_[youngest_].younger) = number;
  youngest_ = number;
}

void MappingTable::take_from_queue(Number number) {
  const Entry& entry = slab_[number];
  (entry.older == kNone ? oldest_ : slab_[entry.older].younger) = entry.younger;
  (entry.younger == kNone ? youngest_ : slab_[entry.younger].older) = entry.older;
}

// Each entry is moved at most once for each of its uses, so the cost is paid by those.
MappingTable::Number MappingTable::oldest() {
  while (oldest_ != kNone && slab_[oldest_].mapping.last_used > slab_[oldest_].queued_at) {
    const Number used = oldest_;
    take_from_queue(used);
    append_to_queue(used);
  }
  return oldest_;
}

Instant MappingTable::next_deadline() const {
  return oldest_ == kNone ? kNever : slab_[oldest_].queued_at + options_.idle_max;
}

void MappingTable::on_deadline(Instant now) {
  while (oldest() != kNone && slab_[oldest_].mapping.last_used + options_.idle_max <= now)
    erase(oldest_);
}

}  // namespace migd
