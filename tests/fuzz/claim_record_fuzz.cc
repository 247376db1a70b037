// SPDX-License-Identifier: Apache-2.0
// Any bytes as a stored record and as an index row. What passes the checks can be read to its last byte, and
// shown.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "model/claim_record.h"

namespace {

using namespace stemedb;
using namespace stemedb::model;

// Reads every byte, so that a sanitizer sees one that isn't there.
size_t Touch(std::string_view part) {
  size_t sum = 0;
  for (char c : part) sum += static_cast<unsigned char>(c);
  return sum;
}

size_t TouchRow(const ClaimView& view) {
  STEMEDB_CHECK(view.row_size() <= view.bytes().size());
  std::string value;
  AppendValueJson(value, view);
  STEMEDB_CHECK(!value.empty());
  return Touch(view.row()) + Touch(view.value_text()) + Touch(view.source_id()) + Touch(view.epoch());
}

size_t TouchRecord(const ClaimView& view) {
  size_t sum = Touch(view.concept_path()) + Touch(view.predicate()) + Touch(view.canonical_json());
  for (size_t i = 0; i < view.signature_count(); ++i) {
    STEMEDB_CHECK(view.signature(i).size() == 96);
    sum += Touch(view.signature(i));
  }
  std::string shown;
  AppendClaimJson(shown, view, 1, 0, "active");
  return sum + shown.size();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data),
                          size);  // on the heap, where its end is watched
  size_t sum = 0;
  if (const auto row = ClaimView::OfRow(bytes)) sum += TouchRow(*row);
  if (const auto record = ClaimView::OfRecord(bytes)) sum += TouchRow(*record) + TouchRecord(*record);
  [[maybe_unused]] volatile size_t sink = sum;
  return 0;
}
