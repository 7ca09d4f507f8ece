#include "tests/sim/tcp_send.h"

#include <algorithm>

namespace migd::sim {

std::uint64_t TcpSend::sacked_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [left, right] : sacked_)
    sum += right - left;
  return sum;
}

// RFC 6675: an estimate of what is still on its way.
std::uint64_t TcpSend::pipe() const {
  std::uint64_t lost = 0;
  std::uint64_t at = std::max(resend_at_, una_);
  for (const auto& [left, right] : sacked_) {
    if (left >= resend_end_) break;
    if (left > at) lost += left - at;
    at = std::max(at, right);
  }
  if (at < resend_end_) lost += resend_end_ - at;
  return nxt_ - una_ - std::min(nxt_ - una_, sacked_bytes() + lost);
}

void TcpSend::skip_sacked() {
  resend_at_ = std::max(resend_at_, una_);
  for (const auto& [left, right] : sacked_) {
    if (left <= resend_at_ && resend_at_ < right) resend_at_ = right;
  }
}

std::optional<TcpSend::Piece> TcpSend::piece_at(std::uint64_t offset, std::uint64_t limit) {
  const std::uint64_t data_end = data_.size() + 1;
  Piece piece{.offset = offset};
  piece.size =
      std::min<std::uint64_t>({mss_, limit - offset, data_end - std::min(offset, data_end)});
  piece.fin = fin_ && offset + piece.size == data_end && data_end < limit;
  if (piece.size == 0 && !piece.fin) return std::nullopt;
  return piece;
}

std::optional<TcpSend::Piece> TcpSend::next_piece() {
  skip_sacked();
  const std::uint64_t flying = pipe();
  if (resend_at_ < resend_end_) {
    if (flying > 0 && flying + mss_ > cwnd_) return std::nullopt;
    std::uint64_t limit = resend_end_;
    const auto above = sacked_.upper_bound(resend_at_);
    if (above != sacked_.end()) limit = std::min(limit, above->first);
    auto piece = piece_at(resend_at_, limit);
    if (!piece) return std::nullopt;
    resend_at_ += piece->size + (piece->fin ? 1 : 0);
    piece->again = true;
    return piece;
  }
  if (nxt_ >= edge_ || flying >= cwnd_) return std::nullopt;
  auto piece = piece_at(nxt_, std::min(edge_, end()));
  if (!piece) return std::nullopt;
  // Sender's silly window avoidance: a part of a segment only when it is all there is.
  if (piece->size < mss_ && nxt_ + piece->size < data_.size() + 1 && anything_in_flight()) {
    return std::nullopt;
  }
  nxt_ += piece->size + (piece->fin ? 1 : 0);
  return piece;
}

void TcpSend::on_sacked(std::uint64_t left, std::uint64_t right) {
  if (!sack_ || right <= una_ || right > nxt_ || left >= right) return;
  left = std::max(left, una_);
  auto it = sacked_.upper_bound(left);
  if (it != sacked_.begin() && std::prev(it)->second >= left) {
    --it;
    left = it->first;
  }
  while (it != sacked_.end() && it->first <= right) {
    right = std::max(right, it->second);
    it = sacked_.erase(it);
  }
  sacked_[left] = right;
}

void TcpSend::start_recovery() {
  recovering_ = true;
  recover_ = nxt_;
  ssthresh_ = std::max<std::uint64_t>(pipe() / 2, 2 * mss_);
  cwnd_ = ssthresh_;
  resend_at_ = una_;
  resend_end_ = sacked_.empty() ? std::min(una_ + mss_, nxt_) : sacked_.rbegin()->first;
}

TcpSend::AckOutcome TcpSend::on_ack(std::uint64_t ack, std::uint64_t edge, bool pure) {
  AckOutcome outcome;
  if (ack > nxt_) {
    outcome.unacceptable = true;
    return outcome;
  }
  if (ack < una_) return outcome;
  outcome.duplicate = ack == una_ && una_ < nxt_ && pure && edge == edge_;
  outcome.advanced = ack > una_;
  edge_ = std::max(edge_, edge);
  if (outcome.advanced) {
    const std::uint64_t bytes = ack - una_;
    una_ = ack;
    backoff_ = 0;
    duplicates_ = 0;
    while (!sacked_.empty() && sacked_.begin()->second <= una_)
      sacked_.erase(sacked_.begin());
    if (recovering_ && una_ >= recover_) recovering_ = false;
    if (!recovering_)
      cwnd_ += cwnd_ < ssthresh_ ? bytes : std::max<std::uint64_t>(1, mss_ * mss_ / cwnd_);
    if (recovering_ && !sack_ && resend_at_ >= resend_end_) {  // RFC 6582: a partial ACK
      resend_at_ = una_;
      resend_end_ = std::min(una_ + mss_, nxt_);
    }
  } else if (outcome.duplicate) {
    ++duplicates_;
  }
  const bool loss_seen = duplicates_ >= 3 || sacked_bytes() > 3 * mss_;
  if (!recovering_ && loss_seen && una_ >= recover_) {
    start_recovery();
    outcome.fast_retransmit = true;
  } else if (recovering_ && !sacked_.empty()) {
    resend_end_ = std::max(resend_end_, sacked_.rbegin()->first);
  }
  return outcome;
}

void TcpSend::on_timeout() {
  ssthresh_ = std::max<std::uint64_t>((nxt_ - una_) / 2, 2 * mss_);
  cwnd_ = mss_;
  sacked_.clear();  // RFC 2018 section 8: the receiver may have dropped it
  recovering_ = false;
  recover_ = nxt_;
  duplicates_ = 0;
  resend_at_ = una_;
  resend_end_ = nxt_;
  backoff_ = std::min(backoff_ + 1, 6);
}

void TcpSend::on_rtt(Duration sample) {
  if (!srtt_) {
    srtt_ = sample;
    rttvar_ = sample / 2;
  } else {
    const Duration error = sample > *srtt_ ? sample - *srtt_ : *srtt_ - sample;
    rttvar_ = (rttvar_ * 3 + error) / 4;
    srtt_ = (*srtt_ * 7 + sample) / 8;
  }
  rto_ = std::max(min_rto_, *srtt_ + std::max<Duration>(rttvar_ * 4, 1ms));
}

}  // namespace migd::sim
