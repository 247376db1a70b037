-- SPDX-License-Identifier: Apache-2.0
--- Skeptic: never picks a winner. It lists every value by its share of the weight and says how contested the matter is.
return {
  kind = "lens", api = 1, name = "skeptic", version = "1.0.0",
  description = "Never picks; ranks all values by their share of the weight and says how contested they are.",

  resolve = function(ctx, candidates)
    local values = ctx.values_count
    if values == 1 then return { explain = "no disagreement: all " .. #candidates .. " claims say the same" } end
    local conflict = steme.conflict(steme.weights(candidates), values)
    return { explain = values .. " values disagree, conflict " .. string.format("%.2f", conflict) .. " of 1" }
  end,
}
