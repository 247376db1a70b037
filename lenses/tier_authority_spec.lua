-- SPDX-License-Identifier: Apache-2.0
local function against_one_regulatory(count)
  local claims = { { value = "label", tier = 0, confidence = 1, age_s = 1e7, agent = "regulator" } }
  for i = 1, count do
    claims[i + 1] = { value = "rumour", tier = 5, confidence = 0.8, agent = "user " .. i }
  end
  return claims
end

local function contradiction_among(count)
  local claims = { { value = "yes", tier = 1, confidence = 0.85 }, { value = "no", tier = 1, confidence = 0.85 } }
  for i = 1, count do claims[i + 2] = { value = "rumour " .. i, tier = 5, source = "user " .. i } end
  return claims
end

return {
  { claim = "volume never beats authority: 100 anecdotes at 0.8 against one regulatory claim at 1.0",
    given = against_one_regulatory(100),
    expect = { winner = 1, value = "label", confidence = 1, candidates_count = 101,
      shares = { { "label", 1 }, { "rumour", 0 } }, explain = "1 regulatory", notes = { [1] = false, [2] = "not asked" } } },
  { claim = "not even a weak regulatory claim is outvoted",
    given = { { value = "a", tier = 0, confidence = 0.01 }, { value = "b", tier = 1, confidence = 1 } },
    expect = { winner = 1 } },
  { claim = "within the tier the strongest single claim wins",
    given = { { value = "a", tier = 2, confidence = 0.6 }, { value = "a", tier = 2, confidence = 0.6 },
      { value = "b", tier = 2, confidence = 0.7 }, { value = "c", tier = 3, confidence = 1 } },
    expect = { winner = 3, confidence = 0.7 / 1.9 } },
  { claim = "two clinical claims at 0.85 that contradict: conflict 1, contested, nothing averaged",
    given = { { value = 10, tier = 1, confidence = 0.85 }, { value = 20, tier = 1, confidence = 0.85 } },
    expect = { winner = 1, confidence = 0.5, conflict_score = 1, status = "contested", shares = { { 10, 0.5 }, { 20, 0.5 } } } },
  { claim = "what the lens doesn't weigh is no part of the conflict: two clinical claims that contradict, 100 other anecdotes",
    given = contradiction_among(100),
    expect = { winner = 1, conflict_score = 1, status = "contested", confidence = 0.5, candidates_count = 102 } },
  { claim = "one value in the deciding tier: no conflict, and agreed, since others say otherwise",
    given = { { value = "a", tier = 0 }, { value = "b", tier = 5 }, { value = "c", tier = 5 } },
    expect = { winner = 1, conflict_score = 0, status = "agreed", confidence = 1 } },
  { claim = "a tie goes to the smaller id",
    given = { { value = "a", tier = 1, id = "zz" }, { value = "b", tier = 1, id = "aa", age_s = 50 } },
    expect = { winner = 2 } },
}
