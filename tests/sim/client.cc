#include "tests/sim/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <span>
#include <utility>

namespace migd::sim {

Bytes ramp(std::uint64_t first, std::size_t size) {
  constexpr std::size_t kPeriod = 251;
  Bytes out(size);
  for (std::size_t i = 0; i < std::min(size, kPeriod); ++i)
    out[i] = ramp_at(first + i);
  for (std::size_t done = kPeriod; done < size; done += std::min(done, size - done))
    std::copy_n(out.begin(), std::min(done, size - done),
                out.begin() + static_cast<std::ptrdiff_t>(done));
  return out;
}

std::vector<HttpResponse> http_responses(ByteView stream) {
  std::vector<HttpResponse> all;
  while (!stream.empty()) {
    const std::string_view text = as_text(stream);
    HttpResponse response;
    const std::size_t head = text.find("\r\n\r\n");
    const std::size_t length_at = text.substr(0, head).find("Content-Length: ");
    if (head == text.npos || length_at == text.npos || text.size() < 12) {
      all.push_back(response);
      break;
    }
    std::from_chars(text.data() + 9, text.data() + 12, response.status);
    std::size_t length = 0;
    std::from_chars(text.data() + length_at + 16, text.data() + head, length);
    response.complete = stream.size() - head - 4 >= length;
    response.body = stream.subspan(head + 4, response.complete ? length : std::dynamic_extent);
    all.push_back(response);
    if (!response.complete) break;
    stream = stream.subspan(head + 4 + length);
  }
  return all;
}

SimClient::SimClient(SimNet& net, SimLoop& world, std::string name, const TcpConfig& config,
                     SimClock clock)
    : name_(std::move(name)), loop_(world, clock), port_(net.add_port(name_)) {
  tcp_ = std::make_unique<Tcp>(config, loop_,
                               [&net, this](Bytes packet) { net.send(port_, std::move(packet)); });
  tcp_->set_on_change([this] { advance(); });
  wake_ = loop_.make_timer([this] { advance(); });
  net.add_route(config.local.address, port_);
  net.set_deliver(port_, [this](Bytes packet) {
    const auto segment = decode(packet);
    const auto& mine = tcp_->config();
    if (segment && segment->dst == mine.local && segment->src == mine.remote) {
      tcp_->on_segment(*segment);
    }
  });
}

SimClient& SimClient::add(std::string name, std::function<bool()> run) {
  steps_.push_back({std::move(name), std::move(run)});
  return *this;
}

SimClient& SimClient::send(Bytes bytes) {
  return add(fmt::format("send {} bytes", bytes.size()), [this, bytes = std::move(bytes)] {
    tcp_->write(bytes);
    return true;
  });
}

SimClient& SimClient::send_ramp(std::size_t size) {
  const std::uint64_t first = std::exchange(ramp_sent_, ramp_sent_ + size);
  return send(ramp(first, size));
}

SimClient& SimClient::await_bytes(std::size_t more) {
  const std::size_t wanted = bytes_awaited_ += more;
  return add(fmt::format("await {} bytes", wanted),
             [this, wanted] { return tcp_->received().size() >= wanted; });
}

SimClient& SimClient::await_responses(std::size_t more) {
  const std::size_t wanted = responses_awaited_ += more;
  return add(fmt::format("await {} responses", wanted), [this, wanted] {
    const auto all = http_responses(tcp_->received());
    return all.size() >= wanted && all[wanted - 1].complete;
  });
}

SimClient& SimClient::await_end() {
  return add("await end", [this] { return tcp_->peer_finished(); });
}

SimClient& SimClient::await_acknowledged() {
  return add("await acknowledgement", [this] { return tcp_->sender().fin_acknowledged(); });
}

SimClient& SimClient::ping_pong(std::size_t rounds, std::size_t size) {
  for (std::size_t i = 0; i < rounds; ++i)
    send_ramp(size).await_bytes(size);
  return *this;
}

SimClient& SimClient::sleep(Duration d) {
  return add("sleep", [this, d, until = std::optional<Instant>()]() mutable {
    if (!until) {
      until = loop_.now() + d;
      wake_->start(*until);
    }
    return loop_.now() >= *until;
  });
}

SimClient& SimClient::stop_reading() {
  return add("stop reading", [this] {
    tcp_->set_reading(false);
    return true;
  });
}

SimClient& SimClient::start_reading() {
  return add("start reading", [this] {
    tcp_->set_reading(true);
    return true;
  });
}

SimClient& SimClient::read_slowly(std::size_t bytes, std::size_t chunk, Duration every) {
  struct State {
    std::size_t left;
    std::optional<Instant> next;
  };
  return add("read slowly", [this, chunk, every, state = State{bytes, {}}]() mutable {
    if (!state.next) {
      tcp_->set_reading(false);
      state.next = loop_.now();
    }
    if (loop_.now() < *state.next) return false;
    const std::size_t size = std::min({chunk, state.left, tcp_->receiver().unread()});
    state.left -= size;
    state.next = loop_.now() + every;
    tcp_->read(size);
    if (state.left == 0) return true;
    wake_->start(*state.next);
    return false;
  });
}

SimClient& SimClient::shutdown_write() {
  return add("shutdown", [this] {
    tcp_->shutdown_write();
    return true;
  });
}

SimClient& SimClient::abort() {
  return add("abort", [this] {
    tcp_->abort();
    return true;
  });
}

void SimClient::start() {
  steps_.insert(steps_.begin(),
                Step{"handshake", [this] { return tcp_->state() != Tcp::State::kSynSent; }});
  tcp_->connect();
}

bool SimClient::failed() const {
  return step_ < steps_.size() &&
         (tcp_->state() == Tcp::State::kReset || tcp_->state() == Tcp::State::kTimedOut);
}

std::string SimClient::progress() const {
  return fmt::format("{}: {} ({} of {}), {} sent, {} received", name_,
                     step_ < steps_.size() ? steps_[step_].name : "done", step_, steps_.size(),
                     tcp_->written().size(), tcp_->received().size());
}

void SimClient::advance() {
  if (advancing_) return;
  advancing_ = true;
  while (step_ < steps_.size() && steps_[step_].run())
    ++step_;
  advancing_ = false;
}

}  // namespace migd::sim
