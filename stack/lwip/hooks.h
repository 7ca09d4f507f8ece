/* What lwIP asks of migd while it serves one PCB, and what our patches call. lwIP has global state,
 * so one struct of settings is switched for each entry (stack/instance_scope.h). */
#ifndef MIGD_LWIP_HOOKS_H
#define MIGD_LWIP_HOOKS_H

#include <stdint.h>  // NOLINT(modernize-deprecated-headers): it is C

#ifdef __cplusplus
extern "C" {
#endif

struct ip_addr;
struct pbuf;
struct tcp_pcb;
struct tcp_seg;

struct migd_lwip {
  void* stack;             /* the StackImpl that is inside */
  uint32_t receive_window; /* the most that the peer may have us hold */
  uint32_t receive_slack;  /* how much more may be announced where rounding demands it */
  uint32_t send_buffer;
  uint16_t mtu; /* of the link */
  /* What a SYN/ACK announces: packets to us must fit the larger encapsulation as well. */
  uint16_t link_mss_v4, link_mss_v6;
  uint16_t announced_mss; /* that of a SYN/ACK which is repeated; 0: of the two above */
  uint8_t receive_scale;  /* the window scale that a SYN/ACK announces */

  /* Bytes of the segment that is processed which had come before; alike: none have. */
  uint32_t duplicate_left, duplicate_right;

  /* The timestamp (RFC 7323) that this connection sends now. */
  uint32_t (*timestamp)(const struct tcp_pcb* pcb);
  /* Whether a timestamp of the peer's may be echoed from now on (RFC 7323 4.3). */
  int (*is_recent)(const struct tcp_pcb* pcb, uint32_t tsval);
  uint32_t (*initial_sequence)(const struct ip_addr* local, uint16_t local_port,
                               const struct ip_addr* remote, uint16_t remote_port);
  /* Takes a copy of the segment, which begins with its TCP header. */
  void (*output)(const struct pbuf* segment, const struct ip_addr* source,
                 const struct ip_addr* destination, uint8_t hop_limit, uint8_t traffic_class);

  /* ---- loss recovery (stack/recovery/loss_recovery.h) ---- */
  void (*segment_sent)(struct tcp_pcb* pcb, struct tcp_seg* segment);
  /* By the cumulative acknowledgment; the segment is freed next. */
  void (*segment_acked)(struct tcp_pcb* pcb, const struct tcp_seg* segment);
  /* An acceptable ACK was processed; SND.UNA has advanced by `acked`. */
  void (*ack_received)(struct tcp_pcb* pcb, uint32_t acked, int duplicate);
  /* Sends again what is lost; how far from SND.UNA on the congestion window reaches. */
  uint32_t (*output_window)(struct tcp_pcb* pcb);

  /* Does not return. */
  void (*assertion_failed)(const char* message, const char* file, int line);
};
extern struct migd_lwip migd_lwip;

void migd_lwip_assertion_failed(const char* message, const char* file, int line)
    __attribute__((noreturn));

/* The window field of a segment that is about to leave; remembers the right edge that it announces.
 * Scaling rounds, and must not take back what was promised (RFC 7323 section 2.4). */
uint16_t migd_lwip_window_field(struct tcp_pcb* pcb, int scaled);

/* The MSS that a SYN/ACK announces. One that is repeated says what the first one said, whichever
 * node that came from. */
uint16_t migd_lwip_announced_mss(const struct tcp_pcb* pcb);

/* Sends a segment of the queue of the unacknowledged again, now. Not 0: it was sent. */
int migd_lwip_resend(struct tcp_pcb* pcb, struct tcp_seg* segment);

#ifdef __cplusplus
}
#endif
#endif
