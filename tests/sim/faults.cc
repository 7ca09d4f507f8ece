#include "tests/sim/faults.h"

#include <functional>
#include <utility>

namespace migd::sim {
namespace {

// Another fault may have done it before.
void crash(SimCluster& cluster, SimMachine& machine) {
  if (machine.running()) cluster.crash(machine);
}
void start(SimMachine& machine) {
  if (!machine.running()) machine.start();
}

void strike(SimCluster& cluster, SimMachine& machine, Fault fault) {
  SimLoop& world = cluster.world();
  const auto after = [&world](Duration d, std::function<void()> task) {
    world.schedule(world.now() + d, std::move(task));
  };
  const auto cut_off_for = [&](Duration d) {
    cluster.net().isolate(machine.port(), true);
    after(d, [&] { cluster.net().isolate(machine.port(), false); });
  };
  switch (fault) {
    case Fault::kCrash:
    case Fault::kCrashAndRestart:
      cut_off_for(1ms);
      after(0ms, [&] { crash(cluster, machine); });
      if (fault == Fault::kCrashAndRestart) after(1500ms, [&] { start(machine); });
      return;
    case Fault::kPartitionBriefly:
      return cut_off_for(1s);
    case Fault::kPartition:
      return cut_off_for(8s);
    case Fault::kStopThenKill:
      machine.pause();
      cut_off_for(1ms);
      return after(1s, [&] { crash(cluster, machine); });
    case Fault::kStopBriefly:
    case Fault::kStopForLong:
      machine.pause();
      return after(fault == Fault::kStopBriefly ? 200ms : 12s, [&] { machine.resume(); });
  }
}

}  // namespace

std::string to_string(Fault fault) {
  switch (fault) {
    case Fault::kCrash:
      return "crash";
    case Fault::kCrashAndRestart:
      return "crash_and_restart";
    case Fault::kStopThenKill:
      return "stop_then_kill";
    case Fault::kStopBriefly:
      return "stop_briefly";
    case Fault::kStopForLong:
      return "stop_for_long";
    case Fault::kPartitionBriefly:
      return "partition_briefly";
    case Fault::kPartition:
      return "partition";
  }
  return "";
}

void apply(SimCluster& cluster, SimMachine& machine, Fault fault, Moment moment) {
  if (moment == Moment::kAtOnce) return strike(cluster, machine, fault);
  SimLoop& world = cluster.world();
  world.schedule(world.now() + 1us, [&cluster, &machine, fault] {
    if (machine.running()) strike(cluster, machine, fault);
  });
}

}  // namespace migd::sim
