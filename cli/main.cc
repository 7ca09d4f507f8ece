#include <sodium.h>

#include <iostream>

#include "cli/command_line.h"
#include "cli/daemon.h"

int main(int argc, char** argv) {
  if (sodium_init() < 0) {
    std::cerr << "migd: libsodium cannot be used on this machine\n";
    return migd::kExitFailed;
  }
  return migd::run_cli(argc, argv, std::cout, std::cerr, migd::run_daemon);
}
