// NumberWindow: which of the latest numbers of a growing sequence came: the anti-replay window for
// packets (RFC 4303 section 3.4.3) and, as it is the same knowledge, the source of their
// acknowledgements; and the memory of messages delivered. What is older than the window remembers
// counts as having come.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <memory>
#include <vector>

namespace migd::channel {

// A run of numbers, both ends included.
struct NumberRun {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  bool operator==(const NumberRun&) const = default;
};

template <std::uint64_t kRemembered>
class NumberWindow {
 public:
  bool empty() const { return !bits_; }
  std::uint64_t largest() const { return largest_; }
  // Too long ago to know.
  bool forgotten(std::uint64_t number) const {
    return bits_ && number < largest_ && largest_ - number >= kRemembered;
  }
  bool contains(std::uint64_t number) const {
    if (!bits_ || number > largest_) return false;
    return forgotten(number) || (word(number) >> (number % 64) & 1) != 0;
  }

  void add(std::uint64_t number) {
    if (forgotten(number)) return;
    if (!bits_) {
      bits_ = std::make_unique<Bits>();
      largest_ = number;
    }
    if (number > largest_) {
      const std::uint64_t entered = std::min(number / 64 - largest_ / 64, kWords);
      for (std::uint64_t i = 0; i < entered; ++i)
        word(number - 64 * i) = 0;
      largest_ = number;
    }
    word(number) |= std::uint64_t{1} << (number % 64);
  }

  // The runs that came, the latest first, at most `max`.
  std::vector<NumberRun> runs(std::size_t max) const {
    std::vector<NumberRun> found;
    if (empty()) return found;
    const std::uint64_t oldest = largest_ < kRemembered ? 0 : largest_ - kRemembered + 1;
    std::uint64_t last = largest_;
    while (found.size() < max) {
      const std::uint64_t first = last - run_down(last, oldest, true) + 1;
      found.push_back({first, last});
      if (first == oldest) break;
      const std::uint64_t missing = run_down(first - 1, oldest, false);
      if (first - missing == oldest) break;
      last = first - missing - 1;
    }
    return found;
  }

 private:
  static_assert(kRemembered % 64 == 0);
  // One word more than it remembers, as the largest number's word is partly ahead of it.
  static constexpr std::uint64_t kWords = kRemembered / 64 + 1;
  using Bits = std::array<std::uint64_t, kWords>;  // number n: bit n % 64 of word n / 64 % kWords

  std::uint64_t& word(std::uint64_t number) { return (*bits_)[number / 64 % kWords]; }
  std::uint64_t word(std::uint64_t number) const { return (*bits_)[number / 64 % kWords]; }

  // How many numbers in a row, from `last` down to `oldest`, came (or did not).
  std::uint64_t run_down(std::uint64_t last, std::uint64_t oldest, bool came) const {
    const std::uint64_t most = last - oldest + 1;
    std::uint64_t run = 0;
    while (run < most) {
      const auto top = static_cast<unsigned>((last - run) % 64);
      const std::uint64_t bits = came ? word(last - run) : ~word(last - run);
      const unsigned same =
          std::min(static_cast<unsigned>(std::countl_one(bits << (63 - top))), top + 1);
      run += same;
      if (same <= top) break;
    }
    return std::min(run, most);
  }

  std::unique_ptr<Bits> bits_;  // made for the first number
  std::uint64_t largest_ = 0;
};

// Packet numbers of one association.
using ReceivedPackets = NumberWindow<4096>;

}  // namespace migd::channel
