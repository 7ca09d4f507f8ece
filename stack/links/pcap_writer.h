// Writes packets to a file in the classic pcap format (libpcap's savefile, version 2.4) with
// nanoseconds and link type 101 (LINKTYPE_RAW: the packet begins with its IP header). Trains are
// written as they are, so their length may exceed the MTU, and checksums may be partial.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace migd {

class PcapWriter {
 public:
  static constexpr std::uint32_t kSnapBytes = 262144;

  // Replaces the file.
  static Result<std::unique_ptr<PcapWriter>> create(const std::string& path);
  ~PcapWriter();
  PcapWriter(const PcapWriter&) = delete;
  PcapWriter& operator=(const PcapWriter&) = delete;

  // `unix_time` is since 1970. Buffered: flush() hands it to the system. Once the file has refused
  // something, nothing more is written, so that it stays readable up to there.
  void write(Duration unix_time, ByteView packet);
  void flush();

  std::uint64_t packets_written() const { return packets_written_; }
  std::uint64_t packets_lost() const { return packets_lost_; }  // the file took no more

 private:
  explicit PcapWriter(int fd);

  int fd_;
  bool failed_ = false;
  Bytes buffer_;
  std::uint64_t packets_in_buffer_ = 0;
  std::uint64_t packets_written_ = 0;
  std::uint64_t packets_lost_ = 0;
};

// What is to be added to an Instant to get the time since 1970, now. One offset for a whole
// capture: its times never go back, and captures of several nodes can be merged.
Duration unix_time_offset(Instant now);

}  // namespace migd
