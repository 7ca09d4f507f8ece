#include "cli/keys.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/support/temp_dir.h"

namespace migd {
namespace {

constexpr std::string_view kText = "giOg7YqbP8mEJJC84FoKNQD54SyThrH6RhWrX1jahRI=";

TEST(Keys, TextRoundTrip) {
  const Result<PublicKey> key = parse_public_key(kText);
  ASSERT_TRUE(key);
  EXPECT_EQ(key_to_text(*key), kText);
  for (const char* bad :
       {"", "giOg", "not base64 at all", "giOg7YqbP8mEJJC84FoKNQD54SyThrH6RhWrX1jahRI"}) {
    EXPECT_FALSE(parse_public_key(bad)) << bad;
  }
  EXPECT_FALSE(parse_public_key(std::string(kText) + "AAAA"));
}

TEST(Keys, AKeyThatMakesNoSecretIsNone) {
  for (const char* bad : {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                          "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                          "7P///////////////////////////////////////38="}) {
    EXPECT_FALSE(parse_public_key(bad)) << bad;
  }
}

// RFC 7748 6.1: Alice's key pair.
TEST(Keys, PublicKeyOfASecret) {
  const Result<SecretKey> secret = parse_public_key("dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=");
  ASSERT_TRUE(secret);
  EXPECT_EQ(key_to_text(public_key_of(*secret)), "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=");
}

TEST(Keys, FileIsForItsOwnerOnlyAndNeverReplaced) {
  const TempDir dir;
  const std::string path = dir.file("a.key");
  const SecretKey key = *parse_public_key(kText);
  ASSERT_TRUE(write_key_file(path, key));
  struct stat status {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_FALSE(others_may_read(path));
  EXPECT_EQ(read_key_file(path), key);

  const Result<void> again = write_key_file(path, SecretKey{});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kBusy);
  EXPECT_EQ(read_key_file(path), key);
}

TEST(Keys, UnusableFiles) {
  const TempDir dir;
  EXPECT_EQ(read_key_file(dir.file("none")).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(read_key_file(dir.write("empty", "")).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(read_key_file(dir.write("big", std::string(1000, 'A'))).error().code,
            ErrorCode::kTooLarge);
  EXPECT_EQ(read_key_file(dir.path()).error().code, ErrorCode::kIo);
  ASSERT_EQ(mkfifo(dir.file("fifo").c_str(), 0600), 0);
  EXPECT_EQ(read_key_file(dir.file("fifo")).error().code, ErrorCode::kIo) << "and does not wait";
}

}  // namespace
}  // namespace migd
