-- SPDX-License-Identifier: Apache-2.0
--- Recency: the newest claim wins. The smaller the gap to the newest claim with another value, the less sure it is: 0.95
--- for more than a day, 0.8 for more than an hour, 0.6 for more than a minute, else 0.5. The rule is steme.rule's.

-- The claims behind `count`, which max_age_s leaves out.
local function too_old(candidates, count)
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

    local said = steme.rule("recency", ctx, candidates, count)
    if ctx.wants_notes then said.notes = too_old(candidates, count) end
    return said
  end,
}
