-- SPDX-License-Identifier: Apache-2.0
--- Tier authority: only the lowest tier that has spoken counts, however many claims the others have. Within it the
--- claim with the largest weight (confidence × class multiplier) wins; a tie goes to the smaller id. Values of other
--- tiers are listed with weight 0, so confidence, conflict and status speak of the deciding tier.
return {
  kind = "lens", api = 1, name = "tier_authority", version = "1.0.0",
  description = "The lowest tier decides by its strongest claim; volume never beats authority.",

  resolve = function(ctx, candidates)
    local best, tier, weights, claims = 1, candidates[1].tier, {}, 0
    for i = 1, #candidates do
      local c = candidates[i]
      if c.tier < tier then tier, best, weights, claims = c.tier, i, {}, 0 end
      if c.tier == tier then
        local value, lead = c.value_index, candidates[best]
        weights[value] = (weights[value] or 0) + c.weight
        claims = claims + 1
        if c.weight > lead.weight or (c.weight == lead.weight and steme.smaller_id(c, lead)) then best = i end
      end
    end
    local notes
    if ctx.wants_notes then
      notes = {}
      for i = 1, #candidates do
        if candidates[i].tier ~= tier then notes[i] = "not asked: a " .. steme.tier_name(tier) .. " claim has spoken" end
      end
    end
    return {
      winner = best, weights = weights, notes = notes,
      explain = "strongest of " .. claims .. " " .. steme.tier_name(tier) .. " claims; lower tiers are not asked",
    }
  end,
}
