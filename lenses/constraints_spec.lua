-- SPDX-License-Identifier: Apache-2.0
local function values(count, text)
  local claims = {}
  for i = 1, count do claims[i] = { value = text .. string.rep("0", 3 - #tostring(i)) .. i, confidence = (1000 - i) / 1000 } end
  return claims
end

-- As JSON, of the claims of values() from the second to the last.
local function listed(last)
  local parts = {}
  for i = 2, last do
    parts[i - 1] = '{"confidence":' .. (1000 - i) / 1000 .. ',"value":"v' .. string.rep("0", 3 - #tostring(i)) .. i .. '"}'
  end
  return table.concat(parts, ",")
end

return {
  { claim = "the most confident value leads, the others are listed by confidence",
    predicate = "must_use:tls",
    given = { { value = "rustls", confidence = 0.4 }, { value = "openssl", confidence = 0.9 },
      { value = 1.3, confidence = 0.6 } },
    expect = { winner = 2, value = "openssl", confidence = 0.9 / 1.9, status = "contested",
      shares = { { "openssl", 0.9 / 1.9 }, { 1.3, 0.6 / 1.9 }, { "rustls", 0.4 / 1.9 } },
      explain = "must_use tls: the most confident of 3 values, at 0.9",
      details = '{"kind":"must_use","name":"tls","others":[{"confidence":0.6,"value":1.3},'
        .. '{"confidence":0.4,"value":"rustls"}]}' } },
  { claim = "a value counts by its most confident claim, not by how many there are, nor by class",
    predicate = "forbidden:crypto",
    given = { { value = "md5", confidence = 0.6, tier = 0 }, { value = "md5", confidence = 0.5, tier = 0 },
      { value = "des", confidence = 0.7, tier = 5, age_s = 1e6 } },
    expect = { winner = 3, confidence = 0.7 / 1.3,
      details = '{"kind":"forbidden","name":"crypto","others":[{"confidence":0.6,"value":"md5"}]}' } },
  { claim = "decayed confidence counts",
    predicate = "prefer:editor",
    given = { { value = "a", confidence = 0.9, effective_confidence = 0.1 }, { value = "b", confidence = 0.3 } },
    expect = { winner = 2 } },
  { claim = "one value has no others",
    predicate = "prefer:editor",
    given = { { value = true, confidence = 0.4 }, { value = true, confidence = 0.7, age_s = 5 } },
    expect = { winner = 2, confidence = 1, status = "unanimous", explain = "the only value, at 0.7",
      details = '{"kind":"prefer","name":"editor"}' } },
  { claim = "a tie goes to the smaller id",
    predicate = "prefer:editor",
    given = { { value = "a", id = "zz" }, { value = "b", id = "aa", age_s = 50 } },
    expect = { winner = 2, confidence = 0.5,
      details = '{"kind":"prefer","name":"editor","others":[{"confidence":0.8,"value":"a"}]}' } },
  { claim = "what stands behind the first colon is the name",
    predicate = "must_use:a:b",
    given = { { value = "a" } },
    expect = { winner = 1, details = '{"kind":"must_use","name":"a:b"}' } },
  { claim = "other predicates are no constraints",
    predicate = "capital",
    given = { { value = "a" } },
    expect = { winner = false, status = "none", confidence = 0, explain = "must_use:, forbidden: or prefer:" } },
  { claim = "nor are those that only begin alike",
    predicate = "must_used:tls",
    given = { { value = "a" } },
    expect = { winner = false, status = "none" } },
  { claim = "a kind alone, without a colon, is none",
    predicate = "prefer",
    given = { { value = "a" } },
    expect = { winner = false, status = "none" } },
  { claim = "32 others are listed, and how many more there are",
    predicate = "prefer:letter",
    given = values(40, "v"),
    expect = { winner = 1, candidates_count = 40,
      details = '{"kind":"prefer","name":"letter","others":[' .. listed(33) .. '],"others_not_listed":7}' } },
  { claim = "long texts are cut, and as many are listed as there is room for",
    predicate = "prefer:letter",
    given = values(20, string.rep("\1", 5000)),
    expect = { winner = 1, explain = "of 20 values" } },
}
