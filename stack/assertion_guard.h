// Turns a failed assertion inside lwIP into a return value.
//
// run() calls `call`; an assertion of lwIP that fails meanwhile jumps back here (longjmp) and run()
// returns false. The jump unwinds C frames only, so nothing between run() and lwIP may need a
// destructor: `call` is a small lambda that captures references and calls lwIP, and our callbacks
// from lwIP only enqueue; they never call back into lwIP. What lwIP was working on is then in an
// unknown state: the caller quarantines it. Guards nest.
#pragma once

#include <type_traits>

namespace migd {

class AssertionGuard {
 public:
  struct Failure {
    const char* message = nullptr;
    const char* file = nullptr;
    int line = 0;
  };

  template <typename Call>
  static bool run(Call& call) {
    return run_raw([](void* that) { (*static_cast<Call*>(that))(); }, &call);
  }

  static const Failure& last_failure();

  // lwIP's hook. Outside of a guard it aborts the process: whoever called lwIP forgot to guard.
  [[noreturn]] static void fail(const char* message, const char* file, int line);

 private:
  static bool run_raw(void (*call)(void*), void* argument);
};

}  // namespace migd
