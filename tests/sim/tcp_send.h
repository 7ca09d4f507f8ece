// The sending half of the simulator's TCP: what was written, what is in flight, what was
// selectively acknowledged, and which bytes to send next. Offsets count from our SYN (0).
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "base/bytes.h"
#include "base/time.h"

namespace migd::sim {

class TcpSend {
 public:
  struct Piece {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;  // payload bytes
    bool fin = false;
    bool again = false;  // a retransmission
  };
  struct AckOutcome {
    bool advanced = false;
    bool duplicate = false;
    bool fast_retransmit = false;
    bool unacceptable = false;  // for what was never sent
  };

  void set_mss(std::uint32_t payload_bytes) {
    mss_ = payload_bytes;
    cwnd_ = 10 * mss_;
  }
  void use_sack(bool on) { sack_ = on; }

  void write(ByteView bytes) { append(data_, bytes); }
  void shutdown() { fin_ = true; }
  const Bytes& data() const { return data_; }

  // The handshake is over: the SYN is acknowledged.
  void established() { una_ = nxt_ = 1; }

  std::optional<Piece> next_piece();  // what may leave now; counted as sent
  void on_sacked(std::uint64_t left, std::uint64_t right);
  AckOutcome on_ack(std::uint64_t ack, std::uint64_t edge, bool pure);
  void on_timeout();
  void on_rtt(Duration sample);

  bool anything_in_flight() const { return una_ < nxt_; }
  bool blocked_by_window() const { return una_ == nxt_ && nxt_ < end() && nxt_ >= edge_; }
  bool all_acknowledged() const { return una_ >= end(); }
  bool fin_acknowledged() const { return fin_ && una_ == data_.size() + 2; }
  std::uint64_t una() const { return una_; }
  std::uint64_t nxt() const { return nxt_; }
  Duration rto() const { return rto_ * (std::int64_t{1} << backoff_); }
  int backoff() const { return backoff_; }
  void set_min_rto(Duration d) { min_rto_ = d; }

 private:
  std::uint64_t end() const { return data_.size() + 1 + (fin_ ? 1 : 0); }
  std::uint64_t sacked_bytes() const;
  std::uint64_t pipe() const;
  void skip_sacked();
  std::optional<Piece> piece_at(std::uint64_t offset, std::uint64_t limit);
  void start_recovery();

  Bytes data_;
  bool fin_ = false;
  bool sack_ = false;
  std::uint32_t mss_ = 536;
  std::uint64_t una_ = 0, nxt_ = 1;
  std::uint64_t edge_ = 1;                         // right edge of the peer's window
  std::map<std::uint64_t, std::uint64_t> sacked_;  // left -> right, disjoint
  std::uint64_t resend_at_ = 0, resend_end_ = 0;   // believed lost, not yet sent again
  int duplicates_ = 0;
  bool recovering_ = false;
  std::uint64_t recover_ = 0;
  std::uint64_t cwnd_ = 5360, ssthresh_ = ~std::uint64_t{0};
  std::optional<Duration> srtt_;
  Duration rttvar_{}, rto_ = 1s, min_rto_ = 200ms;
  int backoff_ = 0;
};

}  // namespace migd::sim
