// Which stack instance, and which PCB, lwIP works for.
//
// lwIP finds everything in globals: the PCB lists, the tick counter, and what stack/lwip/hooks.h
// adds. An InstanceScope switches them for one entry. The lists then hold the one PCB that is
// served, so that lwIP's linear searches end at once; when the scope ends they are empty again,
// whatever lwIP did with the PCB meanwhile.
#pragma once

#include <cstdint>

#include "stack/lwip/hooks.h"
#include "stack/lwip_headers.h"

namespace migd {

using LwipSettings = struct ::migd_lwip;

class InstanceScope {
 public:
  // `pcb` and `listener` may be null.
  InstanceScope(const LwipSettings& settings, std::uint32_t ticks, tcp_pcb* pcb,
                tcp_pcb_listen* listener);
  ~InstanceScope();
  InstanceScope(const InstanceScope&) = delete;
  InstanceScope& operator=(const InstanceScope&) = delete;

  // After a failed assertion: forgets what lwIP was in the middle of. Returns the PCB that lwIP had
  // just made and registered, if it is another than the one that was served.
  tcp_pcb* reset_after_failure();

 private:
  LwipSettings outer_settings_;
  std::uint32_t outer_ticks_;
  tcp_pcb* served_;
};

}  // namespace migd
