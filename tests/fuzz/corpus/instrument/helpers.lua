-- SPDX-License-Identifier: Apache-2.0
-- steme.*: the helpers of lenses. Plain Lua without anything of the engine, so that a lens runs in stock LuaJIT too,
-- over candidates that are plain tables. Lists "by value" have one entry for each value_index; a list over a part of
-- the candidates may lack entries.
local steme = {}

-- Names of the source classes by tier.
local TIERS = { [0] = "regulatory", "clinical", "observational", "expert", "community", "anecdotal" }
function steme.tier_name(tier) return TIERS[tier] end

-- Whether candidate a has the smaller id; the last tie-break of every lens.
function steme.smaller_id(a, b) return a.id < b.id end

-- Weight by value; of the first `count` claims when that is given.
function steme.weights(claims, count)
  local weights = {}
  for i = 1, math.min(count or #claims, #claims) do
    local c = claims[i]
    local v = c.value_index
    weights[v] = (weights[v] or 0) + c.weight
  end
  return weights
end

-- Distinct voices by value: a voice counts once for each value that it supports, however often it says it.
function steme.voices(claims)
  local voices, heard = {}, {}
  for i = 1, #claims do
    local c = claims[i]
    local v = c.value_index
    local by_value = heard[v]
    if not by_value then
      by_value = {}
      heard[v] = by_value
    end
    if not by_value[c.voice_index] then
      by_value[c.voice_index] = true
      voices[v] = (voices[v] or 0) + 1
    end
  end
  return voices
end

-- Claim numbers by value, in the order of the claims.
function steme.by_value(claims)
  local groups = {}
  for i = 1, #claims do
    local v = claims[i].value_index
    local group = groups[v]
    if not group then
      group = {}
      groups[v] = group
    end
    group[#group + 1] = i
  end
  return groups
end

-- The claim that speaks for the heaviest value: the value's first (newest) claim. Equal weights: smaller id of those.
function steme.leader(claims, weights)
  local best, seen = nil, {}
  for i = 1, #claims do
    local c = claims[i]
    local v = c.value_index
    if not seen[v] and weights[v] then
      seen[v] = true
      local lead = best and claims[best]
      local most = lead and weights[lead.value_index]
      if not best or weights[v] > most or (weights[v] == most and steme.smaller_id(c, lead)) then best = i end
    end
  end
  return best
end

-- Sum of a list by value; `values` is the length to look at (ctx.values_count).
function steme.total(weights, values)
  local sum = 0
  for v = 1, values do sum = sum + (weights[v] or 0) end
  return sum
end

-- Shannon entropy of the shares of a list by value, normalised to 0..1 by the logarithm of the number of its entries
-- above 0; 1 when there are several entries and all are 0. The engine's own conflict score is the same rule.
function steme.conflict(weights, values)
  local sum, entries, weighed = 0, 0, 0
  for v = 1, values do
    local weight = weights[v]
    if weight then
      sum, entries = sum + weight, entries + 1
      if weight > 0 then weighed = weighed + 1 end
    end
  end
  if sum == 0 and entries > 1 then return 1 end
  if weighed < 2 then return 0 end
  local entropy = 0
  for v = 1, values do
    local share = (weights[v] or 0) / sum
    if share > 0 then entropy = entropy - share * math.log(share) end
  end
  return math.min(1, math.max(0, entropy / math.log(weighed)))
end

-- confidence × 2^(−age / half-life); a claim from the future, or a half-life of 0, does not decay.
function steme.decay(confidence, age_ms, half_life_days)
  if age_ms > 0 and half_life_days > 0 then return confidence * 2 ^ (-age_ms / (half_life_days * 86400000)) end
  return confidence
end

return steme
