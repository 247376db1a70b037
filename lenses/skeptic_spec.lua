-- SPDX-License-Identifier: Apache-2.0
local function anecdotes(count)
  local claims = {}
  for i = 1, count do claims[i] = { value = "yes", agent = "agent " .. i } end
  return claims
end

return {
  { claim = "it never picks, not even what all say",
    given = { { value = "a" }, { value = "a" } },
    expect = { winner = false, confidence = 1, conflict_score = 0, status = "unanimous", explain = "no disagreement" } },
  { claim = "values are ranked by their share of the weight",
    given = { { value = "a", tier = 5, confidence = 1 }, { value = "b", tier = 0, confidence = 0.3 },
      { value = "c", tier = 1, confidence = 0.6666666666666667 } },
    expect = { winner = false, shares = { { "c", 0.6 }, { "b", 0.3 }, { "a", 0.1 } }, confidence = 0.6, status = "contested",
      explain = "3 values disagree" } },
  { claim = "two clinical claims at 0.85 that contradict: conflict 1, contested, two claims, nothing averaged",
    given = { { value = 1, tier = 1, confidence = 0.85 }, { value = 2, tier = 1, confidence = 0.85 } },
    expect = { winner = false, conflict_score = 1, status = "contested", candidates_count = 2, shares = { { 1, 0.5 }, { 2, 0.5 } },
      explain = "conflict 1.00 of 1" } },
  { claim = "fifty unanimous anecdotes: conflict 0",
    given = anecdotes(50), expect = { conflict_score = 0, status = "unanimous", candidates_count = 50 } },
  { claim = "a leading share of 0.8 is agreement",
    given = { { value = "a", confidence = 0.8 }, { value = "b", confidence = 0.2 } },
    expect = { status = "agreed", confidence = 0.8 } },
  { claim = "values without any weight contradict each other fully",
    given = { { value = "a", confidence = 0 }, { value = "b", confidence = 0 } },
    expect = { conflict_score = 1, status = "contested", confidence = 0, shares = { { "a", 0 }, { "b", 0 } } } },
}
