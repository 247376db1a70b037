-- SPDX-License-Identifier: Apache-2.0
return {
  { claim = "the largest confidence wins, whatever its class and age",
    given = { { value = "a", tier = 0, confidence = 0.9 }, { value = "b", tier = 5, confidence = 0.95, age_s = 1e6 } },
    expect = { winner = 2, explain = "0.95" } },
  { claim = "decayed confidence counts, not the asserted one",
    given = { { value = "a", confidence = 0.9, effective_confidence = 0.3 }, { value = "b", confidence = 0.5 } },
    expect = { winner = 2 } },
  { claim = "confidence in the answer is the share of its value",
    given = { { value = "a", tier = 1, confidence = 1 }, { value = "b", tier = 3, confidence = 0.2 } },
    expect = { winner = 1, confidence = 0.9, status = "agreed" } },
  { claim = "two clinical claims that contradict are shown as two; nothing is averaged",
    given = { { value = 1, tier = 1, confidence = 0.85 }, { value = 2, tier = 1, confidence = 0.85 } },
    expect = { conflict_score = 1, status = "contested", candidates_count = 2, shares = { { 1, 0.5 }, { 2, 0.5 } } } },
  { claim = "a tie goes to the smaller id",
    given = { { value = "a", id = "zz" }, { value = "b", id = "aa", age_s = 50 } },
    expect = { winner = 2 } },
}
