#include "app/relay/relay.h"

#include "app/relay/relay_session.h"

namespace migd {
namespace {

class Relay : public Application {
 public:
  Relay(const ApplicationOptions& options, const ApplicationServices& services)
      : Application(options.name, {ApplicationKind::kRelay, 1}, services.metrics),
        environment_{options.name,
                     options.address,
                     options.proxy_header,
                     options.http_idle,
                     services.network,
                     services.log,
                     services.metrics.counter("migd_relay_connect_failures_total{application=\"" +
                                              options.name + "\"}")} {}

 private:
  Result<std::unique_ptr<Session>> make(Connection& connection) override {
    return std::make_unique<RelaySession>(tag(), connection, environment_);
  }
  Result<std::unique_ptr<Session>> restore(Connection& connection, BoundedReader&) override {
    return std::make_unique<RelaySession>(tag(), connection, environment_);
  }

  RelayEnvironment environment_;
};

}  // namespace

std::unique_ptr<Application> make_relay(const ApplicationOptions& options,
                                        const ApplicationServices& services) {
  return std::make_unique<Relay>(options, services);
}

}  // namespace migd
