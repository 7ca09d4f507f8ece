/* How lwIP is built for migd: its TCP alone, on our own IP layer (hooks.c), without timers,
 * sockets, pools, reassembly, ICMP and checksums; those are ours or not wanted. */
#ifndef MIGD_LWIPOPTS_H
#define MIGD_LWIPOPTS_H

/* One thread, no operating system underneath. */
#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_TIMERS 0
#define LWIP_SOCKET 0
#define LWIP_NETCONN 0
#define LWIP_STATS 0

/* PCBs, segments and buffers come from malloc: lwIP's pools would end at 65535 of each. */
#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
#define MEM_ALIGNMENT 8

/* Below TCP lwIP sees one interface that takes IP packets (hooks.c). */
#define LWIP_IPV4 1
#define LWIP_IPV6 1
#define LWIP_SINGLE_NETIF 1
#define LWIP_ARP 0
#define LWIP_ETHERNET 0
#define LWIP_ICMP 0
#define LWIP_ICMP6 0
#define LWIP_RAW 0
#define LWIP_UDP 0
#define LWIP_IPV6_MLD 0
#define LWIP_IPV6_AUTOCONFIG 0
#define LWIP_IPV6_SCOPES 0
#define LWIP_ND6_TCP_REACHABILITY_HINTS 0
#define IP_REASSEMBLY 0
#define IP_FRAG 0
#define LWIP_IPV6_REASS 0
#define LWIP_IPV6_FRAG 0
#define PBUF_LINK_HLEN 0
#define LWIP_SUPPORT_CUSTOM_PBUF 1
#define LWIP_PBUF_REF_T u16_t

/* Checksums: the input side verifies before lwIP sees a segment, the output side fills them in. */
#define CHECKSUM_GEN_IP 0
#define CHECKSUM_GEN_TCP 0
#define CHECKSUM_CHECK_IP 0
#define CHECKSUM_CHECK_TCP 0
#define LWIP_CHECKSUM_ON_COPY 0

/* TCP. Windows and buffers are run-time values of the connection that is being served. */
#define LWIP_TCP 1
#define TCP_TTL 64
#define TCP_MSS 65280 /* the link's MTU is what limits it; leaves room for headers in 16 bits */
#define TCP_MSS_MIN 88 /* a peer that announces less is taken for one that announced this */
#define LWIP_WND_SCALE 1
#define TCP_WND (migd_lwip.receive_window)
#define TCP_RCV_SCALE (migd_lwip.receive_scale)
#define TCP_SND_BUF (migd_lwip.send_buffer)
#define TCP_SND_QUEUELEN 65000 /* buffers; the count has 16 bits */
#define TCP_SNDLOWAT 1
#define TCP_OVERSIZE 0 /* no spare room behind queued data: nothing to keep consistent or to move */
#define TCP_QUEUE_OOSEQ 1
#define LWIP_TCP_SACK_OUT 1
#define LWIP_TCP_MAX_SACK_NUM 4
#define LWIP_TCP_TIMESTAMPS 1
#define LWIP_TCP_KEEPALIVE 1
#define TCP_LISTEN_BACKLOG 0
#define LWIP_TCP_PCB_NUM_EXT_ARGS 1
#define TCP_TMR_INTERVAL 5 /* tcp_ticks counts twice this, 10 ms; tcp_tmr() is never called */

#define LWIP_HOOK_FILENAME "hooks.h"
#define LWIP_HOOK_TCP_ISN(local, local_port, remote, remote_port) \
  (migd_lwip.initial_sequence((local), (local_port), (remote), (remote_port)))

#endif
