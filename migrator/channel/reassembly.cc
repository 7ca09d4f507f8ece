#include "migrator/channel/reassembly.h"

#include <algorithm>

#include "base/limits.h"

namespace migd::channel {
namespace {

constexpr std::size_t kPartialOverhead = 512;      // what a half message costs besides its bytes
constexpr std::size_t kUnopenedRemembered = 1024;  // fragments, of one origin
constexpr std::size_t kFirstAllocation = 64 << 10;
constexpr std::uint16_t kFragmentMin = 512;  // of those between the first and the last

// All parts of a message agree on these, and none is so small that holding it costs more than it
// is.
bool fits(const MessageFrame& frame, std::uint8_t kind, bool undeliverable, std::uint32_t body_size,
          std::uint16_t head_size) {
  const bool inner = frame.offset > 0 && frame.offset + frame.size < frame.body_size;
  return frame.kind == kind && frame.undeliverable == undeliverable &&
         frame.body_size == body_size && frame.head_size == head_size &&
         (!inner || frame.size >= kFragmentMin);
}

}  // namespace

bool Reassembly::Partial::has(const MessageFrame& frame) const {
  if (frame.offset == 0) return has_head;
  return frame.offset < body.size() || ahead.count(frame.offset) != 0;
}

std::size_t Reassembly::reserved_bytes(NodeId origin) const {
  const auto found = origins_.find(origin.value);
  return found == origins_.end() ? 0 : found->second.reserved;
}

void Reassembly::erase(Origin& origin, std::uint64_t number) {
  const auto found = origin.partials.find(number);
  if (found == origin.partials.end()) return;
  origin.reserved -= found->second.body_size + kPartialOverhead;
  origin.partials.erase(found);
}

// For good: its number counts as delivered.
Verdict Reassembly::refuse(Origin& origin, const MessageFrame& frame, const Partial* partial,
                           Refusal reason) {
  refusals_.count(reason);
  Verdict verdict;
  if (!frame.undeliverable) {
    const bool known = partial != nullptr && partial->has_head;
    verdict.undelivered = Undelivered{frame.origin, frame.destination, frame.kind,
                                      known ? partial->head : to_bytes(frame.head), reason};
  }
  origin.delivered.add(frame.number);
  erase(origin, frame.number);
  return verdict;
}

// It may have been damaged on the last hop, or be faster than the HELLO that tells us the keys:
// then it comes again and is good. Damaged on an earlier hop it stays bad: its origin must be told,
// and for that we need the head.
Verdict Reassembly::not_opened(Origin& origin, const MessageFrame& frame, const Partial* partial,
                               Refusal reason) {
  if (origin.unopened.size() >= kUnopenedRemembered) origin.unopened.clear();
  const int times = ++origin.unopened[{frame.number, frame.offset}];
  const bool head_known = frame.offset == 0 || (partial != nullptr && partial->has_head);
  if (times >= tuning_.open_tries && head_known) {
    origin.unopened.erase({frame.number, frame.offset});
    return refuse(origin, frame, partial, reason);
  }
  refusals_.count(reason);
  return Verdict{.acknowledge = false, .delivery = {}, .undelivered = {}};
}

bool Reassembly::open(const MessageFrame& frame, ByteView sealed, const Session& session,
                      std::uint8_t* text) {
  scratch_.clear();
  ByteWriter out(scratch_);
  write_associated(out, frame);
  return session.body_receive.open(make_nonce(frame.number, frame.offset), scratch_, sealed,
                                   frame.tag, text);
}

std::optional<Refusal> Reassembly::cannot_begin(const Origin& origin,
                                                const MessageFrame& frame) const {
  const std::size_t needed = frame.body_size + kPartialOverhead;
  if (frame.body_size > limits::kBlobMax || needed > bytes_max_) return Refusal::kOversized;
  if (origin.reserved + needed > bytes_max_ ||
      origin.partials.size() >= tuning_.partial_messages_max) {
    return Refusal::kMemory;
  }
  return std::nullopt;
}

Verdict Reassembly::on_fragment(const MessageFrame& frame, ByteView sealed, const Session* session,
                                Instant now) {
  Origin& origin = origins_[frame.origin.value];
  if (origin.delivered.contains(frame.number)) {
    if (origin.delivered.forgotten(frame.number)) refusals_.count(Refusal::kStaleMessage);
    return {};
  }
  const auto found = origin.partials.find(frame.number);
  if (session == nullptr) {
    const Partial* known = found == origin.partials.end() ? nullptr : &found->second;
    return not_opened(origin, frame, known, Refusal::kBodySession);
  }
  Partial fresh;
  Partial& partial = found == origin.partials.end() ? fresh : found->second;
  if (found == origin.partials.end()) {
    if (const std::optional<Refusal> reason = cannot_begin(origin, frame)) {
      if (*reason == Refusal::kOversized) return refuse(origin, frame, nullptr, *reason);
      refusals_.count(*reason);
      return Verdict{.acknowledge = false, .delivery = {}, .undelivered = {}};
    }
    partial.kind = frame.kind;
    partial.undeliverable = frame.undeliverable;
    partial.body_size = frame.body_size;
    partial.head_size = frame.head_size;
  }
  if (partial.has(frame)) return {};
  Verdict verdict = take(origin, partial, frame, sealed, *session, now);
  const bool begun = &partial == &fresh && verdict.acknowledge && !verdict.delivery &&
                     !origin.delivered.contains(frame.number);
  if (begun) {
    origin.reserved += frame.body_size + kPartialOverhead;
    origin.partials.emplace(frame.number, std::move(partial));
  }
  return verdict;
}

Verdict Reassembly::take(Origin& origin, Partial& partial, const MessageFrame& frame,
                         ByteView sealed, const Session& session, Instant now) {
  const bool next = frame.offset == partial.body.size();
  Bytes apart;
  Bytes& to = next ? partial.body : apart;
  const std::size_t before = to.size();
  if (to.capacity() < before + frame.size) {
    const std::size_t grown = std::max(4 * to.capacity(), next ? kFirstAllocation : frame.size);
    to.reserve(std::max<std::size_t>(before + frame.size,
                                     std::min<std::size_t>(grown, partial.body_size)));
  }
  to.resize(before + frame.size);
  if (!open(frame, sealed, session, to.data() + before)) {
    to.resize(before);
    return not_opened(origin, frame, &partial, Refusal::kBodyForged);
  }
  // Authentic from here on: what is wrong now is the origin's doing.
  partial.bytes_received += frame.size;
  partial.last = now;
  if (!fits(frame, partial.kind, partial.undeliverable, partial.body_size, partial.head_size) ||
      partial.bytes_received > partial.body_size) {
    return refuse(origin, frame, &partial, Refusal::kMalformed);
  }
  if (frame.offset == 0) {
    partial.has_head = true;
    partial.head = to_bytes(frame.head);
  }
  if (!next) partial.ahead.emplace(frame.offset, std::move(apart));
  while (!partial.ahead.empty() && partial.ahead.begin()->first <= partial.body.size()) {
    const auto following = partial.ahead.begin();
    if (following->first < partial.body.size()) {
      return refuse(origin, frame, &partial, Refusal::kMalformed);  // they overlap
    }
    append(partial.body, following->second);
    partial.ahead.erase(following);
  }
  if (!partial.whole()) return {};
  return deliver(origin, frame, partial);
}

Verdict Reassembly::deliver(Origin& origin, const MessageFrame& frame, Partial& partial) {
  Verdict verdict;
  verdict.delivery = Delivery{frame.origin, partial.undeliverable, partial.kind,
                              std::move(partial.head), std::move(partial.body)};
  origin.delivered.add(frame.number);
  erase(origin, frame.number);
  return verdict;
}

void Reassembly::forget(NodeId origin) {
  origins_.erase(origin.value);
}

void Reassembly::expire(Instant now) {
  for (auto& [node, origin] : origins_) {
    for (auto it = origin.partials.begin(); it != origin.partials.end();) {
      if (now - it->second.last < tuning_.partial_idle_max) {
        ++it;
        continue;
      }
      refusals_.count(Refusal::kTimedOut);
      origin.delivered.add(it->first);
      origin.reserved -= it->second.body_size + kPartialOverhead;
      it = origin.partials.erase(it);
    }
  }
}

}  // namespace migd::channel
