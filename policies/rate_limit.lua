-- SPDX-License-Identifier: Apache-2.0
--- Rate limit: each agent, and each address, has a bucket of points that refills by the hour.
-- What is written, and which parameter says what one of it costs. GET on the same route is a question.
local WRITES = {
  ["/v1/assert"] = "claim_cost", ["/v1/assertions"] = "claim_cost", ["/v1/assert/batch"] = "claim_cost",
  ["/v1/vote"] = "vote_cost", ["/v1/supersede"] = "claim_cost", ["/v1/retract"] = "claim_cost",
  ["/v1/epoch"] = "claim_cost", ["/v1/source"] = "claim_cost", ["/v1/sources"] = "claim_cost",
  ["/v1/sources/{id}"] = "claim_cost", ["/v1/concepts/alias"] = "claim_cost",
}

local function points(description, default, max)
  return { type = "number", default = default, min = 0, max = max or 1e6, description = description }
end

return {
  kind = "policy", api = 1, hook = "rate_limit", name = "rate_limit", version = "1.1.0",
  description = "A bucket of points for each agent or address, refilled by the hour; writing costs more than reading.",
  params = {
    limit = { type = "number", default = 10000, min = 1, max = 1e9,
      description = "Points in a full bucket, and points that it gets back in one window." },
    window_s = { type = "number", default = 3600, min = 1, max = 2678400,
      description = "Seconds in which an empty bucket is full again." },
    claim_cost = points("Points for a claim that is sent, or for anything else that is recorded but a vote.", 10),
    vote_cost = points("Points for a vote.", 1),
    query_cost = points("Points for a question.", 5),
    lens_cost = points("Points for each lens that a question may run.", 1),
    kib_cost = points("Points for each KiB of the body, rounded up.", 1),
    agents_per_peer = { type = "number", default = 10, min = 1, max = 1e6,
      description = "How many agents' quotas one address may spend, however many agents send from it." },
    limit_loopback = { type = "boolean", default = false,
      description = "Whether programs on the server's own machine are limited as well." },
  },
  limit = function(ctx, request)
    local params = ctx.params
    if request.loopback and not params.limit_loopback then return nil end
    local cost
    local write = (request.method == "POST" or request.method == "PATCH") and WRITES[request.route]
    if write then
      cost = params[write] * request.items
    else
      cost = params.query_cost + params.lens_cost * request.items
    end
    cost = cost + params.kib_cost * math.ceil(request.body_bytes / 1024)
    if cost <= 0 then return nil end
    return {
      bucket = "points", cost = cost, limit = params.limit, window_s = params.window_s,
      peer_limit = params.limit * params.agents_per_peer,
    }
  end,
}
