-- SPDX-License-Identifier: Apache-2.0
--- Consensus: the value with most voices wins. A voice is an agent, or a source where the agent is anonymous; it counts
--- once for each value that it supports, so repeating oneself adds nothing. A tie goes to the smaller id.
return {
  kind = "lens", api = 1, name = "consensus", version = "1.0.0",
  description = "The value with most voices wins, not the one with most assertions.",

  resolve = function(ctx, candidates)
    local voices = steme.voices(candidates)
    local winner = steme.leader(candidates, voices)
    local most, all = voices[candidates[winner].value_index], steme.total(voices, ctx.values_count)
    return { winner = winner, weights = voices, explain = most .. " of " .. all .. " voices" }
  end,
}
