-- SPDX-License-Identifier: Apache-2.0
-- What a lens said, checked and written into the CallFrame. Called once, by the prelude:
--
--   read = verdict(given)
--
-- read(what resolve returned, its reason, is_thorough) gives explain, details and notes, at which C++ looks; and the
-- verdict itself, when C++ is to look for fields that nobody reads (verdict_keys.h). That costs as much as a short lens,
-- so it is done when the reading is thorough, and for judgements that name no winner: "winer" is no winner.
local given = ...
local error, type, tostring = error, type, tostring
local floor, huge = math.floor, math.huge
local frame, row_of = given.frame, given.row_of

local AGREEMENTS = { none = 0, unanimous = 1, agreed = 2, contested = 3 }

local function wrong(place, what, got)
  local shown = type(got)
  if shown == "number" or shown == "boolean" or (shown == "string" and #got <= 40) then shown = tostring(got) end
  error("resolve returned " .. place .. what .. ", got " .. shown, 0)
end

local function unit_or_nan(place, name, number)
  if number == nil then return 0 / 0 end
  if type(number) ~= "number" or not (number >= 0 and number <= 1) then
    wrong(place, name .. " that is not a number within 0 and 1", number)
  end
  return number
end

local function read_judgement(slot, place, said)
  local winner = said.winner
  if winner == nil then
    slot.winner = -1
  elseif type(winner) == "number" and winner >= 1 and winner <= frame.rows_count and winner == floor(winner) then
    slot.winner = winner - 1
  else
    slot.winner = row_of(winner) or wrong(place,
      "a winner that is neither a candidate nor the number of one (1 to " .. frame.rows_count .. ")", winner)
  end
  slot.confidence = unit_or_nan(place, "a confidence", said.confidence)
  slot.conflict_score = unit_or_nan(place, "a conflict_score", said.conflict_score)
  local status = said.status
  if status == nil then
    slot.agreement = -1
  else
    slot.agreement = AGREEMENTS[status] or wrong(place, "a status that is not none, unanimous, agreed or contested", status)
  end
  local weights = said.weights
  if weights == nil then
    slot.has_weights = 0
    return
  end
  if type(weights) ~= "table" then wrong(place, "weights that are not a table", weights) end
  slot.has_weights = 1
  local values, total = frame.values_count, 0
  for v = 1, values do
    local weight = weights[v] or 0
    if type(weight) ~= "number" or not (weight >= 0 and weight < huge) then
      wrong(place, "a weight for value " .. v .. " that is not a finite number of 0 or more", weight)
    end
    slot.weights[v - 1], total = weight, total + weight
  end
  if total == huge then wrong(place, "weights that have no finite sum, and so no shares", total) end
  if weights[values + 1] ~= nil then wrong(place, "more weights than the " .. values .. " values", weights[values + 1]) end
end

-- Whether all of them name a winner.
local function read_layers(layers)
  if type(layers) ~= "table" then wrong("", "layers that are not a table", layers) end
  local count = #layers
  if count > 6 then wrong("", "more than 6 layers", count) end
  local before, name_winners = -1, true
  for i = 1, count do
    local place, layer, slot = "layer " .. i .. " with ", layers[i], frame.judgements + i
    if type(layer) ~= "table" then wrong("", "a layer that is not a table", layer) end
    local tier = layer.tier
    if type(tier) ~= "number" or not (tier > before and tier <= 5 and tier == floor(tier)) then
      wrong(place, "a tier that is not within 0 and 5, ascending", tier)
    end
    before = tier
    slot.tier = tier
    read_judgement(slot, place, layer)
    if slot.winner < 0 then
      name_winners = false
    elseif frame.rows[slot.winner].tier ~= tier then
      wrong(place, "a winner of another tier", slot.winner + 1)
    end
  end
  frame.layers_count = count
  return name_winners
end

return function(said, reason, is_thorough)
  frame.layers_count, frame.declined = 0, 0
  if said == nil then
    frame.declined = 1
    if reason ~= nil and type(reason) ~= "string" then wrong("", "nil and a reason that is not a string", reason) end
    return reason
  end
  if type(said) ~= "table" then wrong("", "something that is not a table (or nil and a reason)", said) end
  local names_winner = said.winner ~= nil
  read_judgement(frame.judgements + 0, "", said)
  if said.layers ~= nil then names_winner = read_layers(said.layers) and names_winner end
  local explain, details, notes = said.explain, said.details, said.notes
  if explain ~= nil and type(explain) ~= "string" then wrong("", "an explain that is not a string", explain) end
  if details ~= nil and type(details) ~= "table" then wrong("", "details that are not a table", details) end
  -- What the lens made of single claims: for questions that ask to explain.
  if notes ~= nil and type(notes) ~= "table" then wrong("", "notes that are not a table", notes) end
  if names_winner and not is_thorough then return explain, details, notes end
  return explain, details, notes, said
end
