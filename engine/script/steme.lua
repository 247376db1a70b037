-- SPDX-License-Identifier: Apache-2.0
-- steme.*: the helpers of lenses. Plain Lua without anything of the engine, so that a lens runs in stock LuaJIT too,
-- over candidates that are plain tables. Lists "by value" have one entry for each value_index; a list over a part of
-- the candidates may lack entries.
--
-- Called once: steme, check_claims = chunk(charge, kind_of). Loops here have no steps: those that call a script's function, or
-- go over whatever it was that a script gave, pay with charge(units) for each stretch of claims (prelude.lua). kind_of(value)
-- is type(value), but "candidates" and "a candidate" for the engine's. In stock LuaJIT nobody is paid, and these are tables.
local error, type = error, type
local charge, kind_of = ...
charge, kind_of = charge or function() end, kind_of or type
local huge, min, max, log = math.huge, math.min, math.max, math.log
local steme = {}

local STRETCH = 512

-- Texts would be read as numbers, however long. Costs nothing where it is compiled.
local function check_number(number, what)
  if type(number) ~= "number" then error(what .. " wants numbers, got " .. type(number), 3) end
end

local function check_function(f, what)
  if type(f) ~= "function" then error(what .. " wants a function of a claim, got " .. type(f), 3) end
end

-- Of a list the first entry tells: who gives numbers, or ids, gives nothing else. What looks like a claim is taken for one.
local function check_claims(claims, what)
  local kind = kind_of(claims)
  if kind == "table" then
    kind = type(claims[1])
    if kind == "nil" or kind == "table" or kind == "cdata" then return end
    kind = "a list that begins with a " .. kind
  elseif kind == "candidates" then
    return
  end
  error(what .. " wants claims (the candidates, or a list of some), got " .. kind, 3)
end

local function check_list(list, what)
  if type(list) ~= "table" then error(what .. " wants a list by value, got " .. type(list), 3) end
end

-- Names of the source classes by tier.
local TIERS = { [0] = "regulatory", "clinical", "observational", "expert", "community", "anecdotal" }
function steme.tier_name(tier) return TIERS[tier] end

-- Whether candidate a has the smaller id; the last tie-break of every lens.
function steme.smaller_id(a, b) return a.id < b.id end

-- Weight by value; of the first `count` claims when that is given.
function steme.weights(claims, count)
  check_claims(claims, "steme.weights")
  local weights = {}
  for i = 1, min(count or #claims, #claims) do
    local c = claims[i]
    local v, weight = c.value_index, c.weight
    check_number(weight, "steme.weights")
    weights[v] = (weights[v] or 0) + weight
  end
  return weights
end

-- Distinct voices by value: a voice counts once for each value that it supports, however often it says it.
function steme.voices(claims)
  check_claims(claims, "steme.voices")
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

-- The claims by value, in their order.
function steme.by_value(claims)
  check_claims(claims, "steme.by_value")
  local groups = {}
  for i = 1, #claims do
    local c = claims[i]
    local v = c.value_index
    local group = groups[v]
    if not group then
      group = {}
      groups[v] = group
    end
    group[#group + 1] = c
  end
  return groups
end

-- The claim that speaks for the heaviest value: the value's first (newest) claim. Equal weights: smaller id of those.
function steme.leader(claims, weights)
  check_claims(claims, "steme.leader")
  check_list(weights, "steme.leader")
  local best, most, seen = nil, nil, {}
  for i = 1, #claims do
    local c = claims[i]
    local v = c.value_index
    local weight = weights[v]
    if weight and not seen[v] then
      check_number(weight, "steme.leader")
      seen[v] = true
      if not best or weight > most or (weight == most and steme.smaller_id(c, best)) then best, most = c, weight end
    end
  end
  return best
end

-- The claim with the largest score(claim), a number. Equal scores: smaller id.
function steme.best(claims, score)
  check_claims(claims, "steme.best")
  check_function(score, "steme.best")
  local count = #claims
  if count == 0 then return nil end
  local best, most = 1, -huge
  for from = 1, count, STRETCH do
    local to = min(from + STRETCH - 1, count)
    charge(to - from + 1)
    for i = from, to do
      local c = claims[i]
      local worth = score(c)
      check_number(worth, "steme.best")
      local is_behind = worth < most  -- NaN isn't
      if not is_behind then
        if worth ~= worth then error("steme.best: the score of claim " .. i .. " is no number (nan)", 2) end
        if worth > most or steme.smaller_id(c, claims[best]) then best, most = i, worth end
      end
    end
  end
  -- The claim, not its place: a place in what is left of the claims is no candidate's number.
  return claims[best]
end

-- The claims for which wanted(claim) is true, in their order; `claims` itself when it is so for all.
function steme.keep(claims, wanted)
  check_claims(claims, "steme.keep")
  check_function(wanted, "steme.keep")
  local kept, kept_count, count = nil, 0, #claims
  for from = 1, count, STRETCH do
    local to = min(from + STRETCH - 1, count)
    charge(to - from + 1)
    for i = from, to do
      local c = claims[i]
      if wanted(c) then
        kept_count = kept_count + 1
        if kept then kept[kept_count] = c end
      elseif not kept then
        kept = {}
        for before = 1, kept_count do kept[before] = claims[before] end
      end
    end
  end
  return kept or claims
end

-- Sum of a list by value; `values` is the length to look at (ctx.values_count).
function steme.total(weights, values)
  check_list(weights, "steme.total")
  local sum = 0
  for v = 1, values do
    local weight = weights[v] or 0
    check_number(weight, "steme.total")
    sum = sum + weight
  end
  return sum
end

-- Shannon entropy of the shares of a list by value, normalised to 0..1 by the logarithm of the number of its entries
-- above 0; 1 when there are several entries and all are 0. The engine's own conflict score is the same rule.
function steme.conflict(weights, values)
  check_list(weights, "steme.conflict")
  local sum, entries, weighed = 0, 0, 0
  for v = 1, values do
    local weight = weights[v]
    if weight then
      check_number(weight, "steme.conflict")
      sum, entries = sum + weight, entries + 1
      if weight > 0 then weighed = weighed + 1 end
    end
  end
  if sum == 0 and entries > 1 then return 1 end
  if weighed < 2 then return 0 end
  local entropy = 0
  for v = 1, values do
    local share = (weights[v] or 0) / sum
    if share > 0 then entropy = entropy - share * log(share) end
  end
  return min(1, max(0, entropy / log(weighed)))
end

-- confidence × 2^(−age / half-life); a claim from the future, or a half-life of 0, does not decay.
function steme.decay(confidence, age_ms, half_life_days)
  if age_ms > 0 and half_life_days > 0 then return confidence * 2 ^ (-age_ms / (half_life_days * 86400000)) end
  return confidence
end

-- Rules --------------------------------------------------------------------------------------------------------------

-- What the lenses of these names say of `claims`, which may be a part of the candidates. The answer is in terms of all of
-- them: `winner` is a candidate's number, and what is left out has no weight.
local rules = {}

local function check_ctx(ctx)
  local kind = type(ctx)
  if kind == "userdata" or kind == "table" then return end
  error("steme.rule wants ctx as its second argument, got " .. kind .. ": steme.rule(name, ctx, claims)", 3)
end

-- It would be taken for a bound on what the rule looks at.
local function check_count(count, name)
  if name ~= "recency" then
    error("steme.rule: a count is for recency alone, and " .. name .. " looks at all claims: give it fewer of them", 3)
  end
  if type(count) ~= "number" or count < 1 or count ~= count then
    error("steme.rule wants a count of 1 or more, got " .. (type(count) == "number" and count or type(count)), 3)
  end
end

function steme.rule(name, ctx, claims, count)
  local rule = rules[name]
  if not rule then
    local got = type(name) == "string" and #name <= 40 and "'" .. name .. "'" or type(name)
    error("steme.rule knows confidence, consensus, recency and tier_authority, got " .. got, 2)
  end
  check_ctx(ctx)
  check_claims(claims, "steme.rule")
  if count ~= nil then check_count(count, name) end
  if #claims == 0 then return nil, "no claim is left" end
  return rule(ctx, claims, count)
end

-- Most voices. Repeating oneself adds nothing. Tie: smaller id of the values' newest claims.
function rules.consensus(ctx, claims)
  local voices = steme.voices(claims)
  local lead = steme.leader(claims, voices)
  local winner, most = lead.number, voices[lead.value_index]
  return { winner = winner, weights = voices, explain = most .. " of " .. steme.total(voices, ctx.values_count) .. " voices" }
end

-- Largest (decayed) confidence. Tie: smaller id.
local function effective_confidence(c) return c.effective_confidence end
function rules.confidence(ctx, claims)
  local winner = steme.best(claims, effective_confidence)
  local said = { winner = winner.number, explain = "largest confidence, " .. winner.effective_confidence }
  if #claims < ctx.candidates_count then said.weights = steme.weights(claims) end
  return said
end

local DAY, HOUR, MINUTE = 86400000, 3600000, 60000
local function confidence_by_gap(gap)
  if gap > DAY then return 0.95 end
  if gap > HOUR then return 0.8 end
  if gap > MINUTE then return 0.6 end
  return 0.5
end

-- The newest, of the first `count` claims when that is given; the surer the further ahead of the next with another value.
function rules.recency(_, claims, count)
  count = min(count or #claims, #claims)
  local newest, weights = claims[1], steme.weights(claims, count)
  for from = 2, count, STRETCH do
    local to = min(from + STRETCH - 1, count)
    charge(to - from + 1)
    for i = from, to do
      local other = claims[i]
      if other.value_index ~= newest.value_index then
        local gap = newest.timestamp - other.timestamp
        return {
          winner = newest.number, confidence = confidence_by_gap(gap), weights = weights,
          explain = "newest claim, " .. gap / 1000 .. " s ahead of the next with another value",
        }
      end
    end
  end
  return { winner = newest.number, confidence = 1, weights = weights, explain = "newest claim, and no other value" }
end

-- The strongest claim (confidence × class multiplier) of the lowest tier that has spoken. Tie: smaller id.
function rules.tier_authority(ctx, claims)
  local count, best, tier, weights, speaking = #claims, 1, claims[1].tier, {}, 0
  for from = 1, count, STRETCH do
    local to = min(from + STRETCH - 1, count)
    charge(to - from + 1)
    for i = from, to do
      local c = claims[i]
      if c.tier < tier then tier, best, weights, speaking = c.tier, i, {}, 0 end
      if c.tier == tier then
        local value, lead = c.value_index, claims[best]
        weights[value] = (weights[value] or 0) + c.weight
        speaking = speaking + 1
        if c.weight > lead.weight or (c.weight == lead.weight and steme.smaller_id(c, lead)) then best = i end
      end
    end
  end
  local said = {
    winner = claims[best].number, weights = weights,
    explain = "strongest of " .. speaking .. " " .. steme.tier_name(tier) .. " claims; lower tiers are not asked",
  }
  if ctx.wants_notes then
    local notes, note = {}, "not asked: a " .. steme.tier_name(tier) .. " claim has spoken"
    for from = 1, count, STRETCH do
      local to = min(from + STRETCH - 1, count)
      charge(to - from + 1)
      for i = from, to do
        local c = claims[i]
        if c.tier ~= tier then notes[c.number] = note end
      end
    end
    said.notes = notes
  end
  return said
end

return steme, check_claims
