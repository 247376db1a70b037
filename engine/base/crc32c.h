// SPDX-License-Identifier: Apache-2.0
// CRC-32C (Castagnoli): reflected polynomial 0x82F63B78, initial value and final xor all ones, as in RFC 3720
// B.4. Uses the processor's CRC instruction where there is one (asked once, at run time), a slicing table
// elsewhere.
#pragma once

#include <cstdint>
#include <span>

namespace stemedb {

// The checksum of `bytes`.
uint32_t Crc32c(std::span<const uint8_t> bytes);

// The checksum of A followed by `bytes`, when `crc` is the checksum of A. Crc32cExtend(0, x) == Crc32c(x).
uint32_t Crc32cExtend(uint32_t crc, std::span<const uint8_t> bytes);

// The table version, on any processor: for the test that holds the two against each other.
uint32_t Crc32cPortable(uint32_t crc, std::span<const uint8_t> bytes);

}  // namespace stemedb
