#include "app/relay/http_observer.h"

#include <llhttp.h>

namespace migd {

struct HttpObserver::Callbacks {
  static constexpr int kLost = -1;

  static HttpObserver& self(llhttp_t* parser) { return *static_cast<HttpObserver*>(parser->data); }

  static int request_begins(llhttp_t* parser) {
    self(parser).in_request_ = true;
    return 0;
  }
  static int request_head_ends(llhttp_t* parser) {
    std::vector<Awaited>& awaited = self(parser).awaited_;
    if (awaited.size() == kPipelinedMax || parser->method == HTTP_CONNECT) return kLost;
    const bool http_1 = parser->http_major == 1;
    awaited.push_back(parser->method == HTTP_HEAD ? Awaited::kResponseToHead : Awaited::kResponse);
    return http_1 ? 0 : kLost;
  }
  static int request_ends(llhttp_t* parser) {
    self(parser).in_request_ = false;
    if (llhttp_should_keep_alive(parser) == 0) self(parser).last_ = true;
    return 0;
  }

  static int response_begins(llhttp_t* parser) {
    self(parser).in_response_ = true;
    return self(parser).awaited_.empty() ? kLost : 0;
  }
  // 1: no body follows, whatever the head says.
  static int response_head_ends(llhttp_t* parser) {
    if (parser->status_code == HTTP_STATUS_SWITCHING_PROTOCOLS) return kLost;
    return self(parser).awaited_.front() == Awaited::kResponseToHead ? 1 : 0;
  }
  static int response_ends(llhttp_t* parser) {
    self(parser).in_response_ = false;
    const bool interim = parser->status_code / 100 == 1;
    if (interim) return 0;
    self(parser).awaited_.erase(self(parser).awaited_.begin());
    if (llhttp_should_keep_alive(parser) == 0) self(parser).last_ = true;
    return 0;
  }

  static llhttp_settings_t settings(llhttp_cb begins, llhttp_cb head_ends, llhttp_cb ends) {
    llhttp_settings_t made;
    llhttp_settings_init(&made);
    made.on_message_begin = begins;
    made.on_headers_complete = head_ends;
    made.on_message_complete = ends;
    return made;
  }
};

HttpObserver::HttpObserver()
    : requests_(std::make_unique<llhttp__internal_s>()),
      responses_(std::make_unique<llhttp__internal_s>()) {
  static const llhttp_settings_t of_requests = Callbacks::settings(
      Callbacks::request_begins, Callbacks::request_head_ends, Callbacks::request_ends);
  static const llhttp_settings_t of_responses = Callbacks::settings(
      Callbacks::response_begins, Callbacks::response_head_ends, Callbacks::response_ends);
  llhttp_init(requests_.get(), HTTP_REQUEST, &of_requests);
  llhttp_init(responses_.get(), HTTP_RESPONSE, &of_responses);
  requests_->data = responses_->data = this;
}

HttpObserver::~HttpObserver() = default;

void HttpObserver::on_request_bytes(ByteView bytes) {
  watch(*requests_, bytes);
}
void HttpObserver::on_response_bytes(ByteView bytes) {
  watch(*responses_, bytes);
}

void HttpObserver::watch(llhttp__internal_s& parser, ByteView bytes) {
  if (lost_) return;
  if (llhttp_execute(&parser, as_text(bytes).data(), bytes.size()) != HPE_OK) lost_ = true;
}

}  // namespace migd
