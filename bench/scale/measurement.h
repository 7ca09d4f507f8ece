// One measurement inside this process: what a packet costs among few connections, and among many.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace migd::bench {

// A thing with so many connections or flows, to which packets of random ones of them come.
class Population {
 public:
  virtual ~Population() = default;
  // The mean time that each of `packets` packets has taken.
  virtual double nanoseconds_per_packet(unsigned packets) = 0;
  // Of memory, that each connection or flow has taken.
  virtual double bytes_each() const = 0;
};

// So many packets come at once, as one turn of the event loop has them.
inline constexpr unsigned kBatch = 32;

class Stopwatch {
 public:
  void start() { began_ = Clock::now(); }
  void stop() { spent_ += Clock::now() - began_; }
  double nanoseconds() const { return static_cast<double>(spent_.count()); }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point began_;
  std::chrono::nanoseconds spent_{};
};

}  // namespace migd::bench
