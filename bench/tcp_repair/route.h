// The route that decides which node gets the client's packets, changed by this process itself: to
// start a program for that would take milliseconds.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <string>

namespace migd::bench {

class Route {
 public:
  // The route of `destination`/32 in the network namespace that the file names.
  Route(const std::string& network_namespace, in_addr destination);
  ~Route();
  Route(const Route&) = delete;
  Route& operator=(const Route&) = delete;

  void lead_to(in_addr gateway);  // in force when it returns

 private:
  const in_addr destination_;
  int fd_ = -1;
  std::uint32_t sequence_ = 0;
};

}  // namespace migd::bench
