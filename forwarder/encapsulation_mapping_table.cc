#include "forwarder/encapsulation_mapping_table.h"

#include <utility>
#include <vector>

#include "base/limits.h"

namespace migd {

Result<void> EncapsulationMappingTable::map(NodeId from, Boot boot, FlowId flow,
                                            const EncapsulationMapping& mapping, Instant now) {
  forget_retired(now);
  if (const auto known = boots_.try_emplace(from, boot).first; known->second != boot) {
    return fail(ErrorCode::kRefused, "flow identifier of another boot of its forwarder");
  }
  const Key key = key_of(from, flow);
  if (Entry* const entry = entries_.find(key)) {
    if (entry->mapping.connection != mapping.connection) {
      return fail(ErrorCode::kRefused, "flow identifier is in use");
    }
    entry->mapping = mapping;
    if (entry->is_retired()) link(key, *entry);
    return {};
  }
  if (entries_.size() >= max_) {
    return fail(ErrorCode::kTooLarge, "encapsulation mapping table is full");
  }
  link(key, entries_.put(key, Entry{mapping}));
  return {};
}

void EncapsulationMappingTable::unmap(const ConnectionId& connection, Instant now) {
  forget_retired(now);
  const auto first = first_of_.find(connection);
  if (first == first_of_.end()) return;
  for (Key key = first->second; key != kNone;) {
    Entry& entry = *entries_.find(key);
    entry.retired_until = now + 2 * limits::kMaximumSegmentLifetime;
    retired_.push_back({entry.retired_until, key});
    key = std::exchange(entry.next, kNone);
  }
  first_of_.erase(first);
}

void EncapsulationMappingTable::set_boot(NodeId from, Boot boot) {
  const auto [known, is_new] = boots_.try_emplace(from, boot);
  if (is_new || known->second == boot) return;
  known->second = boot;
  std::vector<Key> stale;
  entries_.for_each([&](Key key, const Entry&) {
    if (key >> 32 == from.value) stale.push_back(key);
  });
  for (const Key key : stale)
    erase(key);
}

const EncapsulationMapping* EncapsulationMappingTable::find(NodeId from, FlowId flow) const {
  const Entry* const entry = entries_.find(key_of(from, flow));
  return entry == nullptr ? nullptr : &entry->mapping;
}

// An entry may have gone with its forwarder's boot, or been mapped again, since it was retired.
void EncapsulationMappingTable::forget_retired(Instant now) {
  while (!retired_.empty() && retired_.front().until <= now) {
    const Retired due = retired_.front();
    retired_.pop_front();
    const Entry* const entry = entries_.find(due.key);
    if (entry != nullptr && entry->retired_until == due.until) erase(due.key);
  }
}

void EncapsulationMappingTable::erase(Key key) {
  const Entry& entry = *entries_.find(key);
  if (!entry.is_retired()) unlink(key, entry);
  entries_.erase(key);
}

void EncapsulationMappingTable::link(Key key, Entry& entry) {
  const auto [first, is_only] = first_of_.try_emplace(entry.mapping.connection, key);
  entry.next = is_only ? kNone : first->second;
  entry.retired_until = kNever;
  first.value() = key;
}

void EncapsulationMappingTable::unlink(Key key, const Entry& entry) {
  const auto first = first_of_.find(entry.mapping.connection);
  if (first->second == key) {
    if (entry.next == kNone) {
      first_of_.erase(first);
    } else {
      first.value() = entry.next;
    }
    return;
  }
  Key before = first->second;
  while (entries_.find(before)->next != key)
    before = entries_.find(before)->next;
  entries_.find(before)->next = entry.next;
}

}  // namespace migd
