// Outbox: the messages that wait to be sent to one peer, or whose fragments it has not all
// acknowledged; those that begin here and those that are relayed.
#pragma once

#include <deque>
#include <list>
#include <memory>
#include <vector>

#include "migrator/channel/session.h"

namespace migd::channel {

struct OutFragment {
  enum class State : std::uint8_t { kQueued, kSent, kAcked };
  std::uint32_t offset = 0;
  std::uint16_t size = 0;
  State state = State::kQueued;
  bool sealed = false;
  Tag tag{};
  Bytes relayed;  // the sealed bytes of a relayed fragment; ours lie in OutMessage::body
};

struct OutMessage {
  MessageFrame frame;  // of every fragment: all but offset, size, tag and head
  Bytes head;
  Bytes body;                       // sealed in place, fragment by fragment, as they leave
  std::shared_ptr<Session> sealer;  // of origin and destination; null when relayed
  std::vector<OutFragment> fragments;
  std::size_t acked = 0;   // fragments
  bool whole = true;       // no more fragments will be added
  bool held = false;       // relayed, and its head was not shown to this node yet
  bool finished = false;   // acknowledged or given up
  Instant progress{};      // last acknowledged, or begun
  std::size_t charge = 0;  // bytes of the outbox's budget
  std::list<std::shared_ptr<OutMessage>>::iterator place;  // in the outbox, until finished

  bool relayed() const { return sealer == nullptr; }
  MessageFrame frame_of(const OutFragment& fragment) const;
  // Seals a fragment that begins here, unless it is sealed already.
  void seal(OutFragment& fragment, Bytes& scratch);
  ByteView sealed_bytes(const OutFragment& fragment) const;
};

// Cuts a message that begins here into fragments that each fill a datagram with `room` bytes for
// frames and bodies.
void cut(OutMessage& message, std::size_t room);

struct FragmentRef {
  std::shared_ptr<OutMessage> message;
  std::uint32_t index = 0;
  OutFragment& fragment() const { return message->fragments[index]; }
  bool wanted() const {
    return message && !message->finished && fragment().state == OutFragment::State::kQueued;
  }
};

class Outbox {
 public:
  explicit Outbox(std::size_t bytes_max) : bytes_max_(bytes_max) {}
  ~Outbox();  // its messages count as finished
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  static constexpr std::size_t kMessagesMax = 8192;
  static constexpr std::size_t kMessageOverhead = 512;   // what a message costs besides its bytes
  static constexpr std::size_t kFragmentOverhead = 128;  // and a relayed fragment

  bool has_room(std::size_t bytes) const {
    return charged_ + bytes <= bytes_max_ && messages_.size() < kMessagesMax;
  }
  std::size_t bytes_max() const { return bytes_max_; }
  std::size_t charged() const { return charged_; }

  // Takes a message, and queues the fragments that it has.
  void add(const std::shared_ptr<OutMessage>& message, Instant now);
  // A relayed message grows: what it holds counts at once, and is queued when it may go on.
  void charge(OutMessage& message, std::size_t bytes);
  void queue(const std::shared_ptr<OutMessage>& message, std::uint32_t index);

  // The next fragment to send, or nothing.
  FragmentRef* front();
  void pop();

  void on_acked(const FragmentRef& ref, Instant now);
  void on_lost(const FragmentRef& ref);  // queued again, ahead of what was never sent
  // Forgets the message, as if all of it had been acknowledged.
  void finish(OutMessage& message);

  const std::list<std::shared_ptr<OutMessage>>& messages() const { return messages_; }

 private:
  void uncharge(OutMessage& message, std::size_t bytes);

  const std::size_t bytes_max_;
  std::size_t charged_ = 0;
  std::list<std::shared_ptr<OutMessage>> messages_;
  // Lost fragments first, then messages of one fragment, so that a word to the peer need not wait
  // for a blob, then all others in their order.
  std::deque<FragmentRef> again_, short_, long_;
};

}  // namespace migd::channel
