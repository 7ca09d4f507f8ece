#include "stack/links/pcap_link.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

#include "stack/links/memory_link.h"
#include "tests/support/packets.h"
#include "tests/support/recording_sink.h"
#include "tests/support/sim_loop.h"

namespace migd {
namespace {

// A little-endian reader of the format, as its description says.
struct PcapFile {
  struct Record {
    std::uint32_t seconds, nanoseconds, kept, length;
    Bytes bytes;
  };
  std::uint32_t header[6] = {};
  std::vector<Record> records;

  explicit PcapFile(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    in.read(reinterpret_cast<char*>(header), sizeof header);
    std::uint32_t fields[4];
    while (in.read(reinterpret_cast<char*>(fields), sizeof fields)) {
      Record record{fields[0], fields[1], fields[2], fields[3], Bytes(fields[2])};
      in.read(reinterpret_cast<char*>(record.bytes.data()), fields[2]);
      EXPECT_TRUE(in.good());
      records.push_back(std::move(record));
    }
  }
};

class Pcap : public ::testing::Test {
 protected:
  Pcap() {
    char name[] = "/tmp/migd_pcap_test.XXXXXX";
    close(mkstemp(name));
    path_ = name;
  }
  ~Pcap() override { std::remove(path_.c_str()); }
  std::string path_;
};

TEST_F(Pcap, FileHeaderSaysNanosecondsAndRawIp) {
  ASSERT_TRUE(PcapWriter::create(path_));
  const PcapFile file(path_);
  EXPECT_EQ(file.header[0], 0xa1b23c4du);
  EXPECT_EQ(file.header[1], 4u << 16 | 2u);
  EXPECT_EQ(file.header[5], 101u);
  EXPECT_TRUE(file.records.empty());
}

TEST_F(Pcap, PacketsAreWrittenWithTheirTimes) {
  {
    const auto writer = PcapWriter::create(path_);
    ASSERT_TRUE(writer);
    (*writer)->write(1'700'000'000s + 5ns, test::ramp(40));
    (*writer)->write(1'700'000'001s - 1ns, test::ramp(65'535));
    EXPECT_EQ((*writer)->packets_written(), 0u);
    (*writer)->flush();
    EXPECT_EQ((*writer)->packets_written(), 2u);
  }
  const PcapFile file(path_);
  ASSERT_EQ(file.records.size(), 2u);
  EXPECT_EQ(file.records[0].seconds, 1'700'000'000u);
  EXPECT_EQ(file.records[0].nanoseconds, 5u);
  EXPECT_EQ(file.records[0].bytes, test::ramp(40));
  EXPECT_EQ(file.records[1].seconds, 1'700'000'000u);
  EXPECT_EQ(file.records[1].nanoseconds, 999'999'999u);
  EXPECT_EQ(file.records[1].length, 65'535u);
  EXPECT_EQ(file.records[1].bytes, test::ramp(65'535));
}

TEST_F(Pcap, LinkWritesBothDirectionsAndPassesThemOn) {
  const auto pool = FramePool::create();
  sim::SimLoop world;
  sim::SimNodeLoop loop(world, {});
  test::RecordingSink at_near, at_far;
  auto [device, far] = MemoryLink::make_pair(
      {1500, true, true, true}, pool,
      [&](MemoryLink& to, Frame frame) { to.deliver(std::move(frame), loop.now()); });
  auto writer = PcapWriter::create(path_);
  ASSERT_TRUE(writer);
  PcapLink near(std::move(device), std::move(*writer), loop, 100s);
  near.set_receiver(&at_near);
  far->set_receiver(&at_far);

  const Bytes out = test::tcp_packet({.payload = test::ramp(9000)});
  Frame train = pool->copy_of(out);
  train.offload = {Offload::Gso::kTcp, 1000, Offload::Checksum::kPartial};
  near.send(std::move(train));
  world.run_for(2ms);
  const Bytes in = test::udp_packet({.payload = test::ramp(10)});
  far->send(pool->copy_of(in));
  near.writer().flush();

  ASSERT_EQ(at_far.frames.size(), 1u);
  EXPECT_EQ(at_far.frames[0].offload.gso_size, 1000);
  ASSERT_EQ(at_near.frames.size(), 1u);
  const PcapFile file(path_);
  ASSERT_EQ(file.records.size(), 2u);
  EXPECT_EQ(file.records[0].bytes, out) << "whole, as it was sent";
  EXPECT_EQ(file.records[0].seconds, 100u);
  EXPECT_EQ(file.records[1].bytes, in);
  EXPECT_EQ(file.records[1].nanoseconds, 2'000'000u);
}

TEST_F(Pcap, ErrorsAreValuesAndCounted) {
  EXPECT_FALSE(PcapWriter::create("/no/such/folder/file.pcap"));
  const auto full = PcapWriter::create("/dev/full");
  ASSERT_TRUE(full);
  (*full)->write(1s, test::ramp(10));
  (*full)->flush();
  EXPECT_EQ((*full)->packets_written(), 0u);
  EXPECT_EQ((*full)->packets_lost(), 1u);
}

TEST(PcapTime, OffsetLeadsToTheWallClock) {
  const Instant now(1234s);
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  EXPECT_GE(now.time_since_epoch() + unix_time_offset(now), wall);
}

}  // namespace
}  // namespace migd
