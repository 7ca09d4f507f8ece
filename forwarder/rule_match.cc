#include "forwarder/rule_match.h"

#include <algorithm>

namespace migd {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equal_without_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

// "user@example.com:80" -> "example.com", "[fd77::1]:80" -> "[fd77::1]".
std::string_view host_of(std::string_view authority) {
  authority.remove_prefix(authority.rfind('@') + 1);  // npos + 1 is 0
  const std::size_t bracket = authority.rfind(']');
  const std::size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos || (bracket != std::string_view::npos && colon < bracket))
    return authority;
  return authority.substr(0, colon);
}

}  // namespace

RequestHead RequestHead::from(std::string_view method, std::string_view target,
                              std::string_view host_field) {
  if (method == "CONNECT") return {method, host_of(target), {}};
  if (target.empty() || target.front() == '/' || target == "*")
    return {method, host_of(host_field), target};
  const std::size_t scheme_end = target.find("://");
  if (scheme_end == std::string_view::npos) return {method, host_of(host_field), target};
  const std::string_view rest = target.substr(scheme_end + 3);
  const std::size_t authority_end = std::min(rest.find_first_of("/?#"), rest.size());
  std::string_view path = rest.substr(authority_end);
  if (path.empty()) path = "/";  // RFC 9110 4.2.3: they are equivalent
  return {method, host_of(rest.substr(0, authority_end)), path};
}

bool matches(const RuleMatch& match, const RequestHead& request) {
  if (match.method && *match.method != request.method) return false;
  if (match.host && !equal_without_case(host_of(*match.host), request.host)) return false;
  return !match.path_prefix || request.path.starts_with(*match.path_prefix);
}

const ServiceRule* first_match(const std::vector<ServiceRule>& rules, const RequestHead& request) {
  const auto found = std::find_if(rules.begin(), rules.end(), [&](const ServiceRule& rule) {
    return matches(rule.match, request);
  });
  return found == rules.end() ? nullptr : &*found;
}

}  // namespace migd
