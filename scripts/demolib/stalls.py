"""Whether the machine itself stood still: a watcher on each processor sleeps a little, again and
again, and counts when it wakes late. On shared or virtual machines a processor can be gone for tens
of milliseconds; TCP then sends a probe again, with or without a migration.

As a program: stalls.py CPU, until its standard input ends; then one line "COUNT LONGEST_MS".
"""
import os
import select
import subprocess
import sys
import time

SLEEP_S = 0.005
LATE_S = 0.003  # a tick of the scheduler, and more than any of migd's own turns


class StallWatch:
    """Use as a context; `count` and `longest_ms` are known after it."""

    def __enter__(self):
        self.watchers = [
            subprocess.Popen(["/usr/bin/python3", "-BS", __file__, str(cpu)], text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            for cpu in sorted(os.sched_getaffinity(0))]
        self.count, self.longest_ms = 0, 0.0
        return self

    def __exit__(self, *_):
        for watcher in self.watchers:
            output, _ = watcher.communicate(timeout=10)
            count, longest = output.split()
            self.count += int(count)
            self.longest_ms = max(self.longest_ms, float(longest))


def watch(cpu):
    os.sched_setaffinity(0, {cpu})
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        pass  # then it also counts when others do not let it run, as they do not let migd
    count, longest = 0, 0.0
    while True:
        before = time.monotonic()
        ended, _, _ = select.select([0], [], [], SLEEP_S)
        late = time.monotonic() - before - SLEEP_S
        if late > LATE_S:
            count, longest = count + 1, max(longest, late)
        if ended:
            break
    print(count, round(longest * 1000, 1))


if __name__ == "__main__":
    watch(int(sys.argv[1]))
