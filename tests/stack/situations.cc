#include "tests/stack/situations.h"

#include "tests/support/icmp.h"

namespace migd::test {
namespace {

constexpr std::uint32_t kPayload = 1448;  // of a segment with a timestamp

// The peer forgets what it was sent: on the wire it was lost.
void lose(TestBed& bed, std::size_t keep) {
  bed.peer.received.resize(keep);
  bed.peer.receive_next = bed.peer.first_byte + static_cast<std::uint32_t>(keep);
  bed.peer.fin_received = false;
}

void give_at(TestBed& bed, std::size_t at, std::size_t size) {
  const SeqNum begin(bed.peer.options.iss + 1);
  bed.give(bed.peer.data(ramp(size, at), {.seq = begin + static_cast<std::uint32_t>(at)}));
}

void close_window(TestBed& bed) {
  bed.connect();
  bed.write(ramp(100));
  bed.peer.window = 0;
  bed.give(bed.peer.ack());
  bed.write(ramp(5000, 100));
}

std::vector<Situation> make() {
  std::vector<Situation> all;
  const auto add = [&all](std::string name, std::function<void(TestBed&)> arrive) -> Situation& {
    return all.emplace_back(Situation{.name = std::move(name), .arrive = std::move(arrive)});
  };
  add("SynReceived", [](TestBed& bed) { bed.give(bed.peer.syn()); });
  add("SynReceivedRetransmitted", [](TestBed& bed) {
    bed.give(bed.peer.syn());
    bed.run_for(4s);
  });
  add("SynReceivedChallenged", [](TestBed& bed) {  // the answer announces a scaled window
    bed.give(bed.peer.syn());
    bed.give(bed.peer.rst({.seq = bed.peer.send_next + 100}));
  });
  add("Established", [](TestBed& bed) { bed.connect(); });
  add("EstablishedIdle", [](TestBed& bed) {
    bed.connect();
    bed.write(ramp(1000));
    bed.give(bed.peer.data(ramp(1000)));
    bed.run_for(1000s);
  });
  add("AckOwed", [](TestBed& bed) {
    bed.connect();
    bed.give(bed.peer.data(ramp(100)));
    bed.run_for(1s);
    bed.give(bed.peer.data(ramp(100, 100)));
  });
  add("PathMtu", [](TestBed& bed) {
    bed.connect();
    bed.write(ramp(30000));
    lose(bed, 0);
    bed.give(too_big(bed.take().at(0), 1300));
    bed.run_for(10ms);
  });
  add("Unread", [](TestBed& bed) {
    bed.app.reads = false;
    bed.connect();
    for (std::size_t at = 0; at < 50000; at += 1300)
      bed.give(bed.peer.data(ramp(1300, at)));
  });
  add("WindowFull", [](TestBed& bed) {
    bed.app.reads = false;
    bed.connect();
    for (std::size_t at = 0; bed.peer.right_edge - bed.peer.send_next >= 1300; at += 1300) {
      bed.give(bed.peer.data(ramp(1300, at)));
    }
  }).options.window = 60000;
  add("OutOfOrder", [](TestBed& bed) {
    bed.connect();
    give_at(bed, 3000, 1000);
    give_at(bed, 1000, 1000);
    give_at(bed, 8000, 1000);
    give_at(bed, 4000, 500);
  });
  add("OutOfOrderFin", [](TestBed& bed) {
    bed.connect();
    bed.give(bed.peer.fin(ramp(500, 1000), {.seq = SeqNum(bed.peer.options.iss + 1001)}));
  });
  add("InFlight", [](TestBed& bed) {
    bed.connect();
    bed.write(ramp(9000));
    bed.run_for(20ms);  // a round trip is being timed
  });
  add("InFlightAndUnsent", [](TestBed& bed) {
    bed.connect();
    bed.write(ramp(100000));
  });
  add("PartOfASegmentAcknowledged", [](TestBed& bed) {
    bed.connect();
    bed.write(ramp(30000));
    lose(bed, 3333);
    bed.give(bed.peer.ack());
  });
  add("Retransmitting", [](TestBed& bed) {
    bed.connect();
    bed.write(ramp(50000));
    lose(bed, 0);
    bed.run_for(500ms);
  });
  add("RecoveringFromATimeOut", [](TestBed& bed) {
    bed.connect();
    bed.write(ramp(50000));
    lose(bed, 0);
    bed.run_for(500ms);
    bed.give(bed.peer.ack());
    bed.give(bed.peer.ack());
  });
  add("FastRecovery", [](TestBed& bed) {
    bed.connect();
    bed.write(ramp(50000));
    lose(bed, 1000);
    for (int i = 0; i < 4; ++i)
      bed.give(bed.peer.ack());  // the third duplicate tells of a loss
    lose(bed, 1000);             // and what is sent again is lost too
  });
  add("Sacked", [](TestBed& bed) {
    bed.connect();
    bed.write(ramp(50000));
    lose(bed, 0);
    bed.run_for(5ms);
    const SeqNum begin = bed.peer.first_byte;
    bed.give(bed.peer.ack({.sack = {{begin + 2 * kPayload, begin + 6 * kPayload}}}));
    bed.run_for(1ms);
    lose(bed, 0);
  });
  add("TailProbed", [](TestBed& bed) {
    bed.connect();
    bed.write(ramp(9000));
    lose(bed, 0);
    bed.run_for(50ms);
  });
  add("FirstAckAfterATimeOut", [](TestBed& bed) {  // F-RTO sends something new
    bed.connect();
    bed.write(ramp(50000));
    lose(bed, 0);
    bed.run_for(500ms);
    bed.give(bed.peer.ack());
  });
  add("AfterRecovery", [](TestBed& bed) {
    bed.connect();
    bed.write(ramp(20000));
    lose(bed, 1000);
    for (int i = 0; i < 4; ++i)
      bed.give(bed.peer.ack());
    for (int i = 0; i < 30; ++i) {
      bed.run_for(10ms);
      bed.give(bed.peer.ack());
    }
    bed.write(ramp(100000));
    bed.give(bed.peer.ack());
    bed.run_for(10ms);
  });
  add("ZeroWindow", [](TestBed& bed) { close_window(bed); });
  add("ZeroWindowProbed", [](TestBed& bed) {
    close_window(bed);
    bed.run_for(3s);
  });
  add("ZeroWindowProbeAcknowledged", [](TestBed& bed) {
    close_window(bed);
    bed.run_for(1s);
    bed.give(bed.peer.ack());
    bed.run_for(1s);
  });
  add("ZeroWindowAfterATimeOut", [](TestBed& bed) {
    bed.connect();
    bed.write(ramp(50000));
    lose(bed, 0);
    bed.run_for(500ms);
    bed.peer.window = 0;
    bed.give(bed.peer.ack());
    bed.run_for(3s);
  });
  add("ZeroWindowBeforeFin", [](TestBed& bed) {
    close_window(bed);
    bed.close();
    bed.run_for(1s);
  });
  Situation& keep_alive = add("KeepAliveProbing", [](TestBed& bed) {
    bed.connect();
    bed.run_for(100s);
  });
  keep_alive.options.keepalive_idle = 10s;
  add("CloseWait", [](TestBed& bed) {
    bed.connect();
    bed.write(ramp(20000));
    bed.give(bed.peer.fin(ramp(10)));
  });
  add("CloseWaitUnread", [](TestBed& bed) {
    bed.app.reads = false;
    bed.connect();
    bed.give(bed.peer.fin(ramp(10000)));
  });
  add("FinWait1", [](TestBed& bed) {
    bed.connect();
    bed.write(ramp(5000));
    bed.shutdown_write();
  });
  add("FinWait1Unsent", [](TestBed& bed) {
    bed.connect();
    bed.write(ramp(50000));
    bed.close();
  });
  add("FinWait1Lost", [](TestBed& bed) {
    bed.connect();
    bed.write(ramp(5000));
    bed.close();
    lose(bed, 0);
    bed.run_for(500ms);
  });
  add("FinWait2", [](TestBed& bed) {
    bed.connect();
    bed.write(ramp(500));
    bed.shutdown_write();
    bed.give(bed.peer.ack());
  });
  add("FinWait2Orphaned", [](TestBed& bed) {
    bed.connect();
    bed.close();
    bed.give(bed.peer.ack());
    bed.run_for(10s);
  });
  add("Closing", [](TestBed& bed) {
    bed.connect();
    bed.write(ramp(2000));
    const SeqNum before = bed.peer.receive_next;
    bed.shutdown_write();
    bed.give(bed.peer.fin({}, {.ack = before}));
  });
  add("LastAck", [](TestBed& bed) {
    bed.connect();
    bed.give(bed.peer.fin());
    bed.write(ramp(30000));
    bed.close();
  });
  add("TimeWait", [](TestBed& bed) {
    bed.connect();
    bed.close();
    bed.give(bed.peer.ack());
    bed.give(bed.peer.fin());
    bed.run_for(20s);
  });
  add("TimeWaitUnread", [](TestBed& bed) {
    bed.app.reads = false;
    bed.connect();
    bed.shutdown_write();
    bed.give(bed.peer.ack());
    bed.give(bed.peer.fin(ramp(700)));
  });
  const std::size_t with_defaults = all.size();
  for (std::size_t i = 0; i < with_defaults; ++i) {  // and again, with nothing negotiated
    Situation plain = all[i];
    plain.name += "Plain";
    plain.peer = PeerOptions::plain();
    all.push_back(std::move(plain));
  }
  return all;
}

}  // namespace

const std::vector<Situation>& situations() {
  static const std::vector<Situation> all = make();
  return all;
}

}  // namespace migd::test
