#include "tests/sim/tcp_receive.h"

namespace migd::sim {

bool TcpReceive::contradicts(std::uint64_t offset, ByteView payload) const {
  const std::uint64_t end = std::min(offset + payload.size(), stream_.size() + 1);
  for (std::uint64_t at = std::max<std::uint64_t>(offset, 1); at < end; ++at) {
    if (stream_[at - 1] != payload[at - offset]) return true;
  }
  for (const auto& [first, bytes] : held_) {
    const std::uint64_t from = std::max(first, offset);
    const std::uint64_t to = std::min(first + bytes.size(), offset + payload.size());
    for (std::uint64_t at = from; at < to; ++at) {
      if (bytes[at - first] != payload[at - offset]) return true;
    }
  }
  return false;
}

// Keeps what is new of the payload, piece by piece around what is held already.
void TcpReceive::insert(std::uint64_t offset, ByteView payload, Outcome& outcome) {
  std::uint64_t at = std::max(offset, next_);
  const std::uint64_t end = offset + payload.size();
  while (at < end) {
    const auto after = held_.upper_bound(at);
    if (after != held_.begin()) {
      const auto& [first, bytes] = *std::prev(after);
      if (first + bytes.size() > at) {
        at = first + bytes.size();
        continue;
      }
    }
    const std::uint64_t until = after == held_.end() ? end : std::min(end, after->first);
    held_.emplace(at, to_bytes(payload.subspan(at - offset, until - at)));
    outcome.out_of_order = true;
    at = until;
  }
}

void TcpReceive::advance(Outcome& outcome) {
  const std::size_t pieces = held_.size();
  while (!held_.empty() && held_.begin()->first <= next_) {
    append(stream_, held_.begin()->second);
    next_ += held_.begin()->second.size();
    held_.erase(held_.begin());
    outcome.in_order = true;
    outcome.out_of_order = false;
  }
  outcome.filled_hole = outcome.in_order && pieces > 1;
  if (fin_at_ && *fin_at_ == next_) {
    ++next_;
    outcome.in_order = true;
    outcome.out_of_order = false;
  }
}

TcpReceive::Outcome TcpReceive::accept(std::uint64_t offset, ByteView payload, bool fin) {
  Outcome outcome;
  const std::uint64_t end = offset + payload.size() + (fin ? 1 : 0);
  outcome.mismatch = contradicts(offset, payload);
  outcome.outside = end > std::max(announced_, next_ + 1);
  if (outcome.outside) return outcome;
  if (end <= next_) {
    outcome.duplicate = true;
    return outcome;
  }
  if (fin) {
    const std::uint64_t fin_offset = offset + payload.size();
    outcome.mismatch |= fin_at_ && *fin_at_ != fin_offset;
    if (!fin_at_) outcome.out_of_order = true;
    fin_at_ = fin_offset;
  }
  insert(offset, payload, outcome);
  if (outcome.out_of_order) recent_.push_back(offset);
  if (recent_.size() > 16) recent_.erase(recent_.begin());
  outcome.duplicate = !outcome.out_of_order;
  advance(outcome);
  return outcome;
}

std::uint64_t TcpReceive::wanted_edge() const {
  const std::uint64_t free = options_.buffer - std::min<std::size_t>(unread(), options_.buffer);
  const std::uint64_t edge = next_ + free;
  // RFC 9293 3.8.6.2.2: not in small steps.
  const std::uint64_t step = std::min<std::uint64_t>(options_.buffer / 2, options_.mss);
  return edge >= announced_ + step ? edge : announced_;
}

std::uint16_t TcpReceive::announce(bool scaled) {
  const std::uint8_t scale = scaled ? options_.scale : std::uint8_t{0};
  const std::uint64_t edge = std::max({wanted_edge(), announced_, next_});
  std::uint64_t field = std::min<std::uint64_t>((edge - next_) >> scale, 0xffff);
  if (next_ + (field << scale) < announced_) {
    field = std::min<std::uint64_t>(field + 1, 0xffff);
  }
  announced_ = std::max(announced_, next_ + (field << scale));
  return static_cast<std::uint16_t>(field);
}

bool TcpReceive::worth_update() const {
  const std::uint64_t step = std::min<std::uint64_t>(options_.buffer / 2, 2u * options_.mss);
  return wanted_edge() >= announced_ + step;
}

std::vector<std::pair<std::uint64_t, std::uint64_t>> TcpReceive::ranges() const {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> all;
  for (const auto& [first, bytes] : held_) {
    if (!all.empty() && all.back().second == first) {
      all.back().second += bytes.size();
    } else {
      all.emplace_back(first, first + bytes.size());
    }
  }
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ordered;
  const auto take = [&](std::uint64_t offset) {
    for (const auto& range : all) {
      if (offset < range.first || offset >= range.second) continue;
      if (std::find(ordered.begin(), ordered.end(), range) == ordered.end()) {
        ordered.push_back(range);
      }
    }
  };
  for (auto it = recent_.rbegin(); it != recent_.rend(); ++it)
    take(std::max(*it, next_));
  for (const auto& range : all)
    take(range.first);
  return ordered;
}

}  // namespace migd::sim
