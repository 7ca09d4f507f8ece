// What every EventLoop promises, as one typed suite. A loop joins it with a Maker:
//
//   struct UvLoopMaker { UvLoop value; EventLoop& loop() { return value; } };
//   INSTANTIATE_TYPED_TEST_SUITE_P(Uv, EventLoopContract, UvLoopMaker);
//
// Loops with file descriptors join EventLoopFdContract too. No test asserts how late a thing is.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "base/event_loop.h"

namespace migd {

template <typename Maker>
class EventLoopContract : public ::testing::Test {
 protected:
  EventLoop& loop() { return maker_.loop(); }
  Instant in(Duration d) { return loop().now() + d; }
  // Ends run() when everything that is due by then has happened.
  void run_for(Duration d) {
    const auto end = loop().make_timer([this] { loop().stop(); });
    end->start(in(d));
    loop().run();
  }
  void note(const std::string& what) { seen_.push_back(what); }

  Maker maker_;
  std::vector<std::string> seen_;
};

TYPED_TEST_SUITE_P(EventLoopContract);

TYPED_TEST_P(EventLoopContract, TimersFireInOrderOfDeadlineAndThenOfStart) {
  using Strings = std::vector<std::string>;
  const Instant soon = this->in(2ms);
  const auto a = this->loop().make_timer([this] { this->note("a"); });
  const auto b = this->loop().make_timer([this] { this->note("b"); });
  const auto c = this->loop().make_timer([this] { this->note("c"); });
  c->start(soon + 100us);
  b->start(soon);
  a->start(soon);
  this->run_for(5ms);
  EXPECT_EQ(this->seen_, (Strings{"b", "a", "c"}));
}

TYPED_TEST_P(EventLoopContract, TimerIsNeverEarly) {
  for (const Duration wait :
       {Duration(30us), Duration(700us), Duration(1001us), Duration(2500us)}) {
    const Instant deadline = this->in(wait);
    Instant fired{};
    const auto timer = this->loop().make_timer([&] {
      fired = this->loop().now();
      this->loop().stop();
    });
    timer->start(deadline);
    this->loop().run();
    EXPECT_GE(fired, deadline);
  }
}

TYPED_TEST_P(EventLoopContract, DeadlineInThePastMeansSoon) {
  const auto timer = this->loop().make_timer([this] {
    this->note("fired");
    this->loop().stop();
  });
  timer->start(this->loop().now() - 1s);
  EXPECT_TRUE(this->seen_.empty()) << "not from inside of start()";
  this->loop().run();
  EXPECT_EQ(this->seen_.size(), 1u);
}

TYPED_TEST_P(EventLoopContract, StartReplacesTheEarlierDeadline) {
  int fired = 0;
  const auto timer = this->loop().make_timer([&] { ++fired; });
  timer->start(this->in(1ms));
  timer->start(this->in(2h));
  this->run_for(4ms);
  EXPECT_EQ(fired, 0);
  timer->start(this->in(1ms));
  this->run_for(4ms);
  EXPECT_EQ(fired, 1);
}

TYPED_TEST_P(EventLoopContract, EarlierDeadlineAfterALaterOne) {
  const auto late = this->loop().make_timer([this] { this->note("late"); });
  const auto early = this->loop().make_timer([this] {
    this->note("early");
    this->loop().stop();
  });
  late->start(this->in(1h));
  this->loop().post([&] { early->start(this->in(1ms)); });
  this->loop().run();
  EXPECT_EQ(this->seen_, std::vector<std::string>{"early"});
}

TYPED_TEST_P(EventLoopContract, NeverMeansNever) {
  const auto timer = this->loop().make_timer([this] { this->note("fired"); });
  timer->start(this->in(1ms));
  timer->start(kNever);
  this->run_for(3ms);
  EXPECT_TRUE(this->seen_.empty());
}

TYPED_TEST_P(EventLoopContract, StoppedAndDestroyedTimersAreSilent) {
  const auto stopped = this->loop().make_timer([this] { this->note("stopped"); });
  auto destroyed = this->loop().make_timer([this] { this->note("destroyed"); });
  stopped->start(this->in(1ms));
  destroyed->start(this->in(1ms));
  stopped->stop();
  destroyed.reset();
  this->run_for(3ms);
  EXPECT_TRUE(this->seen_.empty());
}

TYPED_TEST_P(EventLoopContract, OneTimerStopsAnotherThatIsDueAtTheSameTime) {
  const Instant deadline = this->in(1ms);
  std::unique_ptr<Timer> second;
  std::unique_ptr<Timer> third = this->loop().make_timer([this] { this->note("third"); });
  const auto first = this->loop().make_timer([&] {
    this->note("first");
    second.reset();
    third->stop();
  });
  second = this->loop().make_timer([this] { this->note("second"); });
  first->start(deadline);
  second->start(deadline);
  third->start(deadline);
  this->run_for(3ms);
  EXPECT_EQ(this->seen_, std::vector<std::string>{"first"});
}

TYPED_TEST_P(EventLoopContract, TimerMayDestroyItself) {
  std::unique_ptr<Timer> timer;
  auto witness = std::make_shared<std::string>("captured");
  timer = this->loop().make_timer([this, witness, &timer] {
    timer.reset();
    this->note(*witness);  // what the callback owns is still there
  });
  timer->start(this->in(1ms));
  this->run_for(3ms);
  EXPECT_EQ(this->seen_, std::vector<std::string>{"captured"});
}

TYPED_TEST_P(EventLoopContract, TimerMayStartItselfAgain) {
  int left = 3;
  std::unique_ptr<Timer> timer;
  timer = this->loop().make_timer([&] {
    if (--left > 0) {
      timer->start(this->in(200us));
    } else {
      this->loop().stop();
    }
  });
  timer->start(this->in(200us));
  this->loop().run();
  EXPECT_EQ(left, 0);
}

TYPED_TEST_P(EventLoopContract, TimerThatIsAlwaysDueDoesNotStopTheOthers) {
  std::unique_ptr<Timer> eager;
  eager = this->loop().make_timer([&] {
    if (this->seen_.empty()) eager->start(this->loop().now());
  });
  eager->start(this->loop().now());
  // Posted from a task, so that the loop has to come around.
  this->loop().post([this] {
    this->loop().post([this] {
      this->note("task");
      this->loop().stop();
    });
  });
  this->loop().run();
  EXPECT_EQ(this->seen_.size(), 1u);
}

TYPED_TEST_P(EventLoopContract, TasksRunInOrderAndNotFromInsidePost) {
  this->loop().post([this] {
    this->note("one");
    this->loop().post([this] {
      this->note("three");
      this->loop().stop();
    });
  });
  this->loop().post([this] { this->note("two"); });
  EXPECT_TRUE(this->seen_.empty());
  this->loop().run();
  EXPECT_EQ(this->seen_, (std::vector<std::string>{"one", "two", "three"}));
}

TYPED_TEST_P(EventLoopContract, TaskOfATimerRunsBeforeTheNextWait) {
  const auto later = this->loop().make_timer([this] { this->loop().stop(); });
  const auto timer = this->loop().make_timer([&] {
    this->loop().post([this] { this->note("task"); });
    this->note("timer");
  });
  timer->start(this->in(1ms));
  later->start(this->in(20ms));
  this->loop().run();
  EXPECT_EQ(this->seen_, (std::vector<std::string>{"timer", "task"}));
}

TYPED_TEST_P(EventLoopContract, RunsAgainAfterStop) {
  for (int i = 0; i < 2; ++i) {
    this->loop().post([this] {
      this->note("ran");
      this->loop().stop();
    });
    this->loop().run();
  }
  EXPECT_EQ(this->seen_.size(), 2u);
}

TYPED_TEST_P(EventLoopContract, ClockDoesNotGoBack) {
  Instant last = this->loop().now();
  for (int i = 0; i < 3; ++i) {
    this->run_for(100us);
    EXPECT_GE(this->loop().now(), last + 100us);
    last = this->loop().now();
  }
}

REGISTER_TYPED_TEST_SUITE_P(EventLoopContract, TimersFireInOrderOfDeadlineAndThenOfStart,
                            TimerIsNeverEarly, DeadlineInThePastMeansSoon,
                            StartReplacesTheEarlierDeadline, EarlierDeadlineAfterALaterOne,
                            NeverMeansNever, StoppedAndDestroyedTimersAreSilent,
                            OneTimerStopsAnotherThatIsDueAtTheSameTime, TimerMayDestroyItself,
                            TimerMayStartItselfAgain, TimerThatIsAlwaysDueDoesNotStopTheOthers,
                            TasksRunInOrderAndNotFromInsidePost, TaskOfATimerRunsBeforeTheNextWait,
                            RunsAgainAfterStop, ClockDoesNotGoBack);

// Two ends of a pipe, closed at the end of the test.
template <typename Maker>
class EventLoopFdContract : public EventLoopContract<Maker> {
 protected:
  EventLoopFdContract() { EXPECT_EQ(pipe(ends_), 0); }
  ~EventLoopFdContract() override {
    close(ends_[0]);
    close(ends_[1]);
  }
  int read_end() const { return ends_[0]; }
  int write_end() const { return ends_[1]; }
  void put_byte() { EXPECT_EQ(::write(ends_[1], "x", 1), 1); }
  void take_byte() {
    char byte;
    EXPECT_EQ(::read(ends_[0], &byte, 1), 1);
  }

 private:
  int ends_[2] = {-1, -1};
};

TYPED_TEST_SUITE_P(EventLoopFdContract);

TYPED_TEST_P(EventLoopFdContract, WatchIsLevelTriggered) {
  int calls = 0;
  const auto watch = this->loop().watch(this->read_end(), {.readable = true}, [&](FdEvents ready) {
    EXPECT_TRUE(ready.readable);
    EXPECT_FALSE(ready.writable);
    if (++calls == 3) this->take_byte();
    if (calls == 3) this->loop().stop();
  });
  this->put_byte();
  this->loop().run();
  EXPECT_EQ(calls, 3);
}

TYPED_TEST_P(EventLoopFdContract, InterestChanges) {
  int calls = 0;
  const auto watch = this->loop().watch(this->read_end(), {}, [&](FdEvents) {
    ++calls;
    this->take_byte();
    this->loop().stop();
  });
  this->put_byte();
  this->run_for(2ms);
  EXPECT_EQ(calls, 0);
  watch->set_interest({.readable = true});
  this->loop().run();
  EXPECT_EQ(calls, 1);
}

TYPED_TEST_P(EventLoopFdContract, WatchOfTheWritableEnd) {
  const auto watch = this->loop().watch(this->write_end(), {.writable = true}, [&](FdEvents ready) {
    EXPECT_TRUE(ready.writable);
    this->note("writable");
    this->loop().stop();
  });
  this->loop().run();
  EXPECT_EQ(this->seen_.size(), 1u);
}

TYPED_TEST_P(EventLoopFdContract, WatchMayDestroyItself) {
  std::unique_ptr<FdWatch> watch;
  watch = this->loop().watch(this->read_end(), {.readable = true}, [&](FdEvents) {
    watch.reset();
    this->note("ready");
  });
  this->put_byte();
  this->run_for(3ms);
  EXPECT_EQ(this->seen_.size(), 1u) << "never again, although there is still something to read";
}

TYPED_TEST_P(EventLoopFdContract, DescriptorMayBeWatchedAgain) {
  this->put_byte();
  for (int i = 0; i < 3; ++i) {
    const auto watch = this->loop().watch(this->read_end(), {.readable = true},
                                          [&](FdEvents) { this->loop().stop(); });
    this->loop().run();
  }
}

TYPED_TEST_P(EventLoopFdContract, TimersFireWhileADescriptorIsAlwaysReady) {
  const auto watch =
      this->loop().watch(this->write_end(), {.writable = true}, [](FdEvents) { /* busy */ });
  this->run_for(3ms);  // returns
}

REGISTER_TYPED_TEST_SUITE_P(EventLoopFdContract, WatchIsLevelTriggered, InterestChanges,
                            WatchOfTheWritableEnd, WatchMayDestroyItself,
                            DescriptorMayBeWatchedAgain, TimersFireWhileADescriptorIsAlwaysReady);

}  // namespace migd
