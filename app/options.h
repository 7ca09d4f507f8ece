// What an application is told. Plain values; cli/ fills them from the configuration.
#pragma once

#include <string>

#include "base/stream_socket.h"

namespace migd {

enum class ApplicationKind {
  kFiles,    // static file server: HTTP/1.1 GET and HEAD, keep-alive, state travels mid-body
  kUpload,   // answers PUT and POST with the SHA-256 of the body, state travels mid-body
  kEcho,     // sends back what it receives
  kDiscard,  // reads and forgets
  kSource,   // sends the 251-byte ramp until the client closes
  kRelay,    // passes bytes to and from an unmodified local server
};

struct ApplicationOptions {
  std::string name;
  ApplicationKind kind = ApplicationKind::kEcho;
  std::string root;           // kFiles: absolute path of the served folder
  StreamAddress address;      // kRelay: the local server
  bool proxy_header = false;  // kRelay: begin with a PROXY v2 header
  bool http_idle = true;      // kRelay: may move between two HTTP/1.1 requests
};

}  // namespace migd
