#include "tests/support/snapshot_text.h"

#include <fmt/format.h>

#include <concepts>

#include "tests/support/snapshot_fields.h"

namespace migd::test {
namespace {

// ---- text ----

std::string text(const Bytes& bytes) {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    sum = sum * 31 + bytes[i];
  return fmt::format("{} bytes, sum {:x}", bytes.size(), sum);
}
std::string text(const FourTuple& tuple) {
  return tuple.to_string();
}
std::string text(TcpState state) {
  return std::string(to_string(state));
}
std::string text(std::integral auto number) {
  return std::to_string(std::uint64_t{number});
}
std::string text(SeqNum number) {
  return std::to_string(number.value());
}
std::string text(const std::optional<SeqNum>& number) {
  return number ? text(*number) : "none";
}
std::string text(const std::optional<std::uint32_t>& number) {
  return number ? std::to_string(*number) : "none";
}
std::string text(CongestionAlgorithm algorithm) {
  return algorithm == CongestionAlgorithm::kCubic ? "cubic" : "reno";
}
std::string text(Duration time) {
  return fmt::format("{} ns", time.count());
}
std::string text(const std::vector<TcpSnapshot::OutOfOrder>& ranges) {
  std::string out;
  for (const auto& [first, data, fin] : ranges)
    out += fmt::format("[{} {} {}]", first.value(), text(data), fin);
  return out;
}
std::string text(const std::vector<TcpSnapshot::SackBlock>& blocks) {
  std::string out;
  for (const auto& [left, right] : blocks)
    out += fmt::format("[{} {}]", left.value(), right.value());
  return out;
}

std::string text(const std::vector<SentRange>& ranges) {
  std::string out;
  for (const SentRange& r : ranges) {
    out += fmt::format("[{} {}{}{}{} {}]", r.length, r.sacked ? "S" : "", r.lost ? "L" : "",
                       r.resent ? "A" : "", r.retransmitted ? "R" : "", text(r.sent_ago));
  }
  return out;
}

// ---- change ----

bool change(FourTuple& tuple, std::size_t way) {
  ++tuple.peer.port;
  return way == 0;
}
bool change(TcpState& state, std::size_t way) {
  constexpr std::size_t kStates = 8;
  state = static_cast<TcpState>((static_cast<std::size_t>(state) + 1 + way) % kStates);
  return way + 1 < kStates;
}
bool change(bool& flag, std::size_t way) {
  flag = !flag;
  return way == 0;
}
template <std::unsigned_integral Number>
bool change(Number& number, std::size_t way) {
  number = static_cast<Number>(way == 0 ? number + 1 : way == 1 ? number - 1 : number ^ 0x2a);
  return way < 3;
}
bool change(SeqNum& number, std::size_t way) {
  number = way == 0 ? number + 1u : number - 1u;
  return way < 2;
}
bool change(std::optional<SeqNum>& number, std::size_t way) {
  if (!number) {
    number = SeqNum(77);
    return way == 0;
  }
  if (way == 1) {
    number.reset();
    return true;
  }
  return change(*number, way);
}
bool change(std::optional<std::uint32_t>& number, std::size_t way) {
  number = number.value_or(0) + 5;
  return way == 0;
}
bool change(CongestionAlgorithm& algorithm, std::size_t way) {
  algorithm = algorithm == CongestionAlgorithm::kCubic ? CongestionAlgorithm::kReno
                                                       : CongestionAlgorithm::kCubic;
  return way == 0;
}
bool change(Duration& time, std::size_t way) {
  time += way == 0 ? Duration(1us) : way == 1 ? Duration(-1us) : Duration(1ms);
  return way < 3;
}
bool change(std::vector<SentRange>& ranges, std::size_t way) {
  if (ranges.empty()) {
    ranges.push_back({.length = 5});
    return way == 0;
  }
  switch (way) {
    case 0:
      return change(ranges.back().sent_ago, 0);
    case 1:
      return change(ranges.back().lost, 0);
    case 2:
      return change(ranges.back().length, 0);
    case 3:
      return change(ranges.back().sacked, 0);
    case 4:
      return change(ranges.back().retransmitted, 0);
    case 5:
      ranges.clear();
      return true;
  }
  return false;
}
bool change(Bytes& bytes, std::size_t way) {
  if (way == 0 || bytes.empty()) {
    bytes.push_back(1);
    return way == 0;
  }
  bytes.back() ^= 1;
  return way == 1;
}
bool change(std::vector<TcpSnapshot::OutOfOrder>& ranges, std::size_t way) {
  if (ranges.empty()) {
    ranges.push_back({SeqNum(7), Bytes(3), false});
    return way == 0;
  }
  TcpSnapshot::OutOfOrder& last = ranges.back();
  switch (way) {
    case 0:
      last.fin = !last.fin;
      return true;
    case 1:
      return change(last.data, 0);
    case 2:
      return change(last.first, 0);
  }
  return false;
}
bool change(std::vector<TcpSnapshot::SackBlock>& blocks, std::size_t way) {
  if (blocks.empty()) {
    blocks.push_back({SeqNum(7), SeqNum(9)});
    return way == 0;
  }
  switch (way) {
    case 0:
      blocks.pop_back();
      return true;
    case 1:
      return change(blocks.back().left, 0);
    case 2:
      return change(blocks.back().right, 1);
  }
  return false;
}

}  // namespace

std::string to_text(const TcpSnapshot& snapshot) {
  std::string out;
  for_each_field(snapshot, [&out](std::string_view name, const auto& field) {
    out += fmt::format("{} {}\n", name, text(field));
  });
  return out;
}

std::string text_of_field(const TcpSnapshot& snapshot, std::size_t field) {
  std::string out;
  std::size_t at = 0;
  for_each_field(snapshot, [&](std::string_view, const auto& value) {
    if (at++ == field) out = text(value);
  });
  return out;
}

bool change_field(TcpSnapshot& snapshot, std::size_t field, std::size_t way) {
  bool changed = false;
  std::size_t at = 0;
  for_each_field(snapshot, [&](std::string_view, auto& value) {
    if (at++ == field) changed = change(value, way);
  });
  return changed;
}

}  // namespace migd::test
