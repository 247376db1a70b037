// SPDX-License-Identifier: Apache-2.0
// Running specs in tests.
#pragma once

#include <gtest/gtest.h>

#include <iostream>
#include <string>

#include "script/spec.h"

namespace stemedb::script::testing {

// Every case of the directory's specs must hold. Prints them; gives how many specs there are.
inline size_t ExpectSpecsHold(LensRunner& runner, const std::string& directory) {
  const auto specs = ReadSpecs(directory);
  EXPECT_TRUE(specs) << specs.error().message();
  if (!specs) return 0;
  for (const ScriptFile& spec : *specs) {
    const auto results = RunSpec(runner, spec);
    EXPECT_TRUE(results) << results.error().message();
    if (!results) continue;
    std::cout << spec.name << "\n";
    for (const auto& result : *results) {
      std::cout << "  " << (result.failure.empty() ? "holds: " : "FAILS: ") << result.claim << "\n";
      EXPECT_EQ(result.failure, "") << spec.name << ": " << result.claim;
    }
  }
  return specs->size();
}

// What is wrong with the first case of the text that is the script's spec, or with the text.
inline std::string FirstFailure(LensRunner& runner, const std::string& spec_name, const std::string& text) {
  const auto results = RunSpec(runner, {spec_name, text});
  return results ? results->front().failure : std::string(results.error().message());
}

}  // namespace stemedb::script::testing
