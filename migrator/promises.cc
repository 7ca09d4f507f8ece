#include "migrator/promises.h"

namespace migd {
namespace {

// From a promise to the state: the source lets its queues flow out, for 20 ms at most unless it was
// told to wait. A longer wait may find the room taken, and is then refused by name.
constexpr Duration kPromiseKept = 1s;

}  // namespace

bool Promises::give(const Tenure& tenure, Instant now) {
  const bool given = given_.count(tenure) != 0;
  if (!given && stack_.room() == 0) return false;
  Promise& promise = given_[tenure];
  promise.tenure = tenure;
  wheel_.arm(promise, now + kPromiseKept);
  if (!given) stack_.reserve(static_cast<std::uint32_t>(given_.size()));
  return true;
}

void Promises::end(const Tenure& tenure) {
  if (given_.erase(tenure) != 0) stack_.reserve(static_cast<std::uint32_t>(given_.size()));
}

void Promises::on_deadline(Instant now) {
  while (TimerWheel::Node* node = wheel_.pop_expired(now)) {
    const Tenure expired = static_cast<Promise&>(*node).tenure;  // it dies with its promise
    end(expired);
  }
}

}  // namespace migd
