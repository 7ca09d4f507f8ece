#include "migrator/blob.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/support/sample_blob.h"

namespace migd {
namespace {

using testing::sample_blob;

TEST(Blob, EveryFieldSurvives) {
  const Bytes bytes = encode_blob(sample_blob());
  const Result<ConnectionBlob> decoded = decode_blob(bytes);
  ASSERT_TRUE(decoded) << decoded.error().text;
  // The encoding is injective over the fields, so equal bytes mean equal blobs; that every field
  // is encoded is what the changes below show.
  EXPECT_EQ(encode_blob(*decoded), bytes);
  EXPECT_EQ(decoded->tenure, sample_blob().tenure);
  EXPECT_EQ(decoded->application_state, sample_blob().application_state);
  EXPECT_EQ(decoded->tcp.send_data, sample_blob().tcp.send_data);
  EXPECT_EQ(decoded->tcp.out_of_order.size(), 2u);
  EXPECT_EQ(decoded->tcp.srtt, Duration(3ms));
}

TEST(Blob, AChangeOfAnyFieldChangesTheBytes) {
  const Bytes original = encode_blob(sample_blob());
  const auto changed = [&](auto change) {
    ConnectionBlob blob = sample_blob();
    change(blob);
    const Bytes bytes = encode_blob(blob);
    const Result<ConnectionBlob> decoded = decode_blob(bytes);
    return bytes != original && decoded && encode_blob(*decoded) == bytes;
  };
  using B = ConnectionBlob;
  EXPECT_TRUE(changed([](B& b) { b.tcp.state = TcpState::kEstablished; }));
  EXPECT_TRUE(changed([](B& b) { b.tcp.send_window_max += 1; }));
  EXPECT_TRUE(changed([](B& b) { b.tcp.send_wl1 += 1; }));
  EXPECT_TRUE(changed([](B& b) { b.tcp.send_wl2 += 1; }));
  EXPECT_TRUE(changed([](B& b) { b.tcp.send_lost += 1; }));
  EXPECT_TRUE(changed([](B& b) { b.tcp.timer_waited += 1ms; }));
  EXPECT_TRUE(changed([](B& b) { b.tcp.fin_sequence = SeqNum(9); }));
  EXPECT_TRUE(changed([](B& b) { b.tcp.announced_right_edge += 1; }));
  EXPECT_TRUE(changed([](B& b) { b.tcp.peer_fin_received = false; }));
  EXPECT_TRUE(changed([](B& b) { b.tcp.ts_clock += 1; }));
  EXPECT_TRUE(changed([](B& b) { b.tcp.ts_recent += 1; }));
  EXPECT_TRUE(changed([](B& b) { b.tcp.ts_last_ack_sent += 1; }));
  EXPECT_TRUE(changed([](B& b) { b.tcp.in_rto_recovery = true; }));
  EXPECT_TRUE(changed([](B& b) { b.tcp.persist_backoff = 3; }));
  EXPECT_TRUE(changed([](B& b) { b.tcp.no_delay = true; }));
  EXPECT_TRUE(changed([](B& b) { b.tcp.unread.pop_back(); }));
  EXPECT_TRUE(changed([](B& b) { b.tcp.sack_blocks.pop_back(); }));
  EXPECT_TRUE(changed([](B& b) { b.past_moves.pop_back(); }));
}

TEST(Blob, EveryTruncationIsRefused) {
  const Bytes bytes = encode_blob(sample_blob());
  std::size_t past_moves_at = 0;  // the last section may be missing: it is optional
  {
    ConnectionBlob without = sample_blob();
    without.past_moves.clear();
    past_moves_at = encode_blob(without).size() - 6;
  }
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    if (size == past_moves_at) continue;
    EXPECT_FALSE(decode_blob(ByteView(bytes).first(size))) << "cut to " << size;
  }
}

TEST(Blob, EveryFlippedByteIsRefusedOrDecodesCleanly) {
  const Bytes bytes = encode_blob(sample_blob());
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (std::uint8_t flip : {0x01, 0x80, 0xff}) {
      Bytes broken = bytes;
      broken[at] ^= flip;
      const Result<ConnectionBlob> decoded = decode_blob(broken);
      if (decoded) encode_blob(*decoded);  // whatever it says, it is within its bounds
    }
  }
}

Bytes with_section(std::uint8_t type, std::uint8_t flags, ByteView value) {
  Bytes bytes = encode_blob(sample_blob());
  ByteWriter out(bytes);
  out.u8(type);
  out.u8(flags);
  out.u32(static_cast<std::uint32_t>(value.size()));
  out.bytes(value);
  return bytes;
}

TEST(Blob, UnknownSections) {
  EXPECT_TRUE(decode_blob(with_section(200, 0, Bytes{1, 2, 3})));
  const auto refused = decode_blob(with_section(200, 0x80, Bytes{1, 2, 3}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().text, "blob: unknown mandatory section");
}

TEST(Blob, RepeatedSectionIsRefused) {
  const auto refused = decode_blob(with_section(4, 0x80, Bytes{1, 2, 3}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().text, "blob: repeated section");
}

TEST(Blob, VersionsDecide) {
  Bytes bytes = encode_blob(sample_blob());
  bytes[5] = 99;  // a newer writer that says we may read it
  EXPECT_TRUE(decode_blob(bytes));
  bytes[7] = 99;  // and one that says we may not
  const auto refused = decode_blob(bytes);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().text, "blob: incompatible version");
}

TEST(Blob, TooLargeIsRefusedBeforeItIsRead) {
  const Bytes huge(limits::kBlobMax + 1);
  const auto refused = decode_blob(huge);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().text, "blob: too large");
}

TEST(Blob, AnIdleConnectionFitsOneDatagram) {
  ConnectionBlob blob = sample_blob();
  blob.application_state.resize(64);
  blob.tcp.send_data.clear();
  blob.tcp.unread.clear();
  blob.tcp.out_of_order.clear();
  blob.tcp.sack_blocks.clear();
  EXPECT_LT(encode_blob(blob).size(), 600u);
}

}  // namespace
}  // namespace migd
