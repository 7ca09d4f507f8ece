// A reference to a connection's endpoint, for whoever is to answer the client as if it were the
// first: the connection's id, both address pairs, and where its two byte streams stood.
#pragma once

#include "base/address.h"
#include "base/ids.h"
#include "base/seq.h"

namespace migd {

struct ConnectionReference {
  ConnectionId connection;
  FourTuple tuple;
  SeqNum send_next;     // SND.NXT
  SeqNum receive_next;  // RCV.NXT
  bool operator==(const ConnectionReference&) const = default;
};

}  // namespace migd
