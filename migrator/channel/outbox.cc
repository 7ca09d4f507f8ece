#include "migrator/channel/outbox.h"

#include <algorithm>

#include "base/check.h"

namespace migd::channel {

MessageFrame OutMessage::frame_of(const OutFragment& fragment) const {
  MessageFrame part = frame;
  part.offset = fragment.offset;
  part.size = fragment.size;
  part.tag = fragment.tag;
  if (fragment.offset == 0) part.head = head;
  return part;
}

void OutMessage::seal(OutFragment& fragment, Bytes& scratch) {
  if (relayed() || fragment.sealed) return;
  scratch.clear();
  ByteWriter out(scratch);
  write_associated(out, frame_of(fragment));
  const MutableBytes text = MutableBytes(body).subspan(fragment.offset, fragment.size);
  fragment.tag = sealer->body_send.seal(make_nonce(frame.number, fragment.offset), scratch, text);
  fragment.sealed = true;
  sealer->sealed_bytes += fragment.size;
}

ByteView OutMessage::sealed_bytes(const OutFragment& fragment) const {
  if (relayed()) return fragment.relayed;
  return ByteView(body).subspan(fragment.offset, fragment.size);
}

void cut(OutMessage& message, std::size_t room) {
  MIGD_CHECK(room > kMessageFrameSize + kHeadMax);
  std::size_t offset = 0;
  do {
    const std::size_t frame_size = kMessageFrameSize + (offset == 0 ? message.head.size() : 0);
    OutFragment fragment;
    fragment.offset = static_cast<std::uint32_t>(offset);
    fragment.size =
        static_cast<std::uint16_t>(std::min(room - frame_size, message.body.size() - offset));
    offset += fragment.size;
    message.fragments.push_back(std::move(fragment));
  } while (offset < message.body.size());
}

Outbox::~Outbox() {
  for (const std::shared_ptr<OutMessage>& message : messages_)
    message->finished = true;
}

void Outbox::add(const std::shared_ptr<OutMessage>& message, Instant now) {
  message->progress = now;
  message->place = messages_.insert(messages_.end(), message);
  charge(*message, message->head.size() + message->body.size() + kMessageOverhead);
  for (std::uint32_t i = 0; i < message->fragments.size(); ++i)
    queue(message, i);
}

void Outbox::queue(const std::shared_ptr<OutMessage>& message, std::uint32_t index) {
  const bool alone = message->whole && message->fragments.size() == 1;
  (alone ? short_ : long_).push_back({message, index});
}

void Outbox::charge(OutMessage& message, std::size_t bytes) {
  message.charge += bytes;
  charged_ += bytes;
}

void Outbox::uncharge(OutMessage& message, std::size_t bytes) {
  MIGD_CHECK(bytes <= message.charge && bytes <= charged_);
  message.charge -= bytes;
  charged_ -= bytes;
}

FragmentRef* Outbox::front() {
  for (std::deque<FragmentRef>* queue : {&again_, &short_, &long_}) {
    while (!queue->empty() && !queue->front().wanted())
      queue->pop_front();
    if (!queue->empty()) return &queue->front();
  }
  return nullptr;
}

void Outbox::pop() {
  for (std::deque<FragmentRef>* queue : {&again_, &short_, &long_}) {
    if (queue->empty()) continue;
    queue->pop_front();
    return;
  }
}

void Outbox::on_acked(const FragmentRef& ref, Instant now) {
  OutMessage& message = *ref.message;
  if (message.finished || ref.fragment().state == OutFragment::State::kAcked) return;
  ref.fragment().state = OutFragment::State::kAcked;
  message.progress = now;
  if (message.relayed()) {
    uncharge(message, ref.fragment().relayed.size() + kFragmentOverhead);
    ref.fragment().relayed = Bytes();
  }
  if (++message.acked == message.fragments.size() && message.whole) finish(message);
}

void Outbox::on_lost(const FragmentRef& ref) {
  if (ref.message->finished || ref.fragment().state != OutFragment::State::kSent) return;
  ref.fragment().state = OutFragment::State::kQueued;
  again_.push_back(ref);
}

void Outbox::finish(OutMessage& message) {
  MIGD_CHECK(!message.finished);
  message.finished = true;
  uncharge(message, message.charge);
  message.body = Bytes();  // records of sent packets may still point to the message
  for (OutFragment& fragment : message.fragments)
    fragment.relayed = Bytes();
  const auto place = message.place;
  message.place = {};
  messages_.erase(place);
}

}  // namespace migd::channel
