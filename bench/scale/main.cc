// migd-bench-scale: what a packet costs among many connections, against among few, inside one
// process.
//
//   migd-bench-scale stack|forwarder FEW MANY PACKETS RUNS
//
// In each run PACKETS packets come to random ones of FEW connections (of a stack) or flows (of a
// forwarder), and as many to random ones of MANY. One line of JSON: for each run the nanoseconds
// that a packet has taken, and once the bytes of memory of one connection or flow among MANY.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "bench/scale/forwarder_population.h"
#include "bench/scale/stack_population.h"

namespace migd::bench {
namespace {

int main(bool stack, unsigned few_count, unsigned many_count, unsigned packets, unsigned runs) {
  const auto make = stack ? make_stack_population : make_forwarder_population;
  const auto few = make(few_count), many = make(many_count);
  for (Population* population : {few.get(), many.get()})
    population->nanoseconds_per_packet(packets);  // warms up
  std::string text;
  for (unsigned i = 0; i < runs; ++i) {
    const double of_few = few->nanoseconds_per_packet(packets);
    const double of_many = many->nanoseconds_per_packet(packets);
    text += (i == 0 ? "[" : ",[") + std::to_string(of_few) + "," + std::to_string(of_many) + "]";
  }
  std::printf("{\"few_many_ns\":[%s],\"bytes_each\":%.1f}\n", text.c_str(), many->bytes_each());
  return 0;
}

}  // namespace
}  // namespace migd::bench

int main(int argc, char** argv) {
  const std::string kind = argc == 6 ? argv[1] : "";
  if (kind != "stack" && kind != "forwarder") {
    std::fprintf(stderr, "usage: migd-bench-scale stack|forwarder FEW MANY PACKETS RUNS\n");
    return 2;
  }
  const auto number = [&](int i) { return static_cast<unsigned>(std::atoi(argv[i])); };
  return migd::bench::main(kind == "stack", number(2), number(3), number(4), number(5));
}
