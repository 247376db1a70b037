-- SPDX-License-Identifier: Apache-2.0
local MINUTE, HOUR, DAY = 60, 3600, 86400

-- The newest claim says "new", the next one says "old" so many seconds earlier.
local function ahead_by(seconds) return { { value = "old", age_s = seconds }, { value = "new" } } end

return {
  { claim = "a claim alone is the answer, with certainty",
    given = { { value = "a" } },
    expect = { winner = 1, confidence = 1, conflict_score = 0, status = "unanimous", explain = "no other value" } },
  { claim = "the newest claim wins, however weak it is",
    given = { { value = "old", confidence = 1, tier = 0, age_s = DAY }, { value = "new", confidence = 0.1 } },
    expect = { winner = 2, value = "new" } },
  { claim = "more than a day ahead: 0.95", given = ahead_by(DAY + 1), expect = { confidence = 0.95, winner = 2 } },
  { claim = "exactly a day ahead: 0.8", given = ahead_by(DAY), expect = { confidence = 0.8 } },
  { claim = "more than an hour ahead: 0.8", given = ahead_by(HOUR + 1), expect = { confidence = 0.8 } },
  { claim = "exactly an hour ahead: 0.6", given = ahead_by(HOUR), expect = { confidence = 0.6 } },
  { claim = "more than a minute ahead: 0.6", given = ahead_by(MINUTE + 1), expect = { confidence = 0.6 } },
  { claim = "exactly a minute ahead: 0.5", given = ahead_by(MINUTE), expect = { confidence = 0.5 } },
  { claim = "older claims with the same value don't shorten the lead",
    given = { { value = "a" }, { value = "a", age_s = 5 }, { value = "b", age_s = 2 * DAY } },
    expect = { winner = 1, confidence = 0.95 } },
  { claim = "claims of the same moment: the smaller id wins, at 0.5",
    given = { { value = "a", id = "zz" }, { value = "b", id = "aa" } },
    expect = { winner = 2, confidence = 0.5 } },
  { claim = "max_age_s leaves older claims out, of the weights too",
    given = { { value = "old", age_s = 101 }, { value = "new", age_s = 100 } },
    params = { max_age_s = 100 },
    expect = { winner = 2, confidence = 1, shares = { { "new", 1 }, { "old", 0 } },
      notes = { [1] = "older than max_age_s", [2] = false } } },
  { claim = "nothing younger than max_age_s: no winner, and why",
    given = { { value = "a", age_s = 10 } }, params = { max_age_s = 5 },
    expect = { winner = false, status = "none", confidence = 0, explain = "max_age_s" } },
  { claim = "no claims, no answer", given = {}, expect = { winner = false, status = "none", candidates_count = 0 } },
}
