-- SPDX-License-Identifier: Apache-2.0
local function claim(fields)
  fields.route, fields.method = fields.route or "/v1/assert", "POST"
  return fields
end

return {
  { claim = "programs on the server's own machine are not limited",
    request = claim { loopback = true },
    expect = false },
  { claim = "unless the operator says so",
    request = claim { loopback = true },
    params = { limit_loopback = true },
    expect = { bucket = "points", cost = 10, limit = 10000, window_s = 3600 } },
  { claim = "a claim costs ten points and one for each KiB that it begins",
    request = claim { body_bytes = 1025 },
    expect = { cost = 12 } },
  { claim = "both names of the call cost the same",
    request = claim { route = "/v1/assertions", body_bytes = 1024 },
    expect = { cost = 11 } },
  { claim = "a batch costs what its claims cost",
    request = claim { route = "/v1/assert/batch", body_bytes = 102400, items = 500 },
    expect = { cost = 5100 } },
  { claim = "a question costs five points and one for its lens",
    request = { route = "/v1/query" },
    expect = { cost = 6 } },
  { claim = "a comparison pays for each of its lenses",
    request = { route = "/v1/lenses/compare", method = "POST", body_bytes = 100, items = 4 },
    expect = { cost = 10 } },
  { claim = "a claim costs the same whoever it names: whose bucket pays is not the script's business",
    request = claim { signed = true, agent = ("0123456789abcdef"):rep(4), peer = "2001:db8::1" },
    expect = { cost = 10, bucket = "points" } },
  { claim = "one address spends what ten agents may",
    request = claim {},
    expect = { limit = 10000, peer_limit = 100000 } },
  { claim = "the numbers are the operator's",
    request = claim { body_bytes = 1 },
    params = { limit = 50, window_s = 60, claim_cost = 1, kib_cost = 0.5, agents_per_peer = 2 },
    expect = { cost = 1.5, limit = 50, window_s = 60, peer_limit = 100 } },
  { claim = "what costs nothing is not limited",
    request = { route = "/v1/query" },
    params = { query_cost = 0, lens_cost = 0 },
    expect = false },
}
