#include "app/registry.h"

#include <utility>

#include "app/files/file_server.h"
#include "app/plain/plain.h"
#include "app/relay/relay.h"
#include "app/upload/upload.h"

namespace migd {
namespace {

Result<std::unique_ptr<Application>> make_application(const ApplicationOptions& options,
                                                      const ApplicationServices& services) {
  switch (options.kind) {
    case ApplicationKind::kEcho:
      return make_echo(options.name, services.metrics);
    case ApplicationKind::kDiscard:
      return make_discard(options.name, services.metrics);
    case ApplicationKind::kSource:
      return make_source(options.name, services.metrics);
    case ApplicationKind::kFiles:
      return make_file_server(options, services);
    case ApplicationKind::kUpload:
      return make_upload(options, services);
    case ApplicationKind::kRelay:
      return make_relay(options, services);
  }
  return fail(ErrorCode::kInvalidArgument, "unknown kind of application");
}

}  // namespace

Result<std::unique_ptr<ApplicationRegistry>> ApplicationRegistry::create(
    const std::vector<ApplicationOptions>& options, const ApplicationServices& services) {
  std::unique_ptr<ApplicationRegistry> registry(new ApplicationRegistry);
  for (const ApplicationOptions& option : options) {
    if (option.name.empty() || registry->knows(option.name)) {
      return fail(ErrorCode::kInvalidArgument,
                  "application '" + option.name + "': the name must be there and be unique");
    }
    Result<std::unique_ptr<Application>> application = make_application(option, services);
    if (!application) {
      return fail(application.error().code,
                  "application '" + option.name + "': " + application.error().text);
    }
    registry->applications_.emplace(option.name, std::move(*application));
  }
  return registry;
}

bool ApplicationRegistry::knows(std::string_view application) const {
  return applications_.find(application) != applications_.end();
}

Result<void> ApplicationRegistry::attach(Connection& connection, std::string_view application,
                                         ByteView state, bool restored) {
  const auto found = applications_.find(application);
  if (found == applications_.end()) {
    return fail(ErrorCode::kNotFound,
                "no application is called '" + std::string(application) + "'");
  }
  return found->second->attach(connection, state, restored);
}

std::size_t ApplicationRegistry::session_count() const {
  std::size_t sum = 0;
  for (const auto& [name, application] : applications_)
    sum += application->session_count();
  return sum;
}

}  // namespace migd
