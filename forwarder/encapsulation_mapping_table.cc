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
  if (const auto it = entries_.find(key); it != entries_.end()) {
    if (it->second.mapping.connection != mapping.connection) {
      return fail(ErrorCode::kRefused, "flow identifier is in use");
    }
    it.value().mapping = mapping;
    if (it->second.is_retired()) link(key, it.value());
    return {};
  }
  if (entries_.size() >= max_) {
    return fail(ErrorCode::kTooLarge, "encapsulation mapping table is full");
  }
  link(key, entries_.insert({key, Entry{mapping}}).first.value());
  return {};
}

void EncapsulationMappingTable::unmap(const ConnectionId& connection, Instant now) {
  forget_retired(now);
  const auto first = first_of_.find(connection);
  if (first == first_of_.end()) return;
  for (Key key = first->second; key != kNone;) {
    Entry& entry = entries_.find(key).value();
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
  for (const auto& [key, entry] : entries_) {
    if (key >> 32 == from.value) stale.push_back(key);
  }
  for (const Key key : stale)
    erase(key);
}

const EncapsulationMapping* EncapsulationMappingTable::find(NodeId from, FlowId flow) const {
  const auto it = entries_.find(key_of(from, flow));
  return it == entries_.end() ? nullptr : &it->second.mapping;
}

// An entry may have gone with its forwarder's boot, or been mapped again, since it was retired.
void EncapsulationMappingTable::forget_retired(Instant now) {
  while (!retired_.empty() && retired_.front().until <= now) {
    const Retired due = retired_.front();
    retired_.pop_front();
    const auto it = entries_.find(due.key);
    if (it != entries_.end() && it->second.retired_until == due.until) erase(due.key);
  }
}

void EncapsulationMappingTable::erase(Key key) {
  const auto it = entries_.find(key);
  if (!it->second.is_retired()) unlink(key, it->second);
  entries_.erase(it);
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
  while (entries_.find(before)->second.next != key)
    before = entries_.find(before)->second.next;
  entries_.find(before).value().next = entry.next;
}

}  // namespace migd
