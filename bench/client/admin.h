// A kept-alive connection to the admin socket of a node.
#pragma once

#include <string>
#include <vector>

#include "cli/admin/http_message.h"

namespace migd::bench {

struct Answer {
  int status = 0;
  std::string body;
};

class AdminConnection {
 public:
  explicit AdminConnection(const std::string& socket_path);
  ~AdminConnection();
  AdminConnection(const AdminConnection&) = delete;
  AdminConnection& operator=(const AdminConnection&) = delete;

  int fd() const { return fd_; }
  void send(const char* method, const char* path, const std::string& body = "");
  // Reads once, blocking; true when the answer is whole.
  bool receive();
  Answer take_answer();  // and forget it
  Answer ask(const char* method, const char* path, const std::string& body = "");

 private:
  int fd_;
  HttpParser parser_;
};

// What the node `node` itself has, by its GET /v1/conns.
struct OwnConnection {
  std::string id;
  std::string peer;  // "10.77.99.2:40000"
};
std::vector<OwnConnection> connections_of(const std::string& node, AdminConnection& admin);

// The body of POST /v1/migrate that is answered when the move has ended.
std::string migrate_body(const std::string& id, const std::string& target);

}  // namespace migd::bench
