#include "app/files/file_server.h"

#include <utility>

#include "app/files/file_session.h"

namespace migd {
namespace {

class FileServer : public Application {
 public:
  FileServer(const ApplicationOptions& options, const ApplicationServices& services,
             std::unique_ptr<FileFolder> folder)
      : Application(options.name, {ApplicationKind::kFiles, 1}, services.metrics),
        environment_{options.name, services.metrics, services.unix_time},
        folder_(std::move(folder)) {}

 private:
  Result<std::unique_ptr<Session>> make(Connection& connection) override {
    return std::make_unique<FileSession>(tag(), connection, environment_, *folder_);
  }
  Result<std::unique_ptr<Session>> restore(Connection& connection, BoundedReader& in) override {
    auto session = std::make_unique<FileSession>(tag(), connection, environment_, *folder_);
    if (Result<void> restored = session->restore(in); !restored) {
      return tl::unexpected(restored.error());
    }
    return session;
  }

  HttpEnvironment environment_;
  std::unique_ptr<FileFolder> folder_;
};

}  // namespace

Result<std::unique_ptr<Application>> make_file_server(const ApplicationOptions& options,
                                                      const ApplicationServices& services) {
  Result<std::unique_ptr<FileFolder>> folder = services.files.folder(options.root);
  if (!folder) return tl::unexpected(folder.error());
  return std::make_unique<FileServer>(options, services, std::move(*folder));
}

}  // namespace migd
