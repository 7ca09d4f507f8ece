#include "migrator/blob.h"

#include <gtest/gtest.h>

#include <set>

#include "base/limits.h"
#include "base/packet.h"
#include "tests/support/sample_blob.h"
#include "tests/support/snapshot_fields.h"
#include "tests/support/snapshot_text.h"

namespace migd {
namespace {

using test::change_field;
using test::to_text;
using testing::sample_blob;

TEST(Blob, EveryFieldSurvives) {
  const ConnectionBlob blob = sample_blob();
  const Bytes bytes = encode_blob(blob);
  const Result<ConnectionBlob> decoded = decode_blob(bytes);
  ASSERT_TRUE(decoded) << decoded.error().text;
  EXPECT_EQ(encode_blob(*decoded), bytes);
  EXPECT_EQ(decoded->tenure, blob.tenure);
  EXPECT_EQ(decoded->source, blob.source);
  EXPECT_EQ(decoded->service, blob.service);
  EXPECT_EQ(decoded->application, blob.application);
  EXPECT_EQ(decoded->application_state, blob.application_state);
  EXPECT_EQ(decoded->forwarded->endpoint, blob.forwarded->endpoint);
  EXPECT_EQ(decoded->forwarded->times, 3);
  EXPECT_TRUE(decoded->forwarded->kept);
  EXPECT_EQ(decoded->suspended, blob.suspended);
  EXPECT_EQ(encode_history(decoded->history), encode_history(blob.history));
  EXPECT_EQ(to_text(decoded->tcp), to_text(blob.tcp));
}

// Another value of any one field is other bytes, and comes back as that value.
TEST(Blob, EveryFieldOfTheSnapshotIsWrittenAndRead) {
  const ConnectionBlob sample = sample_blob();
  const Bytes original = encode_blob(sample);
  for (std::size_t field = 0; field < test::kSnapshotFieldCount; ++field) {
    for (std::size_t way = 0;; ++way) {
      SCOPED_TRACE(std::string(test::kSnapshotFieldNames[field]) + ", way " + std::to_string(way));
      ConnectionBlob changed = sample;
      if (!change_field(changed.tcp, field, way)) {
        EXPECT_GT(way, 0u);
        break;
      }
      ASSERT_NE(to_text(changed.tcp), to_text(sample.tcp));
      const Bytes bytes = encode_blob(changed);
      EXPECT_NE(bytes, original);
      const Result<ConnectionBlob> decoded = decode_blob(bytes);
      ASSERT_TRUE(decoded) << decoded.error().text;
      EXPECT_EQ(to_text(decoded->tcp), to_text(changed.tcp));
    }
  }
}

TEST(Blob, EveryTruncationIsRefused) {
  const Bytes bytes = encode_blob(sample_blob());
  std::set<std::size_t> optional;  // where sections begin that may be missing; they are the last
  for (std::size_t at = 8; at < bytes.size(); at += 6 + load_u32(&bytes[at + 2])) {
    if ((bytes[at + 1] & 0x80) == 0) optional.insert(at);
  }
  EXPECT_EQ(optional.size(), 5u);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    if (optional.contains(size)) continue;
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
  EXPECT_LT(encode_blob(blob).size(), 900u);
}

TEST(MoveHistory, KeepsTheLatestAndCountsTheOthers) {
  MoveHistory history;
  for (std::uint32_t epoch = 2; epoch < 2 + 50; ++epoch) {
    PastMove move;
    move.epoch = Epoch{epoch};
    move.asked_by = std::string(100, 'x');
    history.add(move);
  }
  EXPECT_EQ(history.moves.size(), kPastMovesMax);
  EXPECT_EQ(history.older, 50 - kPastMovesMax);
  EXPECT_EQ(history.moves.back().epoch, Epoch{51});
  const Result<MoveHistory> decoded = decode_history(encode_history(history));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->moves.front().epoch, history.moves.front().epoch);
  EXPECT_EQ(decoded->older, history.older);
}

TEST(MoveHistory, MoreThanItHoldsIsRefused) {
  MoveHistory history;
  history.moves.resize(kPastMovesMax + 1);
  EXPECT_FALSE(decode_history(encode_history(history)));
  EXPECT_FALSE(decode_history({}));
}

TEST(MoveHistory, LongTimesAreCut) {
  MoveHistory history;
  history.moves.resize(1);
  history.moves[0].prepared = 24h;
  history.moves[0].first_in = -1s;
  const Result<MoveHistory> decoded = decode_history(encode_history(history));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->moves[0].prepared, std::chrono::microseconds(0xffffffff));
  EXPECT_EQ(decoded->moves[0].first_in, 0us);
  EXPECT_FALSE(decoded->moves[0].first_out);
}

}  // namespace
}  // namespace migd
