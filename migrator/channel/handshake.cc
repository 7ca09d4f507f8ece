#include "migrator/channel/handshake.h"

#include <sodium.h>

#include <algorithm>

namespace migd::channel {
namespace {

constexpr std::size_t kOldBootsMax = 16;
constexpr std::size_t kAnswersPerPeriod = 10;
constexpr Duration kAnswerPeriod = 100ms;

}  // namespace

Handshake::Handshake(const HandshakeOptions& options, NodeId peer, std::vector<StaticPair> pairs,
                     Rng& rng, RefusalCounters& refusals, Instant now)
    : options_(options),
      peer_(peer),
      pairs_(std::move(pairs)),
      rng_(rng),
      refusals_(refusals),
      retry_(options.retry_first) {
  seek(now);
}

Handshake::~Handshake() {
  drop_proposal();
  forget_shared_secret();
}

// Only adopt_pair() needs it, and only before the session is confirmed.
void Handshake::forget_shared_secret() {
  if (settled_) sodium_memzero(settled_->terms.shared.data(), settled_->terms.shared.size());
}

void Handshake::make_proposal(bool wanted) {
  drop_proposal();
  proposal_ = Proposal{};
  rng_.fill(proposal_->secret);
  crypto_scalarmult_base(proposal_->offer.share.data(), proposal_->secret.data());
  proposal_->offer.boot = options_.boot;
  proposal_->association = association_;
  proposal_->wanted = wanted;
}

void Handshake::drop_proposal() {
  if (proposal_) sodium_memzero(proposal_->secret.data(), proposal_->secret.size());
  proposal_.reset();
}

void Handshake::seek(Instant now) {
  if (pairs_.empty() || seeking()) return;
  if (!proposal_) make_proposal(true);
  proposal_->wanted = true;
  retry_ = options_.retry_first;
  attempts_ = settled_ ? settled_->pair : 0;
  next_send_ = now;
}

void Handshake::forget(Instant now) {
  forget_shared_secret();
  settled_.reset();
  drop_proposal();
  association_ = 0;
  seek(now);
}

void Handshake::confirm() {
  if (!settled_ || settled_->confirmed) return;
  settled_->confirmed = true;
  forget_shared_secret();
  if (!seeking()) next_send_ = kNever;
}

void Handshake::schedule(Instant now) {
  const auto quarter = static_cast<std::uint64_t>(retry_.count() / 4);
  next_send_ = now + retry_ - Duration(rng_.u64() % (quarter + 1));
  retry_ = std::min(retry_ * 2, options_.retry_max);
}

Bytes Handshake::on_deadline(Instant now) {
  if (now < next_send_) return {};
  if (seeking()) {
    schedule(now);
    return proposal_hello(attempts_++ % pairs_.size(), now);
  }
  if (settled_ && !settled_->confirmed) {
    schedule(now);
    return established_hello();
  }
  next_send_ = kNever;
  return {};
}

Bytes Handshake::seal(std::size_t pair, Hello hello) {
  hello.receiver = peer_;
  hello.capabilities = options_.capabilities;
  return seal_hello(options_.self, pairs_[pair], hello, rng_);
}

Bytes Handshake::proposal_hello(std::size_t pair, Instant now) {
  ++proposal_->times_sent;
  proposal_->last_sent = now;
  Hello hello;
  hello.answer = !proposal_->wanted;
  hello.offer = proposal_->offer;
  hello.association = proposal_->association;
  hello.echo = heard_;
  return seal(pair, hello);
}

Bytes Handshake::established_hello() {
  Hello hello;
  hello.established = true;
  hello.offer = settled_->terms.own.offer;
  hello.association = settled_->terms.own.association;
  hello.echo = settled_->terms.peer.offer;
  return seal(settled_->pair, hello);
}

std::optional<std::size_t> Handshake::find_pair(const HelloHeader& header) const {
  for (std::size_t i = 0; i < pairs_.size(); ++i) {
    if (pairs_[i].own == header.receiver_key && pairs_[i].peer == header.sender_key) return i;
  }
  return std::nullopt;
}

std::optional<Hello> Handshake::open(ByteView datagram, std::size_t& pair) {
  const auto refuse = [&](Refusal refusal) {
    refusals_.count(refusal);
    return std::nullopt;
  };
  BoundedReader in(datagram);
  in.skip(1);
  const HelloHeader header = read_hello_header(in);
  if (header.version != kHelloVersion) return refuse(Refusal::kUnknownVersion);
  if (datagram.size() < kHelloSize) return refuse(Refusal::kTruncated);
  const std::optional<std::size_t> found = find_pair(header);
  if (!found) return refuse(Refusal::kUnknownKey);
  pair = *found;
  const std::optional<Bytes> inside = open_hello(pairs_[pair], datagram);
  if (!inside) return refuse(Refusal::kBadTag);
  std::optional<Hello> hello = read_hello(*inside);
  if (!hello || hello->receiver != options_.self) return refuse(Refusal::kMalformed);
  return hello;
}

bool Handshake::may_answer(Instant now) {
  if (now - answers_since_ >= kAnswerPeriod) {
    answers_since_ = now;
    answers_left_ = kAnswersPerPeriod;
  }
  if (answers_left_ == 0) {
    refusals_.count(Refusal::kHelloRate);
    return false;
  }
  --answers_left_;
  return true;
}

Handshake::Outcome Handshake::on_datagram(ByteView datagram, Instant now) {
  Outcome outcome;
  std::size_t pair = 0;
  const std::optional<Hello> hello = open(datagram, pair);
  if (!hello) return outcome;
  if (std::find(old_boots_.begin(), old_boots_.end(), hello->offer.boot) != old_boots_.end()) {
    refusals_.count(Refusal::kStaleBoot);
    return outcome;
  }
  const bool fresh = proposal_ && hello->echo == proposal_->offer;
  const bool known = settled_ && hello->offer == settled_->terms.peer.offer;
  if (known && !fresh) {
    on_settled_hello(*hello, pair, now, outcome);
    return outcome;
  }
  refusal_ = incompatibility(options_.capabilities, hello->capabilities);
  if (refusal_) refusals_.count(*refusal_);
  if (fresh && !refusal_) return settle(*hello, pair, now);
  if (hello->established || (hello->answer && !fresh)) {
    refusals_.count(Refusal::kStaleHello);
    return outcome;
  }
  // Not fresh, or not compatible, which the peer shall learn too: our offer, with the peer's echo.
  heard_ = hello->offer;
  if (fresh || !may_answer(now)) return outcome;
  if (!proposal_) make_proposal(false);
  outcome.reply = proposal_hello(pair, now);
  return outcome;
}

// The peer's offer is that of the newest session.
void Handshake::on_settled_hello(const Hello& hello, std::size_t pair, Instant now,
                                 Outcome& outcome) {
  const bool same = hello.echo == settled_->terms.own.offer;
  if (same && hello.established) {
    // Both sides began at once, each under another pair: the lower node's counts.
    const bool adopt = pair != settled_->pair && peer_ < options_.self && !settled_->confirmed;
    if (adopt) adopt_pair(pair, now, outcome);
    if (pair == settled_->pair) confirm();
  } else if (!hello.established && may_answer(now)) {
    outcome.reply = established_hello();
  } else {
    refusals_.count(Refusal::kStaleHello);
  }
}

void Handshake::adopt_pair(std::size_t pair, Instant now, Outcome& outcome) {
  settled_->pair = pair;
  outcome.session = std::make_shared<Session>(settled_->terms, pairs_[pair], now);
  outcome.continues = true;
  if (settled_->began) association_ = outcome.session->new_association;
  drop_proposal();
}

Handshake::Outcome Handshake::settle(const Hello& hello, std::size_t pair, Instant now) {
  Outcome outcome;
  Settled settled;
  SessionTerms& terms = settled.terms;
  terms.own = {options_.self, proposal_->offer, proposal_->association};
  terms.peer = {peer_, hello.offer, hello.association};
  terms.cipher = common_cipher(options_.capabilities, hello.capabilities);
  if (crypto_scalarmult(terms.shared.data(), proposal_->secret.data(), hello.offer.share.data()) !=
      0) {
    refusals_.count(Refusal::kMalformed);
    return outcome;
  }
  outcome.session = std::make_shared<Session>(terms, pairs_[pair], now);
  outcome.continues = association_ != 0 && proposal_->association == association_ &&
                      hello.association == association_ &&
                      settled_->terms.peer.offer.boot == hello.offer.boot;
  if (proposal_->times_sent == 1) outcome.round_trip = now - proposal_->last_sent;
  if (!outcome.continues) association_ = outcome.session->new_association;
  settled.pair = pair;
  settled.began = !outcome.continues;
  settled.confirmed = hello.established;
  if (last_boot_ != hello.offer.boot && last_boot_ != Boot{}) {
    old_boots_.push_back(last_boot_);
    if (old_boots_.size() > kOldBootsMax) old_boots_.pop_front();
  }
  last_boot_ = hello.offer.boot;
  heard_ = hello.offer;
  peer_capabilities_ = hello.capabilities;
  drop_proposal();
  forget_shared_secret();
  settled_ = settled;
  sodium_memzero(terms.shared.data(), terms.shared.size());
  next_send_ = kNever;
  if (settled.confirmed) {
    forget_shared_secret();
  } else {
    retry_ = options_.retry_first;
    schedule(now);
    outcome.reply = established_hello();
  }
  return outcome;
}

}  // namespace migd::channel
