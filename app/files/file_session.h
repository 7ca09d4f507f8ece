// The file server's half of HTTP: GET and HEAD, answered from a folder; a body in the middle of its
// transmission moves with its connection.
#pragma once

#include <optional>

#include "app/files/file_sender.h"
#include "app/files/file_store.h"
#include "app/http/http_session.h"
#include "app/http/preconditions.h"
#include "app/http/range.h"

namespace migd {

class FileSession : public HttpSession {
 public:
  FileSession(StateTag tag, Connection& connection, HttpEnvironment& environment,
              const FileFolder& folder)
      : HttpSession(tag, connection, environment), folder_(folder) {}

  // Reads what write_state() wrote.
  Result<void> restore(BoundedReader& in);

 private:
  void on_request(const HttpRequest& request) override;
  bool send_content() override;
  void on_exchange_over() override { sender_.reset(); }
  void write_exchange(ByteWriter& out) const override;

  void respond_with_failure(OpenFailure failure, const std::string& path, bool folder,
                            bool head_only);
  void respond_with_file(const HttpRequest& request, std::string path,
                         std::unique_ptr<OpenFile> file);
  void respond_with_part(HttpResponse response, const RangeAnswer& range, std::string path,
                         std::unique_ptr<OpenFile> file, bool head_only);

  const FileFolder& folder_;
  std::optional<FileSender> sender_;  // while there is a file to send
};

}  // namespace migd
