// SPDX-License-Identifier: Apache-2.0
// Any bytes as a stored operation and as an index row. What passes the checks can be read to its last byte,
// and shown.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "model/operation_record.h"

namespace {

using namespace stemedb;
using namespace stemedb::model;

// Reads every byte, so that a sanitizer sees one that isn't there.
size_t Touch(std::string_view part) {
  size_t sum = 0;
  for (char c : part) sum += static_cast<unsigned char>(c);
  return sum;
}

size_t TouchRow(const OperationView& view) {
  STEMEDB_CHECK(view.row_size() <= view.bytes().size());
  STEMEDB_CHECK(view.number() >= 0 && view.number() <= 1);
  STEMEDB_CHECK(!view.subject().name.empty());
  size_t sum = Touch(view.row()) + Touch(view.subject().name) + Touch(view.id()) + Touch(view.other_id());
  if (view.has_second_subject()) sum += Touch(view.second_subject().name);
  sum +=
      NameOf(view.kind()).size() + NameOf(view.source_status()).size() + NameOf(view.source_class()).size();
  return sum + Touch(view.agent_id());
}

size_t TouchRecord(const OperationView& view) {
  size_t sum = Touch(view.canonical_json());
  for (size_t i = 0; i < view.signature_count(); ++i) {
    STEMEDB_CHECK(view.signature(i).size() == 96);
    sum += Touch(view.signature(i));
  }
  std::string shown;
  AppendOperationJson(shown, view, 1, 0);
  return sum + shown.size();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data),
                          size);  // on the heap, where its end is watched
  size_t sum = 0;
  if (const auto row = OperationView::OfRow(bytes)) sum += TouchRow(*row);
  if (const auto record = OperationView::OfRecord(bytes)) sum += TouchRow(*record) + TouchRecord(*record);
  [[maybe_unused]] volatile size_t sink = sum;
  return 0;
}
