-- SPDX-License-Identifier: Apache-2.0
--- Confidence: the single claim with the largest (decayed) confidence wins, whatever its class. A tie goes to the
--- smaller id.
return {
  kind = "lens", api = 1, name = "confidence", version = "1.0.0",
  description = "The single most confident claim wins, whatever its source class.",

  resolve = function(_, candidates)
    local best = 1
    for i = 2, #candidates do
      local c, lead = candidates[i], candidates[best]
      if c.effective_confidence > lead.effective_confidence
        or (c.effective_confidence == lead.effective_confidence and steme.smaller_id(c, lead)) then
        best = i
      end
    end
    return { winner = best, explain = "largest confidence, " .. candidates[best].effective_confidence }
  end,
}
