// Initial sequence numbers (RFC 6528): a clock of 4 us plus a keyed hash of the four-tuple, so that
// nobody can guess the one by connecting himself, and a tuple's next connection starts above its
// last.
#pragma once

#include "base/address.h"
#include "base/seq.h"
#include "base/siphash.h"
#include "base/time.h"

namespace migd {

SeqNum initial_sequence_number(const SipKey& key, const FourTuple& tuple, Instant now);

}  // namespace migd
