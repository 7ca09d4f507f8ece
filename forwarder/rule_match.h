// Which rule of a service a request falls under.
#pragma once

#include <string_view>
#include <vector>

#include "forwarder/options.h"

namespace migd {

// What rules look at.
struct RequestHead {
  std::string_view method;
  std::string_view host;  // as rules write it: no port, no user information
  std::string_view path;  // path and query; empty in authority form (CONNECT)

  // From the request line's target and the Host field. In absolute form (RFC 9112 3.2.2) the
  // target's authority stands for Host; in authority form it is all there is; "*" is a path that
  // no prefix but "*" matches.
  static RequestHead from(std::string_view method, std::string_view target,
                          std::string_view host_field);
};

bool matches(const RuleMatch& match, const RequestHead& request);

// The first that matches; nullptr when none does.
const ServiceRule* first_match(const std::vector<ServiceRule>& rules, const RequestHead& request);

}  // namespace migd
