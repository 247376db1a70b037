-- SPDX-License-Identifier: Apache-2.0
--- Confidence: the single claim with the largest (decayed) confidence wins, whatever its class. A tie goes to the
--- smaller id. The rule is steme.rule's.
return {
  kind = "lens", api = 1, name = "confidence", version = "1.0.0",
  description = "The single most confident claim wins, whatever its source class.",

  resolve = function(ctx, candidates) return steme.rule("confidence", ctx, candidates) end,
}
