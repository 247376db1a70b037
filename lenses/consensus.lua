-- SPDX-License-Identifier: Apache-2.0
--- Consensus: the value with most voices wins. A voice is an agent, or a source where the agent is anonymous; it counts
--- once for each value that it supports, so repeating oneself adds nothing. A tie goes to the smaller id. The rule is
--- steme.rule's, so that other lenses can follow it, too.
return {
  kind = "lens", api = 1, name = "consensus", version = "1.0.0",
  description = "The value with most voices wins, not the one with most assertions.",

  resolve = function(ctx, candidates) return steme.rule("consensus", ctx, candidates) end,
}
