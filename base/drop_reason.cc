#include "base/drop_reason.h"

#include "base/check.h"

namespace migd {

std::string_view to_string(DropReason reason) {
  switch (reason) {
    case DropReason::kTruncated:
      return "truncated";
    case DropReason::kBadIpHeader:
      return "bad_ip_header";
    case DropReason::kIpFragment:
      return "ip_fragment";
    case DropReason::kUnsupportedProtocol:
      return "unsupported_protocol";
    case DropReason::kBadTcpHeader:
      return "bad_tcp_header";
    case DropReason::kBadChecksum:
      return "bad_checksum";
    case DropReason::kIcmpIgnored:
      return "icmp_ignored";
    case DropReason::kIcmpNotInFlight:
      return "icmp_not_in_flight";
    case DropReason::kBeyondWindow:
      return "beyond_window";
    case DropReason::kOldTimestamp:
      return "old_timestamp";
    case DropReason::kResetOutOfPlace:
      return "reset_out_of_place";
    case DropReason::kSynOutOfPlace:
      return "syn_out_of_place";
    case DropReason::kNoAcknowledgement:
      return "no_acknowledgement";
    case DropReason::kBadAcknowledgement:
      return "bad_acknowledgement";
    case DropReason::kNotOurAddress:
      return "not_our_address";
    case DropReason::kTtlExceeded:
      return "ttl_exceeded";
    case DropReason::kUnknownTunnelPeer:
      return "unknown_tunnel_peer";
    case DropReason::kUnknownFlowId:
      return "unknown_flow_id";
    case DropReason::kBadEncapsulation:
      return "bad_encapsulation";
    case DropReason::kEncapsulationLoop:
      return "encapsulation_loop";
    case DropReason::kNoConnection:
      return "no_connection";
    case DropReason::kNoService:
      return "no_service";
    case DropReason::kNoNode:
      return "no_node";
    case DropReason::kHoldQueueFull:
      return "hold_queue_full";
    case DropReason::kFrozenSynDropped:
      return "frozen_syn_dropped";
    case DropReason::kBacklogFull:
      return "backlog_full";
    case DropReason::kTooManyConnections:
      return "too_many_connections";
    case DropReason::kMemoryLimit:
      return "memory_limit";
    case DropReason::kOutOfMemory:
      return "out_of_memory";
    case DropReason::kQuarantined:
      return "quarantined";
    case DropReason::kDeviceFull:
      return "device_full";
    case DropReason::kTooLarge:
      return "too_large";
    case DropReason::kFault:
      return "fault";
  }
  check_failed("DropReason is known", __FILE__, __LINE__);
}

}  // namespace migd
