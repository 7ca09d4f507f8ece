#include "migrator/channel/refusal.h"

#include <string>

namespace migd::channel {

std::string_view to_string(Refusal refusal) {
  switch (refusal) {
    case Refusal::kTruncated:
      return "truncated";
    case Refusal::kOversized:
      return "oversized";
    case Refusal::kUnknownVersion:
      return "unknown_version";
    case Refusal::kUnknownType:
      return "unknown_type";
    case Refusal::kUnknownPeer:
      return "unknown_peer";
    case Refusal::kUnknownKey:
      return "unknown_key";
    case Refusal::kUnknownSession:
      return "unknown_session";
    case Refusal::kBadTag:
      return "bad_tag";
    case Refusal::kReplayed:
      return "replayed";
    case Refusal::kMalformed:
      return "malformed_frame";
    case Refusal::kStaleBoot:
      return "stale_boot";
    case Refusal::kStaleHello:
      return "stale_hello";
    case Refusal::kHelloRate:
      return "hello_rate";
    case Refusal::kNoCommonChannel:
      return "incompatible_channel_version";
    case Refusal::kNoCommonBlob:
      return "incompatible_blob_version";
    case Refusal::kNoCommonEncapsulation:
      return "incompatible_encapsulation";
    case Refusal::kTimestampLayout:
      return "incompatible_timestamp_layout";
    case Refusal::kWindowProfile:
      return "incompatible_window_profile";
    case Refusal::kBodyForged:
      return "body_forged";
    case Refusal::kBodySession:
      return "unknown_body_session";
    case Refusal::kMemory:
      return "memory";
    case Refusal::kStaleMessage:
      return "stale_message";
    case Refusal::kNotForUs:
      return "not_for_us";
    case Refusal::kNoRoute:
      return "no_route";
    case Refusal::kTimedOut:
      return "timed_out";
  }
  return "?";
}

RefusalCounters::RefusalCounters(Metrics& metrics) {
  for (std::size_t i = 0; i < kRefusalCount; ++i) {
    const std::string reason(to_string(static_cast<Refusal>(i)));
    counters_[i] = &metrics.counter("migd_channel_refused_total{reason=\"" + reason + "\"}");
  }
}

}  // namespace migd::channel
