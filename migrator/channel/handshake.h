// Handshake: the HELLO exchange with one peer. The same on both sides; there is no client.
//
// Theory of operation
//   An offer is a boot and a fresh share (an X25519 public key). A HELLO carries our offer and
//   echoes the latest offer heard from the peer. A side holds a session once the peer has echoed
//   its own pending offer: so the peer lives now, and knows what the keys are made of. An offer is
//   good for one session. So a HELLO that is replayed matches nothing that is pending, and neither
//   opens nor resets a session; all it gets is an answer of its own size, at a bounded rate.
//
//       a                                b
//       | HELLO a1                 ----> |            b has nothing to compare it with
//       | <----         HELLO b1, echo a1 |            a: fresh. Session (a1, b1)
//       | HELLO a1, echo b1, E     ----> |            b: fresh. Session (a1, b1), confirmed
//       | <----           any datagram   |            a: confirmed
//
//   The association says whether a session continues what both sides hold (then only keys change)
//   or begins anew (then both start over): it continues when both offers named the same one.
//   Until it is confirmed, the older session is used for sending.
//
//   Shares are ephemeral, so that who learns the static keys later cannot read what was sent.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "migrator/channel/session.h"

namespace migd::channel {

struct HandshakeOptions {
  NodeId self;
  Boot boot;
  Capabilities capabilities;
  Duration retry_first = 50ms;  // doubles up to
  Duration retry_max = 1s;
};

class Handshake {
 public:
  // `pairs`, `rng` and `refusals` outlive the handshake. A session is sought at once.
  Handshake(const HandshakeOptions& options, NodeId peer, std::vector<StaticPair> pairs, Rng& rng,
            RefusalCounters& refusals, Instant now);
  ~Handshake();

  struct Outcome {
    std::shared_ptr<Session> session;  // new, or null
    bool continues = false;            // it only replaces the keys of the association
    std::optional<Duration> round_trip;
    Bytes reply;  // a HELLO datagram, or nothing
  };
  // Takes a HELLO datagram that names the peer as its sender.
  Outcome on_datagram(ByteView datagram, Instant now);

  // We want a session, the first or one to replace the keys.
  void seek(Instant now);
  // The association is over; a new one is sought.
  void forget(Instant now);
  // A datagram came under the newest session.
  void confirm();

  bool confirmed() const { return settled_ && settled_->confirmed; }
  bool seeking() const { return proposal_ && proposal_->wanted; }
  // Of the newest session.
  Boot peer_boot() const { return settled_ ? settled_->terms.peer.offer.boot : Boot{}; }
  const Capabilities& peer_capabilities() const { return peer_capabilities_; }
  // Why the peer's latest HELLO was refused, if it was.
  std::optional<Refusal> refusal() const { return refusal_; }

  Instant next_deadline() const { return next_send_; }
  Bytes on_deadline(Instant now);  // a HELLO datagram, or nothing

 private:
  struct Proposal {
    Offer offer;
    Key secret{};
    std::uint64_t association = 0;
    bool wanted = false;
    int times_sent = 0;
    Instant last_sent{};
  };
  struct Settled {
    SessionTerms terms;
    std::size_t pair = 0;
    bool began = false;  // an association
    bool confirmed = false;
  };

  std::optional<std::size_t> find_pair(const HelloHeader& header) const;
  std::optional<Hello> open(ByteView datagram, std::size_t& pair);
  Outcome settle(const Hello& hello, std::size_t pair, Instant now);
  void on_settled_hello(const Hello& hello, std::size_t pair, Instant now, Outcome& outcome);
  void adopt_pair(std::size_t pair, Instant now, Outcome& outcome);
  bool may_answer(Instant now);
  void make_proposal(bool wanted);
  void drop_proposal();
  void forget_shared_secret();
  void schedule(Instant now);
  Bytes proposal_hello(std::size_t pair, Instant now);
  Bytes established_hello();
  Bytes seal(std::size_t pair, Hello hello);

  const HandshakeOptions options_;
  const NodeId peer_;
  const std::vector<StaticPair> pairs_;
  Rng& rng_;
  RefusalCounters& refusals_;

  std::optional<Proposal> proposal_;
  std::optional<Settled> settled_;
  std::uint64_t association_ = 0;
  Offer heard_;  // latest offer of the peer, fresh or not
  Boot last_boot_;
  std::deque<Boot> old_boots_;
  Capabilities peer_capabilities_;
  std::optional<Refusal> refusal_;

  Instant next_send_ = kNever;
  Duration retry_;
  std::size_t attempts_ = 0;
  std::size_t answers_left_ = 0;
  Instant answers_since_{};
};

}  // namespace migd::channel
