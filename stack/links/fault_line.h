// One direction of a bad path: an engine that loses, repeats, damages, delays and reorders frames.
// Every decision is drawn from an Rng, so a seeded one gives the same faults to the same frames.
#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "base/frame.h"
#include "base/random.h"
#include "base/time.h"

namespace migd {

// Probabilities are from 0 to 1 and drawn for each frame, in the order of the fields.
struct FaultOptions {
  double loss = 0;
  double corruption = 0;   // one bit is turned, anywhere in the frame
  double duplication = 0;  // the copy follows at once
  double reordering = 0;   // held back while others pass, by frames or by time, as below

  Duration delay{};   // of every frame
  Duration jitter{};  // more, uniform from 0 to this; the order stays

  int reorder_frames = 3;  // held back until so many others have passed, but not longer than ...
  Duration reorder_time{1ms};

  bool any() const {
    return loss > 0 || corruption > 0 || duplication > 0 || reordering > 0 ||
           delay > Duration::zero() || jitter > Duration::zero();
  }
};

struct FaultCounters {
  std::uint64_t lost = 0, corrupted = 0, duplicated = 0, reordered = 0;
};

class FaultLine {
 public:
  using Output = std::function<void(Frame, Instant now)>;
  FaultLine(const FaultOptions& options, Rng& rng, Output output);

  void set_options(const FaultOptions& options) { options_ = options; }  // of frames from now on
  void input(Frame frame, Instant now);
  Instant next_deadline() const;
  void on_deadline(Instant now);

  const FaultCounters& counters() const { return counters_; }

 private:
  struct Held {
    Frame frame;
    int frames_to_pass = 0;  // 0: only time frees it
  };

  bool chance(double probability);
  Duration random_up_to(Duration most);
  void corrupt(Frame& frame);
  void pass(Frame frame, Instant now);
  void hold(Frame frame, Instant until, int frames_to_pass);
  void count_passed(Instant now);
  void emit(Frame frame, Instant now);

  FaultOptions options_;
  Rng& rng_;
  Output output_;
  FaultCounters counters_;
  Instant last_due_{};                 // of the delayed, whose order stays
  std::multimap<Instant, Held> held_;  // by the time that frees them
};

}  // namespace migd
