// SPDX-License-Identifier: Apache-2.0
// NIST's example messages for SHA-256.
#include "crypto/sha256.h"

#include <gtest/gtest.h>

namespace stemedb::crypto {
namespace {

struct Example {
  std::string message;
  std::string_view digest;
};

const Example kExamples[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrs"
     "tnopqrstu",
     "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    {std::string(1'000'000, 'a'), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"}};

TEST(Sha256, GivesTheDigestsThatNistPublished) {
  for (const Example& example : kExamples) EXPECT_EQ(ToHex(Sha256::Of(example.message)), example.digest);
}

TEST(Sha256, IsReadyForTheNextMessageAfterFinish) {
  Sha256 hasher;
  for (const Example& example : kExamples)
    EXPECT_EQ(ToHex(hasher.Update(example.message).Finish()), example.digest);
}

TEST(Sha256, DoesNotCareHowAMessageIsCut) {
  const std::string message(1000, 'x');
  for (size_t cut = 0; cut <= message.size(); cut += 37) {
    Sha256 hasher;
    hasher.Update(std::string_view(message).substr(0, cut)).Update(std::string_view(message).substr(cut));
    EXPECT_EQ(hasher.Finish(), Sha256::Of(message)) << cut;
  }
}

}  // namespace
}  // namespace stemedb::crypto
