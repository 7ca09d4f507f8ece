#include "app/upload/upload.h"

#include <utility>

#include "app/http/http_session.h"
#include "app/state.h"
#include "app/upload/sha256.h"

namespace migd {
namespace {

class UploadSession : public HttpSession {
 public:
  using HttpSession::HttpSession;

  Result<void> restore(BoundedReader& in) {
    if (Result<void> http = restore_http(in); !http) return http;
    Result<Sha256> hash = Sha256::restore(in);
    if (!hash) return tl::unexpected(hash.error());
    hash_ = *hash;
    return {};
  }

 private:
  void on_request(const HttpRequest& request) override {
    if (request.method != "PUT" && request.method != "POST") {
      return respond_with_status(HttpStatus::kMethodNotAllowed, "PUT, POST",
                                 request.method == "HEAD");
    }
    receive_body();
  }

  void on_body(ByteView piece) override { hash_.update(piece); }

  void on_body_complete() override {
    HttpResponse response;
    response.fields.emplace_back("Content-Type", "text/plain; charset=utf-8");
    response.content = hash_.hex_digest() + " " + std::to_string(hash_.length()) + "\n";
    response.content_length = response.content.size();
    respond(std::move(response));
  }

  void on_exchange_over() override { hash_ = Sha256(); }

  void write_exchange(ByteWriter& out) const override { hash_.write_state(out); }

  Sha256 hash_;
};

class Upload : public Application {
 public:
  Upload(const ApplicationOptions& options, const ApplicationServices& services)
      : Application(options.name, {ApplicationKind::kUpload, 1}, services.metrics),
        environment_{options.name, services.metrics, services.unix_time} {}

 private:
  Result<std::unique_ptr<Session>> make(Connection& connection) override {
    return std::make_unique<UploadSession>(tag(), connection, environment_);
  }
  Result<std::unique_ptr<Session>> restore(Connection& connection, BoundedReader& in) override {
    auto session = std::make_unique<UploadSession>(tag(), connection, environment_);
    if (Result<void> restored = session->restore(in); !restored) {
      return tl::unexpected(restored.error());
    }
    return session;
  }

  HttpEnvironment environment_;
};

}  // namespace

std::unique_ptr<Application> make_upload(const ApplicationOptions& options,
                                         const ApplicationServices& services) {
  return std::make_unique<Upload>(options, services);
}

}  // namespace migd
