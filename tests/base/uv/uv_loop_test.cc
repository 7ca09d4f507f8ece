#include "base/uv/uv_loop.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <csignal>

#include "tests/support/event_loop_contract.h"

namespace migd {
namespace {

struct UvLoopMaker {
  UvLoop value;
  EventLoop& loop() { return value; }
};

}  // namespace

INSTANTIATE_TYPED_TEST_SUITE_P(Uv, EventLoopContract, UvLoopMaker);
INSTANTIATE_TYPED_TEST_SUITE_P(Uv, EventLoopFdContract, UvLoopMaker);

namespace {

TEST(UvLoop, SignalsReachTheirCallback) {
  UvLoop loop;
  int raised = 0;
  loop.on_signal(SIGUSR1, [&] {
    if (++raised == 2) loop.stop();
    if (raised == 1) std::raise(SIGUSR1);
  });
  loop.post([] { std::raise(SIGUSR1); });
  loop.run();
  EXPECT_EQ(raised, 2);
}

TEST(UvLoop, TasksThatNeverRanAreDestroyedWithTheLoop) {
  const auto witness = std::make_shared<int>(0);
  {
    UvLoop loop;
    loop.post([witness] { ++*witness; });
  }
  EXPECT_EQ(*witness, 0);
  EXPECT_EQ(witness.use_count(), 1);
}

TEST(UvLoop, WatchGoesOnAfterAnErrorOfItsDescriptor) {
  UvLoop loop;
  // A UDP socket whose peer is not there: the error comes up as readiness, and reading clears it.
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  sockaddr_in nobody{};
  nobody.sin_family = AF_INET;
  nobody.sin_port = htons(1);
  nobody.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&nobody), sizeof nobody), 0);
  int errors = 0;
  const auto watch = loop.watch(fd, {.readable = true}, [&](FdEvents) {
    char byte;
    EXPECT_LT(read(fd, &byte, 1), 0);
    EXPECT_EQ(errno, ECONNREFUSED);
    if (++errors == 2) {
      loop.stop();
    } else {
      EXPECT_EQ(write(fd, "x", 1), 1);
    }
  });
  EXPECT_EQ(write(fd, "x", 1), 1);
  loop.run();
  EXPECT_EQ(errors, 2);
  close(fd);
}

using UvLoopDeathTest = ::testing::Test;

TEST(UvLoopDeathTest, TimerThatOutlivesTheLoopIsAProgrammingError) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        auto loop = std::make_unique<UvLoop>();
        const auto timer = loop->make_timer([] {});
        timer->start(loop->now() + 1h);
        loop.reset();
      },
      "timers.empty");
}

}  // namespace
}  // namespace migd
