#include "stack/instance_scope.h"

#include "base/check.h"

namespace migd {
namespace {

void empty_lists() {
  tcp_active_pcbs = nullptr;
  tcp_tw_pcbs = nullptr;
  tcp_listen_pcbs.pcbs = nullptr;
}

}  // namespace

InstanceScope::InstanceScope(const LwipSettings& settings, std::uint32_t ticks, tcp_pcb* pcb,
                             tcp_pcb_listen* listener)
    : outer_settings_(::migd_lwip), outer_ticks_(tcp_ticks), served_(pcb) {
  // lwIP's input state is not re-entrant, and neither are its lists.
  MIGD_CHECK(tcp_input_pcb == nullptr && tcp_active_pcbs == nullptr && tcp_tw_pcbs == nullptr);
  ::migd_lwip = settings;
  tcp_ticks = ticks;
  if (pcb != nullptr) {
    pcb->next = nullptr;
    (pcb->state == TIME_WAIT ? tcp_tw_pcbs : tcp_active_pcbs) = pcb;
  }
  if (listener != nullptr) {
    listener->next = nullptr;
    tcp_listen_pcbs.listen_pcbs = listener;
  }
}

InstanceScope::~InstanceScope() {
  empty_lists();
  tcp_ticks = outer_ticks_;
  ::migd_lwip = outer_settings_;
}

tcp_pcb* InstanceScope::reset_after_failure() {
  tcp_input_pcb = nullptr;
  tcp_pcb* made = tcp_active_pcbs;
  empty_lists();
  return made == served_ ? nullptr : made;
}

}  // namespace migd
