-- SPDX-License-Identifier: Apache-2.0
local DAY = 86400

-- Two voices of a superseded epoch against one of the epoch that came after it.
local function switched()
  return {
    { value = "old", agent = "x", epoch = "spring", epoch_superseded = true },
    { value = "old", agent = "y", epoch = "spring", epoch_superseded = true, age_s = 5 },
    { value = "new", agent = "z", epoch = "summer", age_s = 2 * DAY },
  }
end

return {
  { claim = "what a superseded epoch holds is left out, however many say it",
    given = switched(),
    expect = { winner = 3, value = "new", confidence = 1, conflict_score = 0, status = "agreed", candidates_count = 3,
      shares = { { "new", 1 }, { "old", 0 } }, explain = "1 of 1 voices; 2 of superseded epochs left out",
      notes = { [1] = "left out", [2] = "left out", [3] = false } } },
  { claim = "an epoch that nobody has superseded stays, and so do claims without one",
    given = { { value = "a", agent = "x", epoch = "unheard of" }, { value = "b", agent = "y" },
      { value = "b", agent = "z", age_s = 5 } },
    expect = { winner = 2, confidence = 2 / 3, explain = "2 of 3 voices" } },
  { claim = "when nothing is left there is no answer, and why",
    given = { { value = "a", epoch = "spring", epoch_superseded = true } },
    expect = { winner = false, status = "none", confidence = 0, explain = "superseded epochs" } },
  { claim = "by consensus, unless another rule is asked for",
    given = { { value = "a", agent = "w", tier = 0, confidence = 1, age_s = 9 },
      { value = "b", agent = "x", age_s = 5, confidence = 0.2 }, { value = "b", agent = "y", age_s = 6, confidence = 0.2 },
      { value = "c", agent = "z", epoch = "e", epoch_superseded = true } },
    expect = { winner = 2, confidence = 2 / 3 } },
  { claim = "by tier",
    given = { { value = "a", tier = 0, epoch = "e", epoch_superseded = true },
      { value = "b", tier = 2, confidence = 0.3, age_s = 5 }, { value = "c", tier = 3, confidence = 1 } },
    params = { rule = "tier_authority" },
    expect = { winner = 2, confidence = 1, explain = "strongest of 1 observational claims",
      shares = { { "b", 1 }, { "a", 0 }, { "c", 0 } }, notes = { [1] = "left out", [2] = false, [3] = "not asked" } } },
  { claim = "by confidence; what is left out has no weight",
    given = { { value = "a", confidence = 1, epoch = "e", epoch_superseded = true }, { value = "b", confidence = 0.5, age_s = 5 },
      { value = "c", confidence = 0.3 } },
    params = { rule = "confidence" },
    expect = { winner = 2, confidence = 0.625, explain = "largest confidence, 0.5",
      shares = { { "b", 0.625 }, { "c", 0.375 }, { "a", 0 } } } },
  { claim = "by confidence; weights are those of the default rule when nothing is left out",
    given = { { value = "b", tier = 1, confidence = 1 }, { value = "c", tier = 3, confidence = 0.2 } },
    params = { rule = "confidence" },
    expect = { winner = 1, confidence = 0.9 } },
  { claim = "by age; the gap is to the next claim that counts",
    given = { { value = "a", age_s = 60 }, { value = "b", age_s = 90, epoch = "e", epoch_superseded = true },
      { value = "c", age_s = 2 * DAY } },
    params = { rule = "recency" },
    expect = { winner = 1, confidence = 0.95, shares = { { "a", 0.5 }, { "c", 0.5 }, { "b", 0 } } } },
}
