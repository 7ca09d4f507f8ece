// A kernel UDP socket as DatagramSender and source of datagrams, for a node whose blob channel does
// not run over its link. Trains go out by UDP_SEGMENT and come in by UDP_GRO where the kernel has
// them.
#pragma once

#include <cstdint>
#include <memory>

#include "base/datagram.h"
#include "base/event_loop.h"
#include "base/result.h"

namespace migd {

class UvDatagramSocket : public DatagramSender {
 public:
  // Port 0: the system chooses. The receiver may be set later, but before the loop runs.
  static Result<std::unique_ptr<UvDatagramSocket>> open(EventLoop& loop, const Endpoint& local,
                                                        DatagramReceiver* receiver);
  ~UvDatagramSocket() override;

  void send(const Endpoint& to, ByteView payload, std::size_t segment_size) override;

  void set_receiver(DatagramReceiver* receiver) { receiver_ = receiver; }
  const Endpoint& local() const { return local_; }
  std::uint64_t datagrams_dropped() const { return datagrams_dropped_; }  // that the system refused
  std::uint64_t trains_sent() const { return trains_sent_; }              // whole, by UDP_SEGMENT

 private:
  UvDatagramSocket(EventLoop& loop, int fd, const Endpoint& local);
  void on_readable();
  bool receive_one();
  bool send_train(const Endpoint& to, ByteView train, std::size_t segment_size);
  void send_singly(const Endpoint& to, ByteView train, std::size_t segment_size);

  EventLoop& loop_;
  int fd_;
  Endpoint local_;
  DatagramReceiver* receiver_ = nullptr;
  bool trains_taken_ = true;  // the kernel knows UDP_SEGMENT
  std::uint64_t datagrams_dropped_ = 0;
  std::uint64_t trains_sent_ = 0;
  std::shared_ptr<bool> alive_;  // a callback may destroy the socket
  std::unique_ptr<FdWatch> watch_;
};

}  // namespace migd
