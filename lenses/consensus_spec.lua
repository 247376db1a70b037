-- SPDX-License-Identifier: Apache-2.0
local function anecdotes(count)
  local claims = {}
  for i = 1, count do claims[i] = { value = "yes", agent = "agent " .. i, tier = 5, age_s = i } end
  return claims
end

return {
  { claim = "the value with most voices wins",
    given = { { value = "a", agent = "x" }, { value = "b", agent = "y" }, { value = "b", agent = "z", age_s = 5 } },
    expect = { winner = 2, value = "b", confidence = 2 / 3, status = "contested", shares = { { "b", 2 / 3 }, { "a", 1 / 3 } },
      explain = "2 of 3 voices" } },
  { claim = "repeating oneself adds nothing",
    given = { { value = "a", agent = "x" }, { value = "a", agent = "x" }, { value = "a", agent = "x" },
      { value = "b", agent = "y" }, { value = "b", agent = "z" } },
    expect = { value = "b", confidence = 2 / 3 } },
  { claim = "an anonymous source is one voice, however often it speaks",
    given = { { value = "a", source = "s" }, { value = "a", source = "s" }, { value = "b", source = "t" },
      { value = "b", source = "u" } },
    expect = { value = "b", confidence = 2 / 3 } },
  { claim = "an agent and a source of the same name are two voices",
    given = { { value = "a", agent = "s" }, { value = "a", source = "s" }, { value = "b", source = "t" } },
    expect = { value = "a", confidence = 2 / 3 } },
  { claim = "a voice that said two things counts once for each",
    given = { { value = "a", agent = "x" }, { value = "b", agent = "x", age_s = 5 }, { value = "b", agent = "y" } },
    expect = { value = "b", confidence = 2 / 3 } },
  { claim = "weight and class don't count, voices do",
    given = { { value = "a", agent = "x", tier = 0, confidence = 1 }, { value = "b", agent = "y", confidence = 0.1 },
      { value = "b", agent = "z", confidence = 0.1 } },
    expect = { value = "b" } },
  { claim = "a tie goes to the smaller id",
    given = { { value = "a", agent = "x", id = "zz" }, { value = "b", agent = "y", id = "aa", age_s = 50 } },
    expect = { winner = 2, confidence = 0.5, conflict_score = 1, status = "contested", shares = { { "b", 0.5 }, { "a", 0.5 } } } },
  { claim = "the newest claim speaks for the winning value",
    given = { { value = "a", agent = "x", age_s = 50 }, { value = "a", agent = "y", age_s = 10 } },
    expect = { winner = 2 } },
  { claim = "four voices of five agree",
    given = { { value = 1, agent = "v" }, { value = 1, agent = "w" }, { value = 1, agent = "x" }, { value = 1, agent = "y" },
      { value = 2, agent = "z" } },
    expect = { value = 1, confidence = 0.8, status = "agreed" } },
  { claim = "fifty unanimous anecdotes have no conflict",
    given = anecdotes(50),
    expect = { value = "yes", confidence = 1, conflict_score = 0, status = "unanimous", candidates_count = 50 } },
}
