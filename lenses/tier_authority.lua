-- SPDX-License-Identifier: Apache-2.0
--- Tier authority: only the lowest tier that has spoken counts, however many claims the others have. Within it the
--- claim with the largest weight (confidence × class multiplier) wins; a tie goes to the smaller id. Values of other
--- tiers are listed with weight 0, so confidence, conflict and status speak of the deciding tier. The rule is steme.rule's.
return {
  kind = "lens", api = 1, name = "tier_authority", version = "1.0.0",
  description = "The lowest tier decides by its strongest claim; volume never beats authority.",

  resolve = function(ctx, candidates) return steme.rule("tier_authority", ctx, candidates) end,
}
