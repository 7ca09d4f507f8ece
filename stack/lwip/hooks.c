#include "hooks.h"

#include <stdlib.h>

#include "lwip/ip.h"
#include "lwip/ip6.h"
#include "lwip/nd6.h"
#include "lwip/netif.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/ip6.h"
#include "lwip/prot/tcp.h"

struct migd_lwip migd_lwip;

void migd_lwip_assertion_failed(const char *message, const char *file, int line) {
  if (migd_lwip.assertion_failed != NULL) migd_lwip.assertion_failed(message, file, line);
  abort();
}

/* ---- the IP layer, as far as TCP knows one: a single interface, and packets handed over ---- */

struct ip_globals ip_data;
const ip_addr_t ip_addr_any_type = IPADDR_ANY_TYPE_INIT;
static struct netif the_netif;
struct netif *netif_default = &the_netif;

static struct netif *route(void) {
  the_netif.mtu = migd_lwip.mtu;
  return &the_netif;
}

struct netif *ip4_route(const ip4_addr_t *dest) {
  LWIP_UNUSED_ARG(dest);
  return route();
}

struct netif *ip6_route(const ip6_addr_t *src, const ip6_addr_t *dest) {
  LWIP_UNUSED_ARG(src);
  LWIP_UNUSED_ARG(dest);
  return route();
}

struct netif *netif_get_by_index(u8_t idx) {
  LWIP_UNUSED_ARG(idx);
  return route();
}

/* Every connection has a local address: it was chosen by the client. */
const ip_addr_t *ip6_select_source_address(struct netif *netif, const ip6_addr_t *dest) {
  LWIP_UNUSED_ARG(netif);
  LWIP_UNUSED_ARG(dest);
  return NULL;
}

u16_t nd6_get_destination_mtu(const ip6_addr_t *addr, struct netif *netif) {
  LWIP_UNUSED_ARG(addr);
  return netif->mtu;
}

err_t ip4_output_if(struct pbuf *p, const ip4_addr_t *src, const ip4_addr_t *dest, u8_t ttl,
                    u8_t tos, u8_t proto, struct netif *netif) {
  ip_addr_t source = IPADDR4_INIT(src->addr), destination = IPADDR4_INIT(dest->addr);
  LWIP_UNUSED_ARG(proto);
  LWIP_UNUSED_ARG(netif);
  migd_lwip.output(p, &source, &destination, ttl, tos);
  return ERR_OK;
}

err_t ip6_output_if(struct pbuf *p, const ip6_addr_t *src, const ip6_addr_t *dest, u8_t hl, u8_t tc,
                    u8_t nexth, struct netif *netif) {
  ip_addr_t source, destination;
  LWIP_UNUSED_ARG(nexth);
  LWIP_UNUSED_ARG(netif);
  ip_addr_copy_from_ip6(source, *src);
  ip_addr_copy_from_ip6(destination, *dest);
  migd_lwip.output(p, &source, &destination, hl, tc);
  return ERR_OK;
}

/* Timers are ours: a connection's deadline is read off its PCB after each entry. */
void tcp_timer_needed(void) {}

/* ---- what our patches call ---- */

uint16_t migd_lwip_window_field(struct tcp_pcb *pcb, int scaled) {
  const u8_t scale = scaled ? pcb->rcv_scale : 0;
  const u32_t unit = (u32_t)1 << scale;
  const u32_t most = (u32_t)0xffff << scale;
  const s32_t promised = (s32_t)(pcb->rcv_ann_right_edge - pcb->rcv_nxt);
  u32_t window = LWIP_MIN(pcb->rcv_ann_wnd, most) & ~(unit - 1);

  if (promised > 0 && window < (u32_t)promised) {
    /* Rounding down would move the edge back. Rounding up promises a little more than there is
     * room for; that is granted until the slack is used up. */
    const u32_t rounded_up = ((u32_t)promised + unit - 1) & ~(unit - 1);
    if (rounded_up <= pcb->rcv_wnd) {
      window = LWIP_MIN(rounded_up, most);
    } else if (rounded_up <= most && rounded_up - pcb->rcv_wnd <= migd_lwip.receive_slack) {
      migd_lwip.receive_slack -= rounded_up - pcb->rcv_wnd;
      pcb->rcv_wnd = rounded_up;
      window = rounded_up;
    }
  }
  pcb->rcv_ann_right_edge = pcb->rcv_nxt + window;
  return (uint16_t)(window >> scale);
}

uint16_t migd_lwip_announced_mss(const struct tcp_pcb *pcb) {
  if (migd_lwip.announced_mss != 0) return migd_lwip.announced_mss;
  return IP_IS_V6_VAL(pcb->remote_ip) ? migd_lwip.link_mss_v6 : migd_lwip.link_mss_v4;
}

err_t tcp_output_segment(struct tcp_seg *seg, struct tcp_pcb *pcb, struct netif *netif);

int migd_lwip_resend(struct tcp_pcb *pcb, struct tcp_seg *segment) {
  if (segment->p->ref != 1 || tcp_output_segment(segment, pcb, route()) != ERR_OK) return 0;
  tcp_clear_flags(pcb, TF_ACK_DELAY | TF_ACK_NOW);
  return 1;
}
