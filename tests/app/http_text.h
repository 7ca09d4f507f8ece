// Requests and responses as text, for the tests of HTTP.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/app/two_nodes.h"

namespace migd {

struct HttpReply {
  int status = 0;
  std::map<std::string, std::string> fields;  // names as they came
  std::string content;

  std::string field(const std::string& name) const {
    const auto found = fields.find(name);
    return found == fields.end() ? "" : found->second;
  }
};

// Splits what the client received into replies; `head_only` says of which (by index) the content
// does not follow. A reply that is cut short is left out, and *rest gets its bytes.
std::vector<HttpReply> split_replies(const std::string& received,
                                     const std::vector<bool>& head_only = {},
                                     std::string* rest = nullptr);

// Sends `request` as it is to `application`, all at once, then FIN, and returns what came back.
Outcome exchange(TwoNodes& nodes, const std::string& application, const std::string& request);
std::string text_of(const Outcome& outcome);

}  // namespace migd
