#include "stack/snapshot.h"

namespace migd {

std::string_view to_string(TcpState state) {
  switch (state) {
    case TcpState::kSynReceived:
      return "SYN_RCVD";
    case TcpState::kEstablished:
      return "ESTABLISHED";
    case TcpState::kCloseWait:
      return "CLOSE_WAIT";
    case TcpState::kFinWait1:
      return "FIN_WAIT_1";
    case TcpState::kFinWait2:
      return "FIN_WAIT_2";
    case TcpState::kClosing:
      return "CLOSING";
    case TcpState::kLastAck:
      return "LAST_ACK";
    case TcpState::kTimeWait:
      return "TIME_WAIT";
  }
  return "?";
}

bool application_done(const TcpSnapshot& s) {
  return s.read_closed || (s.write_closed && s.peer_fin_received && s.unread.empty());
}

}  // namespace migd
