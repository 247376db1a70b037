-- SPDX-License-Identifier: Apache-2.0
--- Tier authority: only the lowest tier that has spoken counts, however many claims the others have. Within it the
--- claim with the largest weight (confidence × class multiplier) wins; a tie goes to the smaller id. Values of other
--- tiers are listed with weight 0, so confidence, conflict and status speak of the deciding tier.
return {
  kind = "lens", api = 1, name = "tier_authority", version = "1.0.0",
  description = "The lowest tier decides by its strongest claim; volume never beats authority.",

  resolve = function(ctx, candidates)
    local best = 1
    for i = 2, #candidates do
      local c, lead = candidates[i], candidates[best]
      if c.tier < lead.tier or (c.tier == lead.tier and (c.weight > lead.weight
        or (c.weight == lead.weight and steme.smaller_id(c, lead)))) then
        best = i
      end
    end

    local tier, weights, claims = candidates[best].tier, {}, 0
    for v = 1, ctx.values_count do weights[v] = 0 end
    for i = 1, #candidates do
      local c = candidates[i]
      if c.tier == tier then
        weights[c.value_index] = weights[c.value_index] + c.weight
        claims = claims + 1
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
