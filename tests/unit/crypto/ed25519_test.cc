// SPDX-License-Identifier: Apache-2.0
// Ed25519: the vectors of RFC 8032 section 7.1, and what a careless verifier would let through.
#include "crypto/ed25519.h"

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace stemedb::crypto {
namespace {

std::string Bytes(std::string_view hex) {
  std::string bytes(hex.size() / 2, '\0');
  EXPECT_TRUE(FromHex(hex, {reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()})) << hex;
  return bytes;
}

struct Vector {
  std::string_view seed, public_key, message, signature;
};

constexpr Vector kVectors[] = {{"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
                                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a3"
                                "3bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
                               {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
                                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15"
                                "996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
                               {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                                "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
                                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16"
                                "f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
                               {"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
                                "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
                                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274f"
                                "c1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
                                "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90"
                                "b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"}};

KeyPair Pair(std::string_view seed_hex) { return *KeyPair::FromSeed(AsBytes(Bytes(seed_hex))); }

TEST(Ed25519, SignsAsRfc8032Does) {
  for (const Vector& vector : kVectors) {
    const KeyPair pair = Pair(vector.seed);
    EXPECT_EQ(ToHex(pair.public_key()), vector.public_key);
    EXPECT_EQ(ToHex(pair.Sign({Bytes(vector.message)})), vector.signature);
    EXPECT_TRUE(Verify(pair.public_key(), {Bytes(vector.message)}, AsBytes(Bytes(vector.signature))));
  }
}

TEST(Ed25519, TakesAMessageInParts) {
  const KeyPair pair = Pair(kVectors[0].seed);
  const SignatureBytes whole = pair.Sign({"one two three"});
  EXPECT_EQ(pair.Sign({"one ", "", "two", " three"}), whole);
  EXPECT_TRUE(Verify(pair.public_key(), {"one two", " three"}, whole));
}

TEST(Ed25519, RefusesEveryFlippedBit) {
  const KeyPair pair = Pair(kVectors[0].seed);
  const SignatureBytes signature = pair.Sign({"message"});
  for (size_t bit = 0; bit < 64 * 8; ++bit) {
    SignatureBytes wrong = signature;
    wrong[bit / 8] ^= static_cast<uint8_t>(1U << bit % 8);
    EXPECT_FALSE(Verify(pair.public_key(), {"message"}, wrong)) << "signature bit " << bit;
  }
  for (size_t bit = 0; bit < 32 * 8; ++bit) {
    PublicKey wrong = pair.public_key();
    wrong[bit / 8] ^= static_cast<uint8_t>(1U << bit % 8);
    EXPECT_FALSE(Verify(wrong, {"message"}, signature)) << "key bit " << bit;
  }
  EXPECT_FALSE(Verify(pair.public_key(), {"messagf"}, signature));
}

TEST(Ed25519, RefusesKeysOfSmallOrder) {
  // With these keys R = key, S = 0 is a "signature" of many messages.
  for (std::string_view key : {"0100000000000000000000000000000000000000000000000000000000000000",
                               "0000000000000000000000000000000000000000000000000000000000000000",
                               "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                               "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"}) {
    for (int i = 0; i < 16; ++i) {
      const std::string forged =
          Bytes("0100000000000000000000000000000000000000000000000000000000000000") + std::string(32, '\0');
      EXPECT_FALSE(Verify(AsBytes(Bytes(key)), {"message " + std::to_string(i)}, AsBytes(forged))) << key;
    }
  }
}

TEST(Ed25519, RefusesANonCanonicalKey) {
  // p + 1, a second spelling of the point with y = 1.
  const std::string key = Bytes("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");
  const std::string forged =
      Bytes("0100000000000000000000000000000000000000000000000000000000000000") + std::string(32, '\0');
  EXPECT_FALSE(Verify(AsBytes(key), {"message"}, AsBytes(forged)));
}

TEST(Ed25519, RefusesASecondSpellingOfASignature) {
  // S + L holds the same equation; accepting it would give one claim two signatures.
  const std::string order = Bytes("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
  const KeyPair pair = Pair(kVectors[1].seed);
  SignatureBytes signature = pair.Sign({"message"});
  unsigned carry = 0;
  for (size_t i = 0; i < 32; ++i) {
    carry += signature[32 + i] + static_cast<uint8_t>(order[i]);
    signature[32 + i] = static_cast<uint8_t>(carry);
    carry >>= 8;
  }
  EXPECT_FALSE(Verify(pair.public_key(), {"message"}, signature));
}

TEST(Ed25519, RefusesWrongSizes) {
  const KeyPair pair = Pair(kVectors[0].seed);
  const SignatureBytes signature = pair.Sign({"m"});
  EXPECT_FALSE(Verify(std::span(pair.public_key()).first(31), {"m"}, signature));
  EXPECT_FALSE(Verify(pair.public_key(), {"m"}, std::span(signature).first(63)));
  EXPECT_FALSE(Verify({}, {"m"}, {}));
  const auto short_seed = KeyPair::FromSeed(AsBytes("short"));
  ASSERT_FALSE(short_seed);
  EXPECT_EQ(short_seed.error().reason(), "invalid_seed");
}

TEST(Ed25519, GeneratesDistinctWorkingKeys) {
  const auto a = KeyPair::Generate(), b = KeyPair::Generate();
  ASSERT_TRUE(a && b);
  EXPECT_NE(a->public_key(), b->public_key());
  EXPECT_TRUE(Verify(a->public_key(), {"m"}, a->Sign({"m"})));
  EXPECT_FALSE(Verify(b->public_key(), {"m"}, a->Sign({"m"})));
}

}  // namespace
}  // namespace stemedb::crypto
