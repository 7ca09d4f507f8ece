#include "forwarder/flow_ids.h"

#include <algorithm>

#include "base/limits.h"

namespace migd {
namespace {

constexpr int kRounds = 4;

std::uint16_t round_function(const SipKey& key, int round, std::uint16_t half) {
  const std::uint8_t input[3] = {static_cast<std::uint8_t>(round),
                                 static_cast<std::uint8_t>(half >> 8),
                                 static_cast<std::uint8_t>(half)};
  return static_cast<std::uint16_t>(siphash(key, input));
}

}  // namespace

std::uint32_t permute(const SipKey& key, std::uint32_t value) {
  auto left = static_cast<std::uint16_t>(value >> 16);
  auto right = static_cast<std::uint16_t>(value);
  for (int round = 0; round < kRounds; ++round) {
    const auto mixed = static_cast<std::uint16_t>(left ^ round_function(key, round, right));
    left = right;
    right = mixed;
  }
  return std::uint32_t{left} << 16 | right;
}

std::uint32_t unpermute(const SipKey& key, std::uint32_t value) {
  auto left = static_cast<std::uint16_t>(value >> 16);
  auto right = static_cast<std::uint16_t>(value);
  for (int round = kRounds; round-- > 0;) {
    const auto mixed = static_cast<std::uint16_t>(right ^ round_function(key, round, left));
    right = left;
    left = mixed;
  }
  return std::uint32_t{left} << 16 | right;
}

FlowIdLease FlowIdLessor::lease(Instant now) {
  constexpr Duration kTurnMin = 2 * limits::kMaximumSegmentLifetime;
  constexpr auto kBlock = static_cast<std::uint32_t>(limits::kFlowIdBlock);
  static_assert((std::uint64_t{1} << 32) % kBlock == 0, "blocks fill the counter exactly");
  if (next_ == 0) {
    if (turn_began_ && now - *turn_began_ < kTurnMin) return {};
    turn_began_ = now;
  }
  const FlowIdLease lease{next_, kBlock, key_};
  next_ += kBlock;
  return lease;
}

void FlowIdPool::add(const ForwarderBoot& from, const FlowIdLease& lease) {
  Leases& known = leases_[from.forwarder];
  if (known.boot != from.boot) known = Leases{from.boot, {}, 0};
  if (lease.count == 0 || known.blocks.size() >= kLeasesMax) return;
  FlowIdLease block = lease;
  block.count = std::min<std::uint32_t>(lease.count, limits::kFlowIdBlock);
  known.remaining += block.count;
  known.blocks.push_back(block);
}

std::optional<FlowId> FlowIdPool::take(NodeId forwarder) {
  const auto it = leases_.find(forwarder);
  if (it == leases_.end()) return std::nullopt;
  Leases& leases = it->second;
  while (!leases.blocks.empty()) {
    FlowIdLease& block = leases.blocks.front();
    const FlowId id{permute(block.key, block.first)};
    ++block.first;
    --leases.remaining;
    if (--block.count == 0) leases.blocks.pop_front();
    if (id != FlowId{}) return id;
  }
  return std::nullopt;
}

bool FlowIdPool::is_low(NodeId forwarder) const {
  const auto it = leases_.find(forwarder);
  return it == leases_.end() || it->second.remaining < limits::kFlowIdBlock / 2;
}

}  // namespace migd
