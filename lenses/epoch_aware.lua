-- SPDX-License-Identifier: Apache-2.0
--- Epoch aware: leaves out what a superseded epoch holds and lets another rule decide about the rest. A claim without an
--- epoch stays, and so does one of an epoch that nobody has said anything about. Values that only superseded epochs hold
--- are listed with weight 0.
local function is_current(c) return not c.epoch_superseded end

local function note_left_out(candidates, notes)
  for i = 1, #candidates do
    if not is_current(candidates[i]) then notes[i] = "of a superseded epoch: left out" end
  end
  return notes
end

return {
  kind = "lens", api = 1, name = "epoch_aware", version = "1.0.0",
  description = "Leaves out what a superseded epoch holds; another rule decides about the rest.",
  params = {
    rule = { type = "string", default = "consensus", choices = { "confidence", "consensus", "recency", "tier_authority" },
      description = "The rule that decides: that of the lens with this name, as the server has it." },
  },

  resolve = function(ctx, candidates)
    local kept = steme.keep(candidates, is_current)
    local said = steme.rule(ctx.params.rule, ctx, kept)
    if not said then return nil, "all claims are of superseded epochs" end
    local left_out = #candidates - #kept
    if left_out == 0 then return said end
    said.explain = said.explain .. "; " .. left_out .. " of superseded epochs left out"
    if ctx.wants_notes then said.notes = note_left_out(candidates, said.notes or {}) end
    return said
  end,
}
