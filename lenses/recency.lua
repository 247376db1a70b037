-- SPDX-License-Identifier: Apache-2.0
--- Recency: the newest claim wins. The smaller the gap to the newest claim with another value, the less sure it is.
local DAY, HOUR, MINUTE = 86400000, 3600000, 60000

local function confidence_by_gap(gap)
  if gap > DAY then return 0.95 end
  if gap > HOUR then return 0.8 end
  if gap > MINUTE then return 0.6 end
  return 0.5
end

-- For questions that ask to explain: the claims behind `count`, which max_age_s leaves out.
local function too_old(ctx, candidates, count)
  if not ctx.wants_notes then return nil end
  local notes = {}
  for i = count + 1, #candidates do notes[i] = "older than max_age_s: left out" end
  return notes
end

return {
  kind = "lens", api = 1, name = "recency", version = "1.0.0",
  description = "The newest claim wins; sure in proportion to its lead over the newest claim with another value.",
  params = {
    max_age_s = { type = "integer", default = 0, min = 0, max = 1e10,
      description = "Ignore claims that are older than this many seconds; 0 keeps all." },
  },

  resolve = function(ctx, candidates)
    local count, max_age_s = #candidates, ctx.params.max_age_s
    if max_age_s > 0 then
      local oldest = ctx.now - max_age_s * 1000
      while count > 0 and candidates[count].timestamp < oldest do count = count - 1 end
      if count == 0 then return nil, "no claim is younger than max_age_s" end
    end

    local newest = candidates[1]
    local weights = steme.weights(candidates, count)
    for i = 2, count do
      local other = candidates[i]
      if other.value_index ~= newest.value_index then
        local gap = newest.timestamp - other.timestamp
        return {
          winner = 1, confidence = confidence_by_gap(gap), weights = weights, notes = too_old(ctx, candidates, count),
          explain = "newest claim, " .. gap / 1000 .. " s ahead of the next with another value",
        }
      end
    end
    return {
      winner = 1, confidence = 1, weights = weights, notes = too_old(ctx, candidates, count),
      explain = "newest claim, and no other value",
    }
  end,
}
