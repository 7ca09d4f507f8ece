// Fuzzer `datagram`: the blob channel among honest nodes and one that is authenticated and hostile.
// Messages arrive as they were sent, at most once, and only from whom they claim to be; memory has
// its bounds; nothing crashes. The input says what everybody does (tests/fuzz/channel_net.h).
#include "tests/fuzz/channel_net.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr int kStepsMax = 200;
  migd::fuzz::Input in({data, size});
  const bool to_the_end = in.below(4) == 3;
  migd::fuzz::ChannelNet net;
  for (int i = 0; i < kStepsMax && !in.empty(); ++i)
    net.step(in);
  if (to_the_end) net.finish();
  return 0;
}
