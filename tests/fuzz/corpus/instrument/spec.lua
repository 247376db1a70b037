-- SPDX-License-Identifier: Apache-2.0
local function contradiction_among(count)
  local claims = { { value = "yes", tier = 1, confidence = 0.85 }, { value = "no", tier = 1, confidence = 0.85 } }
  for i = 1, count do claims[i + 2] = { value = "rumour " .. i, tier = 5, source = "user " .. i } end
  return claims
end

return {
  { claim = "the highest tier that spoke has the last word",
    given = { { value = "a", tier = 1 }, { value = "b", tier = 5 }, { value = "b", tier = 5 } },
    expect = { winner = 1, value = "a", confidence = 1, explain = "clinical",
      layers = { { tier = 1, winner = 1, candidates_count = 1, status = "unanimous", shares = { { "a", 1 } } },
        { tier = 5, winner = 2, candidates_count = 2, status = "unanimous", confidence = 1 } },
      details = '{"between_tiers_conflict":1}' } },
  { claim = "tiers that agree have no conflict between them",
    given = { { value = "a", tier = 0 }, { value = "a", tier = 3 }, { value = "b", tier = 3, confidence = 0.1 } },
    expect = { winner = 1, conflict_score = 0, details = '{"between_tiers_conflict":0}',
      layers = { { tier = 0, conflict_score = 0 },
        { tier = 3, winner = 2, confidence = 8 / 9, status = "agreed", shares = { { "a", 8 / 9 }, { "b", 1 / 9 } } } } } },
  { claim = "two clinical claims that contradict: conflict 1 inside their tier",
    given = { { value = 1, tier = 1, confidence = 0.85 }, { value = 2, tier = 1, confidence = 0.85 } },
    expect = { conflict_score = 1, status = "contested", candidates_count = 2, confidence = 0.5,
      layers = { { tier = 1, winner = 1, conflict_score = 1, status = "contested", candidates_count = 2 } } } },
  { claim = "what the lens doesn't weigh is no part of the conflict: two clinical claims that contradict, 100 other anecdotes",
    given = contradiction_among(100),
    expect = { winner = 1, conflict_score = 1, status = "contested", confidence = 0.5, candidates_count = 102,
      layers = { { tier = 1, conflict_score = 1, status = "contested" },
        { tier = 5, conflict_score = 1, status = "contested", candidates_count = 100 } } } },
  { claim = "inside a tier the heaviest value wins, by its newest claim",
    given = { { value = "a", tier = 2, confidence = 0.4, age_s = 9 }, { value = "a", tier = 2, confidence = 0.4, age_s = 5 },
      { value = "b", tier = 2, confidence = 0.7 } },
    expect = { winner = 2, confidence = 0.8 / 1.5 } },
  { claim = "inside a tier a tie goes to the smaller id",
    given = { { value = "a", tier = 1, id = "zz" }, { value = "b", tier = 1, id = "aa", age_s = 50 } },
    expect = { winner = 2 } },
}
