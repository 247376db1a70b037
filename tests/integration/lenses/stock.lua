-- SPDX-License-Identifier: Apache-2.0
-- The lenses under stock LuaJIT: plain tables as candidates, no sandbox, nothing of the engine but steme.lua, and the
-- default rules (shares, conflict, status) written down a second time. What this says and what the server says must be
-- the same.
--
--   luajit stock.lua ROOT specs           every lenses/*_spec.lua; exits 1 when a case fails
--   luajit stock.lua ROOT cases FILE      one line for each of the cases in FILE (see differential_test.cc)
local root, mode, cases_file = arg[1], arg[2], arg[3]
local NOW, TOLERANCE = 1767225600000, 1e-9
local MULTIPLIERS = { [0] = 1.0, 0.9, 0.7, 0.5, 0.3, 0.1 }
local LENSES = {
  "authority", "confidence", "consensus", "constraints", "epoch_aware", "layered", "recency", "skeptic", "tier_authority",
  "vote_consensus",
}

_G.steme = dofile(root .. "/engine/script/steme.lua")

-- The rules -----------------------------------------------------------------------------------------------------------

-- Values in the claims (of one tier, if given) with weight and share, heaviest first, ties by id of their newest claim.
local function rank(claims, weights, tier)
  local values, by_index, total = {}, {}, 0
  for _, c in ipairs(claims) do
    if not tier or c.tier == tier then
      local entry = by_index[c.value_index]
      if not entry then
        entry = { index = c.value_index, value = c.value, id = c.id, weight = 0 }
        by_index[c.value_index] = entry
        values[#values + 1] = entry
      end
      entry.weight = weights and (weights[c.value_index] or 0) or entry.weight + c.weight
    end
  end
  local in_order = {}
  for i, entry in ipairs(values) do in_order[i] = entry end
  table.sort(in_order, function(a, b) return a.index < b.index end)
  for _, entry in ipairs(in_order) do total = total + entry.weight end
  for _, entry in ipairs(values) do entry.share = total > 0 and entry.weight / total or 0 end
  table.sort(values, function(a, b)
    if a.weight ~= b.weight then return a.weight > b.weight end
    return a.id < b.id
  end)
  return values, total
end

-- A winner is a claim, or its number.
local function number_of(winner) return type(winner) == "table" and winner.number or winner end

local function judge(claims, said, tier)
  local values, total = rank(claims, said.weights, tier)
  local winner = number_of(said.winner)
  local entropy, confidence, count, weighed = 0, #values > 0 and values[1].share or 0, 0, 0
  for _, entry in ipairs(values) do
    if entry.weight > 0 then weighed = weighed + 1 end
    if entry.share > 0 then entropy = entropy - entry.share * math.log(entry.share) end
    if winner and claims[winner].value_index == entry.index then confidence = entry.share end
  end
  for _, c in ipairs(claims) do if not tier or c.tier == tier then count = count + 1 end end
  local conflict = 0
  if #values > 1 and total == 0 then conflict = 1 end
  if weighed > 1 then conflict = math.min(1, math.max(0, entropy / math.log(weighed))) end
  local status = #values == 0 and "none" or #values == 1 and "unanimous" or values[1].share >= 0.8 and "agreed"
  return {
    tier = tier, winner = winner, values = values, candidates_count = count,
    confidence = said.confidence or confidence, conflict_score = said.conflict_score or conflict,
    status = said.status or status or "contested",
  }
end

-- `about` is what the claims are about: concept_path and predicate.
local function resolve(lens, claims, params, now, about)
  if #claims == 0 then
    local none = judge(claims, { confidence = 0, status = "none" })
    none.explain = "no claims"
    return none
  end
  local values, voices = 0, 0
  for _, c in ipairs(claims) do values, voices = math.max(values, c.value_index), math.max(voices, c.voice_index) end
  local ctx = { now = now, params = {}, candidates_count = #claims, values_count = values, voices_count = voices,
    wants_notes = mode == "specs", concept_path = about.concept_path or "concept", predicate = about.predicate or "predicate" }
  for i, c in ipairs(claims) do c.number = i end
  for name, spec in pairs(lens.params or {}) do ctx.params[name] = spec.default end
  for name, value in pairs(params or {}) do ctx.params[name] = value end
  local said, reason = lens.resolve(ctx, claims)
  if not said then said = { confidence = 0, status = "none", explain = reason } end
  local answer = judge(claims, said)
  answer.notes = said.notes or {}
  answer.explain, answer.details, answer.layers = said.explain or "", said.details, {}
  for i, layer in ipairs(said.layers or {}) do answer.layers[i] = judge(claims, layer, layer.tier) end
  return answer
end

-- Details -------------------------------------------------------------------------------------------------------------

local function shortest(number)
  for digits = 14, 17 do
    local text = string.format("%." .. digits .. "g", number)
    if tonumber(text) == number then return text end
  end
end

-- A table of strings, numbers, booleans, lists and such tables, keys in their order.
local function json(value, number_text)
  if type(value) == "number" then return number_text(value) end
  if type(value) ~= "table" then return type(value) == "string" and '"' .. value .. '"' or tostring(value) end
  local parts, keys = {}, {}
  for i, entry in ipairs(value) do parts[i] = json(entry, number_text) end
  if #parts > 0 then return "[" .. table.concat(parts, ",") .. "]" end
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys)
  for i, key in ipairs(keys) do parts[i] = '"' .. key .. '":' .. json(value[key], number_text) end
  return "{" .. table.concat(parts, ",") .. "}"
end

-- Cases ---------------------------------------------------------------------------------------------------------------

local function line_of(judgement)
  local out = { tostring(judgement.winner or 0), string.format("%.12g", judgement.confidence),
    string.format("%.12g", judgement.conflict_score), judgement.status, tostring(judgement.candidates_count) }
  for _, entry in ipairs(judgement.values) do
    out[#out + 1] = string.format("%d:%.12g:%.12g", entry.index, entry.weight, entry.share)
  end
  return table.concat(out, " ")
end

local function run_cases()
  local lenses = {}
  for _, case in ipairs(dofile(cases_file)) do
    lenses[case.lens] = lenses[case.lens] or dofile(root .. "/lenses/" .. case.lens .. ".lua")
    local answer = resolve(lenses[case.lens], case.claims, case.params, case.now, case)
    local out = { case.lens, line_of(answer), answer.explain }
    for _, layer in ipairs(answer.layers or {}) do out[#out + 1] = "tier " .. layer.tier .. " " .. line_of(layer) end
    if answer.details then out[#out + 1] = json(answer.details, function(n) return string.format("%.12g", n) end) end
    print(table.concat(out, " | "))
  end
end

-- Specs ---------------------------------------------------------------------------------------------------------------

local function number_by(claims, key_of, field)
  local numbers, count = {}, 0
  for _, c in ipairs(claims) do
    local key = key_of(c)
    if not numbers[key] then
      count = count + 1
      numbers[key] = count
    end
    c[field] = numbers[key]
  end
end

-- Given claims in canonical order with everything that the server adds.
local function prepare(given)
  local claims = {}
  for number, from in ipairs(given) do
    local confidence, tier = from.confidence or 0.8, from.tier or 5
    local effective, trust, votes = from.effective_confidence or confidence, from.trust or 0.5, from.votes or 0
    claims[number] = {
      given = number, value = from.value, confidence = confidence, effective_confidence = effective, tier = tier,
      weight = from.weight or effective * MULTIPLIERS[tier], timestamp = NOW - (from.age_s or 0) * 1000,
      agent = from.agent, source = from.source or "s", sequence = number, trust = trust,
      derived_trust = from.derived_trust or trust, votes = votes, vote_weight = from.vote_weight or votes,
      epoch = from.epoch, epoch_superseded = from.epoch_superseded or false, lifecycle = from.lifecycle or "proposed",
      id = from.id or string.char(math.floor(number / 256), number % 256),
    }
  end
  table.sort(claims, function(a, b)
    if a.timestamp ~= b.timestamp then return a.timestamp > b.timestamp end
    return a.id < b.id
  end)
  number_by(claims, function(c) return c.value end, "value_index")
  number_by(claims, function(c) return c.agent and "a" .. c.agent or "s" .. c.source end, "voice_index")
  return claims
end

local function compare(claims, expected, got, place, complain)
  local winner = got.winner and claims[got.winner]
  for name, want in pairs(expected) do
    local is = got[name]
    if name == "winner" then is, want = winner and winner.given or 0, want or 0 end
    if name == "value" then is = winner and winner.value end
    if name == "explain" then
      if not is:find(want, 1, true) then complain(place .. "explain: " .. is) end
    elseif name == "details" then
      is = json(is, shortest)
      if is ~= want then complain(place .. "details: " .. is) end
    elseif name == "notes" then
      for number, part in pairs(want) do
        local note = ""
        for i, c in ipairs(claims) do if c.given == number then note = is[i] or "" end end
        if not (part and note:find(part, 1, true)) and (part or note ~= "") then
          complain(place .. "note on " .. number .. ": " .. note)
        end
      end
    elseif name == "layers" then
      if #is ~= #want then complain("layers: " .. #is) end
      for i, layer in ipairs(want) do compare(claims, layer, is[i], "layer " .. i .. " ", complain) end
    elseif name == "shares" then
      if #want ~= #got.values then complain(place .. "shares: " .. #got.values) end
      for i, pair in ipairs(want) do
        local entry = got.values[i]
        if entry.value ~= pair[1] or math.abs(entry.share - pair[2]) > TOLERANCE then
          complain(place .. "share " .. i .. ": " .. tostring(entry.value) .. " " .. entry.share)
        end
      end
    elseif type(want) == "number" then
      if not (type(is) == "number" and math.abs(is - want) <= TOLERANCE) then
        complain(place .. name .. ": expected " .. want .. ", got " .. tostring(is))
      end
    elseif is ~= want then
      complain(place .. name .. ": expected " .. tostring(want) .. ", got " .. tostring(is))
    end
  end
end

local function run_specs()
  local failures = 0
  for _, name in ipairs(LENSES) do
    local lens = dofile(root .. "/lenses/" .. name .. ".lua")
    print(name)
    for _, case in ipairs(dofile(root .. "/lenses/" .. name .. "_spec.lua")) do
      local claims, complaints = prepare(case.given), {}
      local got = resolve(lens, claims, case.params, NOW, case)
      compare(claims, case.expect, got, "", function(text) complaints[#complaints + 1] = text end)
      failures = failures + (#complaints > 0 and 1 or 0)
      print((#complaints == 0 and "  holds: " or "  FAILS: ") .. case.claim .. " " .. table.concat(complaints, "; "))
    end
  end
  os.exit(failures == 0 and 0 or 1)
end

if mode == "specs" then run_specs() else run_cases() end
