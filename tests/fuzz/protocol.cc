// Fuzzer `protocol`: migrations between three shipped nodes. The input says in which stage it
// begins, what arrives next, what is lost with its session, what is asked for, and what a node says
// that lies (tests/fuzz/protocol_cluster.h).
#include "tests/fuzz/listener.h"
#include "tests/fuzz/protocol_cluster.h"

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  migd::fuzz::listen_to_expectations();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr int kStepsMax = 150;
  migd::fuzz::Input in({data, size});
  migd::fuzz::ProtocolCluster cluster;
  const std::uint8_t way = in.u8();
  if (way < 128) cluster.prelude(way, in.below(16));
  for (int i = 0; i < kStepsMax && !in.empty(); ++i)
    cluster.step(in);
  cluster.finish();
  return 0;
}
