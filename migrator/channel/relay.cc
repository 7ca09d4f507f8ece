#include "migrator/channel/relay.h"

#include <algorithm>

#include "base/limits.h"

namespace migd::channel {
namespace {

bool has_head(const OutMessage& message) {
  return std::any_of(message.fragments.begin(), message.fragments.end(),
                     [](const OutFragment& fragment) { return fragment.offset == 0; });
}

Undelivered undelivered_of(const OutMessage& message, Refusal reason) {
  const MessageFrame& frame = message.frame;
  return {frame.origin, frame.destination, frame.kind, message.head, reason};
}

}  // namespace

std::map<Relay::Name, Relay::Passing>::iterator Relay::erase(std::map<Name, Passing>::iterator it) {
  --count_[std::get<0>(it->first)];
  return passing_.erase(it);
}

// Without the head its origin cannot be told: then the fragment is left to come again.
Relay::Taken Relay::give_up(const Name& name, const MessageFrame& frame, Link* next,
                            Refusal reason) {
  refusals_.count(reason);
  Taken taken;
  const auto found = passing_.find(name);
  const bool head_held = found != passing_.end() && found->second.has_head;
  if (frame.offset != 0 && !head_held) {
    taken.verdict.acknowledge = false;
    return taken;
  }
  if (!frame.undeliverable) {
    taken.verdict.undelivered =
        Undelivered{frame.origin, frame.destination, frame.kind,
                    head_held ? found->second.message->head : to_bytes(frame.head), reason};
  }
  done_[{frame.origin, frame.destination}].add(frame.number);
  if (found != passing_.end()) {
    if (next != nullptr) next->outbox().finish(*found->second.message);
    erase(found);
  }
  return taken;
}

std::optional<Refusal> Relay::cannot_take(const Passing* passing, const MessageFrame& frame,
                                          Link& next) const {
  if (frame.body_size > limits::kBlobMax || frame.wire_size() + frame.size > next.room()) {
    return Refusal::kOversized;
  }
  if (passing == nullptr) {
    const auto count = count_.find(frame.origin);
    if (count != count_.end() && count->second >= tuning_.partial_messages_max) {
      return Refusal::kMemory;
    }
  } else {
    const MessageFrame& first = passing->message->frame;
    if (first.body_size != frame.body_size || first.head_size != frame.head_size ||
        first.kind != frame.kind || first.body_session != frame.body_session ||
        first.undeliverable != frame.undeliverable ||
        passing->bytes + frame.size > frame.body_size) {
      return Refusal::kMalformed;
    }
  }
  const std::size_t bytes =
      frame.wire_size() + frame.size + Outbox::kFragmentOverhead + Outbox::kMessageOverhead;
  return next.outbox().has_room(bytes) ? std::nullopt : std::optional(Refusal::kMemory);
}

Relay::Passing& Relay::begin(const Name& name, const MessageFrame& frame, Link& next, Instant now) {
  Passing& passing = passing_[name];
  ++count_[frame.origin];
  passing.message = std::make_shared<OutMessage>();
  passing.message->frame = frame;
  passing.message->frame.head = {};
  passing.message->whole = false;
  passing.message->held = true;
  next.outbox().add(passing.message, now);
  return passing;
}

void Relay::take(Passing& passing, const MessageFrame& frame, ByteView sealed, Link& next) {
  OutMessage& message = *passing.message;
  passing.offsets.insert(frame.offset);
  passing.bytes += frame.size;
  OutFragment fragment;
  fragment.offset = frame.offset;
  fragment.size = frame.size;
  fragment.sealed = true;
  fragment.tag = frame.tag;
  fragment.relayed = to_bytes(sealed);
  next.outbox().charge(message, sealed.size() + frame.head.size() + Outbox::kFragmentOverhead);
  if (frame.offset == 0) {
    passing.has_head = true;
    message.head = to_bytes(frame.head);
  }
  message.fragments.push_back(std::move(fragment));
  message.whole = passing.has_head && passing.bytes == frame.body_size;
  if (!message.held) {
    const auto index = static_cast<std::uint32_t>(message.fragments.size() - 1);
    next.outbox().queue(passing.message, index);
  }
}

Relay::Taken Relay::on_fragment(const MessageFrame& frame, ByteView sealed, Link* next,
                                Instant now) {
  if (done_[{frame.origin, frame.destination}].contains(frame.number)) return {};
  const Name name{frame.origin, frame.destination, frame.number};
  if (next == nullptr) return give_up(name, frame, nullptr, Refusal::kNoRoute);
  const auto found = passing_.find(name);
  Passing* passing = found == passing_.end() ? nullptr : &found->second;
  if (passing != nullptr && passing->offsets.count(frame.offset) != 0) return {};
  if (const std::optional<Refusal> reason = cannot_take(passing, frame, *next)) {
    if (*reason != Refusal::kMemory) return give_up(name, frame, next, *reason);
    refusals_.count(*reason);
    Taken taken;
    taken.verdict.acknowledge = false;
    return taken;
  }
  if (passing == nullptr) passing = &begin(name, frame, *next, now);
  take(*passing, frame, sealed, *next);
  passing->last = now;
  Taken taken;
  if (frame.offset == 0) taken.to_announce = passing->message;
  if (passing->message->whole) {
    done_[{frame.origin, frame.destination}].add(frame.number);
    erase(passing_.find(name));
  }
  return taken;
}

void Relay::release(const std::shared_ptr<OutMessage>& message, Link& next) {
  message->held = false;
  for (std::uint32_t i = 0; i < message->fragments.size(); ++i)
    next.outbox().queue(message, i);
}

void Relay::forget(NodeId origin, const std::function<Link*(NodeId)>& link_to) {
  for (auto it = passing_.begin(); it != passing_.end();) {
    const auto [from, to, number] = it->first;
    if (from != origin) {
      ++it;
      continue;
    }
    OutMessage& message = *it->second.message;
    if (Link* link = link_to(to); link != nullptr && !message.finished) {
      link->outbox().finish(message);
    }
    it = erase(it);
  }
  for (auto it = done_.begin(); it != done_.end();) {
    it = it->first.first == origin ? done_.erase(it) : std::next(it);
  }
}

void Relay::on_link_down(NodeId destination, Link& link, std::vector<Undelivered>& undelivered) {
  for (const std::shared_ptr<OutMessage>& message : link.outbox().messages()) {
    if (!message->relayed() || !has_head(*message) || message->frame.undeliverable) continue;
    refusals_.count(Refusal::kNoRoute);
    undelivered.push_back(undelivered_of(*message, Refusal::kNoRoute));
  }
  for (auto it = passing_.begin(); it != passing_.end();) {
    const auto [from, to, number] = it->first;
    if (to != destination) {
      ++it;
      continue;
    }
    if (it->second.has_head) done_[{from, to}].add(number);
    it = erase(it);
  }
}

void Relay::expire(NodeId destination, Link& link, Instant now,
                   std::vector<Undelivered>& undelivered) {
  const auto give_up = [&](OutMessage& message) {
    refusals_.count(Refusal::kTimedOut);
    if (has_head(message) && !message.frame.undeliverable) {
      undelivered.push_back(undelivered_of(message, Refusal::kTimedOut));
    }
    link.outbox().finish(message);
  };
  for (auto it = passing_.begin(); it != passing_.end();) {
    const auto [from, to, number] = it->first;
    if (to != destination || now - it->second.last < tuning_.partial_idle_max) {
      ++it;
      continue;
    }
    done_[{from, to}].add(number);
    give_up(*it->second.message);
    it = erase(it);
  }
  std::vector<std::shared_ptr<OutMessage>> stuck;
  for (const std::shared_ptr<OutMessage>& message : link.outbox().messages()) {
    if (message->relayed() && message->whole && now - message->progress >= tuning_.relay_idle_max) {
      stuck.push_back(message);
    }
  }
  for (const std::shared_ptr<OutMessage>& message : stuck)
    give_up(*message);
}

}  // namespace migd::channel
