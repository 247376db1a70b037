-- SPDX-License-Identifier: Apache-2.0
--- Authority: the claim with the largest confidence × trust in its agent wins; a tie goes to the smaller id. Shares,
--- conflict and status go by the same product, added up by value. With `derived` a claim is worth no more than what it
--- rests on: trust is then that of the least trusted agent in its lineage.
local function by_trust(c) return c.effective_confidence * c.trust end
local function by_derived_trust(c) return c.effective_confidence * c.derived_trust end

return {
  kind = "lens", api = 1, name = "authority", version = "1.0.0",
  description = "The claim with the largest confidence times trust in its agent wins.",
  params = {
    derived = { type = "boolean", default = false,
      description = "Trust a claim no more than the least trusted agent of all that it is derived from." },
  },

  resolve = function(ctx, candidates)
    local derived = ctx.params.derived
    local score = derived and by_derived_trust or by_trust
    local weights = {}
    for i = 1, #candidates do
      local c = candidates[i]
      local value = c.value_index
      weights[value] = (weights[value] or 0) + score(c)
    end

    local winner, notes = steme.best(candidates, score), nil
    if ctx.wants_notes then
      notes = {}
      for i = 1, #candidates do
        local c = candidates[i]
        notes[i] = "confidence " .. c.effective_confidence .. " × trust " .. (derived and c.derived_trust or c.trust)
      end
    end
    return {
      winner = winner, weights = weights, notes = notes,
      explain = "largest confidence × trust, " .. winner.effective_confidence .. " × "
        .. (derived and winner.derived_trust or winner.trust),
    }
  end,
}
