-- SPDX-License-Identifier: Apache-2.0
--- Vote consensus: the value whose claims have the largest sum of vote weights wins. Its claim with most of them speaks for
--- it. A tie goes to the newer claim, then to the smaller id. Without votes nobody wins.
---
--- Keys are free, so who makes many keys has many votes, and no vote counts less for who cast it: a lens for voters whom the
--- operator knows. Among strangers ask one that goes by trust, such as authority: trust is the operator's to give.
local UNITS = 1e9 -- the server keeps weights in parts of 10^-9: whole numbers, so that sums are exact

local function count_of(votes) return votes == 1 and "1 vote" or votes .. " votes" end

local function notes_on(candidates)
  local notes = {}
  for i = 1, #candidates do
    local c = candidates[i]
    notes[i] = c.votes == 0 and "no votes" or count_of(c.votes) .. ", weight " .. c.vote_weight
  end
  return notes
end

return {
  kind = "lens", api = 1, name = "vote_consensus", version = "1.0.0",
  description = "The value with the largest sum of vote weights wins.",

  resolve = function(ctx, candidates)
    -- By value: its weight, and who speaks for it. Candidates come newest first, then by id, so the first of equals stays.
    local weights, speakers, votes, all = {}, {}, 0, 0
    for i = 1, #candidates do
      local c = candidates[i]
      if c.votes > 0 then
        local value, weight = c.value_index, c.vote_weight
        local speaker = speakers[value]
        if not speaker or weight > candidates[speaker].vote_weight then speakers[value] = i end
        local units = math.floor(weight * UNITS + 0.5)
        weights[value] = (weights[value] or 0) + units
        votes, all = votes + c.votes, all + units
      end
    end
    for value = 1, ctx.values_count do
      if weights[value] then weights[value] = weights[value] / UNITS end
    end
    all = all / UNITS

    local notes = ctx.wants_notes and notes_on(candidates) or nil
    if all == 0 then
      return { weights = weights, notes = notes, explain = votes == 0 and "nobody has voted" or "no vote has any weight" }
    end
    local winner, most = nil, 0
    for value = 1, ctx.values_count do
      local weight, speaker = weights[value] or 0, speakers[value]
      if weight > most or (weight == most and winner and speaker and speaker < winner) then
        winner, most = speaker, weight
      end
    end
    return {
      winner = winner, weights = weights, notes = notes,
      explain = "vote weight " .. most .. " of " .. all .. ", from " .. count_of(votes),
    }
  end,
}
