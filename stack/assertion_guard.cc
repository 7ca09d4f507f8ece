#include "stack/assertion_guard.h"

#include <csetjmp>
#include <cstdlib>

#include "base/check.h"

namespace migd {
namespace {

std::jmp_buf* innermost = nullptr;  // where a failed assertion jumps to
AssertionGuard::Failure failure;

}  // namespace

bool AssertionGuard::run_raw(void (*call)(void*), void* argument) {
  std::jmp_buf here;
  std::jmp_buf* const outer = innermost;
  if (setjmp(here) != 0) {
    innermost = outer;
    return false;
  }
  innermost = &here;
  call(argument);
  innermost = outer;
  return true;
}

void AssertionGuard::fail(const char* message, const char* file, int line) {
  if (innermost == nullptr) check_failed(message, file, line);
  failure = {message, file, line};
  std::longjmp(*innermost, 1);
}

const AssertionGuard::Failure& AssertionGuard::last_failure() {
  return failure;
}

}  // namespace migd
