#include "stack/syn_cookies.h"

#include <algorithm>
#include <array>

#include "base/writer.h"
#include "stack/timestamp_clock.h"

namespace migd {
namespace {

// The largest that is not above the peer's is used. From the least that we use at all to jumbo
// frames; those between are what Ethernet leaves, without and with tunnels.
constexpr std::array<std::uint16_t, 8> kMss{88, 536, 1220, 1340, 1400, 1440, 1460, 8940};

constexpr std::uint8_t kTimestamps = 8;  // beside the index of the MSS
constexpr std::uint8_t kMssMask = 7;
constexpr std::uint8_t kLowMask = 15;

constexpr std::uint8_t kNotScaled = 15;  // no scale is above 14
constexpr std::uint8_t kScaleMask = 15;
constexpr std::uint8_t kSack = 16;

std::uint8_t mss_index(std::uint16_t mss) {
  const auto above = std::upper_bound(kMss.begin() + 1, kMss.end(), mss);
  return static_cast<std::uint8_t>(above - kMss.begin() - 1);
}

std::uint8_t bits_of(const HandshakeTerms& terms) {
  return static_cast<std::uint8_t>(terms.window_scale.value_or(kNotScaled) |
                                   (terms.sack ? kSack : 0));
}

HandshakeTerms terms_of(std::uint8_t low, std::uint8_t option_bits) {
  HandshakeTerms terms;
  terms.mss = kMss[low & kMssMask];
  terms.timestamps = (low & kTimestamps) != 0;
  if (!terms.timestamps) return terms;
  const auto scale = static_cast<std::uint8_t>(option_bits & kScaleMask);
  if (scale != kNotScaled) terms.window_scale = scale;
  terms.sack = (option_bits & kSack) != 0;
  return terms;
}

std::uint64_t period_of(Instant now) {
  return static_cast<std::uint64_t>(now.time_since_epoch() / SynCookies::kPeriod);
}

}  // namespace

std::uint64_t SynCookies::hash(const FourTuple& tuple, SeqNum peer_sequence, std::uint64_t period,
                               std::uint8_t low, std::uint8_t option_bits) const {
  Bytes bytes;
  ByteWriter writer(bytes);
  write_four_tuple(writer, tuple);
  writer.u32(peer_sequence.value());
  writer.u64(period);
  writer.u8(low);
  writer.u8(option_bits);
  return siphash(key_, bytes);
}

// Where it begins differs from tuple to tuple, and nobody else knows it.
std::uint32_t SynCookies::clock(const FourTuple& tuple, Instant now) const {
  Bytes bytes;
  ByteWriter writer(bytes);
  write_four_tuple(writer, tuple);
  writer.u8(0);  // the tuple alone gives its sequence number (stack/isn.h)
  return static_cast<std::uint32_t>(siphash(key_, bytes)) +
         static_cast<std::uint32_t>(to_milliseconds(now.time_since_epoch()));
}

std::uint32_t SynCookies::clock_after(const FourTuple& tuple, Instant now) const {
  return clock(tuple, now) + TimestampClock::kUnit;
}

SynCookies::Cookie SynCookies::make(const FourTuple& tuple, SeqNum peer_sequence,
                                    HandshakeTerms terms, Instant now) {
  const auto low =
      static_cast<std::uint8_t>(mss_index(terms.mss) | (terms.timestamps ? kTimestamps : 0));
  const std::uint8_t option_bits = terms.timestamps ? bits_of(terms) : std::uint8_t{0};
  const std::uint64_t sum = hash(tuple, peer_sequence, period_of(now), low, option_bits);
  outstanding_until_ = now + 2 * kPeriod;
  return {SeqNum((static_cast<std::uint32_t>(sum) & ~std::uint32_t{kLowMask}) | low),
          TimestampClock::with_cookie(clock(tuple, now), option_bits)};
}

std::optional<HandshakeTerms> SynCookies::redeem(const FourTuple& tuple, SeqNum peer_sequence,
                                                 SeqNum sequence, std::optional<std::uint32_t> echo,
                                                 Instant now) {
  const auto low = static_cast<std::uint8_t>(sequence.value() & kLowMask);
  std::uint8_t option_bits = 0;
  if ((low & kTimestamps) != 0) {
    if (!echo) return std::nullopt;
    option_bits = TimestampClock::cookie_of(*echo);
    const std::int32_t age = SeqNum(clock(tuple, now)) - SeqNum(*echo - option_bits);
    if (age < 0 || age > to_milliseconds(2 * kPeriod) + TimestampClock::kUnit) return std::nullopt;
  }
  const std::uint64_t period = period_of(now);
  for (const std::uint64_t made : {period, period - 1}) {
    const std::uint64_t sum = hash(tuple, peer_sequence, made, low, option_bits);
    if (((static_cast<std::uint32_t>(sum) ^ sequence.value()) & ~std::uint32_t{kLowMask}) != 0)
      continue;
    if (!use_up(sum, now)) return std::nullopt;
    return terms_of(low, option_bits);
  }
  return std::nullopt;
}

bool SynCookies::use_up(std::uint64_t cookie, Instant now) {
  while (!redeemed_until_.empty() &&
         (redeemed_until_.front().first <= now || redeemed_until_.size() >= kRedeemedMax)) {
    redeemed_.erase(redeemed_until_.front().second);
    redeemed_until_.pop_front();
  }
  if (!redeemed_.insert(cookie).second) return false;
  redeemed_until_.emplace_back(now + 2 * kPeriod, cookie);
  return true;
}

}  // namespace migd
