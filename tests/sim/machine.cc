#include "tests/sim/machine.h"

#include <cstdio>
#include <utility>

#include "base/check.h"

namespace migd::sim {
namespace {

class RefusedSocket : public StreamSocket {
 public:
  RefusedSocket(EventLoop& loop, StreamSocketHandler* handler)
      : handler_(handler), timer_(loop.make_timer([this] {
          if (handler_ != nullptr) handler_->on_closed(true);
        })) {
    timer_->start(loop.now());
  }
  void set_handler(StreamSocketHandler* handler) override { handler_ = handler; }
  void write(ByteView) override {}
  std::size_t pending_bytes() const override { return 0; }
  void pause_reading(bool) override {}
  void shutdown_write() override {}
  void reset() override { timer_->stop(); }

 private:
  StreamSocketHandler* handler_;
  std::unique_ptr<Timer> timer_;
};

}  // namespace

std::unique_ptr<StreamSocket> NoStreams::connect(const StreamAddress& /*to*/,
                                                 StreamSocketHandler* handler) {
  return std::make_unique<RefusedSocket>(loop_, handler);
}

SimMachine::SimMachine(SimLoop& world, SimNet& net, const NodeOptions& options,
                       const SimLinkOptions& link, SimClock clock, std::uint64_t seed,
                       MemoryFileStore& files, ChannelTap& tap, OnMessage on_message)
    : world_(world),
      net_(net),
      options_(options),
      link_options_(link),
      clock_(clock),
      rng_(SimRng::split(seed, 5000u + options.self.id.value)),
      files_(files),
      tap_(tap),
      on_message_(std::move(on_message)),
      port_(net.add_port(options.self.name)) {}

void SimMachine::start() {
  MIGD_CHECK(!running());
  loop_ = std::make_unique<SimNodeLoop>(world_, clock_);
  streams_ = std::make_unique<NoStreams>(*loop_);
  link_ = std::make_unique<SimLink>(net_, port_, *loop_, pool_, link_options_);
  net_.set_up(port_, true);
  auto made = Node::create(options_, {.link = *link_,
                                      .loop = *loop_,
                                      .rng = rng_,
                                      .log = log_,
                                      .files = files_,
                                      .streams = *streams_,
                                      .pool = pool_,
                                      .unix_time = {},
                                      .make_channel = [this](auto&&... parts) {
                                        return std::make_unique<SimChannel>(*loop_, tap_, parts...);
                                      }});
  if (!made) std::fprintf(stderr, "%s: %s\n", name().c_str(), made.error().text.c_str());
  MIGD_CHECK(made.has_value());
  node_ = std::move(*made);
  node_->subscribe_events([this](const Message& message, Instant) { on_message_(message); });
}

void SimMachine::crash() {
  net_.set_up(port_, false);
  loop_->kill();
  node_.reset();
  link_.reset();
}

void SimMachine::shut_down() {
  node_->shut_down();
  crash();
}

void SimMachine::ask(MigrationRequest request) {
  node_->bus().post(std::move(request));
  node_->on_batch_end(loop_->now());
}

}  // namespace migd::sim
