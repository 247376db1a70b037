-- SPDX-License-Identifier: Apache-2.0
--- Layered: every tier answers for itself with its heaviest value; the overall answer is that of the lowest tier that
--- has spoken. `details.between_tiers_conflict` says how far the tiers disagree: each tier is one voice for its own
--- winner, 0 when all say the same, 1 when every value has as many tiers behind it.
local function claims_by_tier(candidates)
  local tiers = {}
  for i = 1, #candidates do
    local tier = candidates[i].tier
    tiers[tier] = tiers[tier] or {}
    table.insert(tiers[tier], candidates[i])
  end
  return tiers
end

-- The tier's own answer: its heaviest value.
local function answer(tier, claims)
  local weights = steme.weights(claims)
  return { tier = tier, winner = steme.leader(claims, weights), weights = weights }
end

return {
  kind = "lens", api = 1, name = "layered", version = "1.0.0",
  description = "An answer for each tier, with the conflict inside and between them; the lowest tier has the last word.",

  resolve = function(ctx, candidates)
    local layers, tier_votes = {}, {}
    local tiers = claims_by_tier(candidates)
    for tier = 0, 5 do
      if tiers[tier] then
        local layer = answer(tier, tiers[tier])
        local value = layer.winner.value_index
        tier_votes[value] = (tier_votes[value] or 0) + 1
        table.insert(layers, layer)
      end
    end

    local top = layers[1]
    return {
      winner = top.winner, weights = top.weights, layers = layers,
      details = { between_tiers_conflict = steme.conflict(tier_votes, ctx.values_count) },
      explain = "answer of the " .. steme.tier_name(top.tier) .. " tier, the highest of " .. #layers .. " that spoke",
    }
  end,
}
