#include <gtest/gtest.h>

#include "base/reader.h"
#include "base/writer.h"

namespace migd {
namespace {

TEST(ByteWriter, WritesBigEndian) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.u8(0x01);
  out.u16(0x0203);
  out.u32(0x04050607);
  out.u64(0x08090a0b0c0d0e0f);
  out.bytes(Bytes{0xff, 0xfe});
  EXPECT_EQ(bytes, (Bytes{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0xff, 0xfe}));
  EXPECT_EQ(out.size(), bytes.size());
}

TEST(ByteWriter, FillsInWhatWasReserved) {
  Bytes bytes;
  ByteWriter out(bytes);
  const std::size_t length = out.reserve(2);
  const std::size_t check = out.reserve(4);
  out.u8(9);
  out.set_u16(length, 0x1234);
  out.set_u32(check, 0x56789abc);
  EXPECT_EQ(bytes, (Bytes{0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 9}));
}

TEST(ByteWriterDeathTest, DoesNotWriteBehindTheEnd) {
  Bytes bytes(3);
  ByteWriter out(bytes);
  EXPECT_DEATH(out.set_u32(0, 1), "check failed");
  EXPECT_DEATH(out.set_u16(2, 1), "check failed");
}

TEST(BoundedReader, ReadsWhatTheWriterWrote) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.u8(200);
  out.u16(60'000);
  out.u32(4'000'000'000);
  out.u64(0xfedcba9876543210);
  out.bytes(Bytes{1, 2, 3});
  BoundedReader in(bytes);
  EXPECT_EQ(in.u8(), 200);
  EXPECT_EQ(in.u16(), 60'000);
  EXPECT_EQ(in.u32(), 4'000'000'000u);
  EXPECT_EQ(in.u64(), 0xfedcba9876543210u);
  EXPECT_FALSE(in.finished());
  EXPECT_EQ(to_bytes(in.bytes(3)), (Bytes{1, 2, 3}));
  EXPECT_TRUE(in.finished());
}

TEST(BoundedReader, FailureIsStickyAndYieldsZero) {
  const Bytes bytes = {1, 2, 3};
  BoundedReader in(bytes);
  EXPECT_EQ(in.u8(), 1);
  EXPECT_EQ(in.u32(), 0u) << "two are left";
  EXPECT_FALSE(in.ok());
  EXPECT_EQ(in.u8(), 0) << "although one byte would have been there";
  EXPECT_TRUE(in.bytes(1).empty());
  EXPECT_EQ(in.remaining(), 0u);
  EXPECT_FALSE(in.finished());
}

TEST(BoundedReader, EmptyReadsAtTheEndAreFine) {
  BoundedReader in(ByteView{});
  EXPECT_TRUE(in.bytes(0).empty());
  in.skip(0);
  EXPECT_TRUE(in.finished());
  in.skip(1);
  EXPECT_FALSE(in.ok());
}

TEST(BoundedReader, HugeLengthIsRefusedNotWrapped) {
  const Bytes bytes(10);
  BoundedReader in(bytes);
  in.skip(1);
  EXPECT_TRUE(in.bytes(~std::size_t{0}).empty());
  EXPECT_FALSE(in.ok());
}

}  // namespace
}  // namespace migd
