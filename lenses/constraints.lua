-- SPDX-License-Identifier: Apache-2.0
--- Constraints: what must be used, what is forbidden, what is preferred. A constraint's predicate is its kind, a colon and
--- what it is about: must_use:…, forbidden:…, prefer:…. Its values are listed by confidence, each by that of its most
--- confident claim; the first leads, a tie goes to the smaller id. What else is claimed of a concept is no constraint, and
--- is left without an answer.
local KINDS = { must_use = true, forbidden = true, prefer = true }

-- Others that `details` lists, and bytes for them: it has room for 16 KiB, and a byte may take six in JSON.
local OTHERS, ROOM, TEXT = 32, 15000, 200

local function kind_and_name(predicate)
  local colon = predicate:find(":", 1)
  local kind = colon and predicate:sub(1, colon - 1)
  if KINDS[kind] then return kind, predicate:sub(colon + 1) end
end

local function is_stronger(a, b)
  local x, y = a.effective_confidence, b.effective_confidence
  return x > y or (x == y and steme.smaller_id(a, b))
end

-- By value, the number of its most confident claim and that confidence.
local function strongest_by_value(candidates)
  local strongest, weights = {}, {}
  for i = 1, #candidates do
    local c = candidates[i]
    local value = c.value_index
    local before = strongest[value]
    if not before or is_stronger(c, candidates[before]) then
      strongest[value], weights[value] = i, c.effective_confidence
    end
  end
  return strongest, weights
end

-- The first of the values, most confident first, by the numbers of their claims.
local function first_of(strongest, candidates)
  local first = {}
  for value = 1, #strongest do
    local number, at = strongest[value], #first
    while at > 0 and is_stronger(candidates[number], candidates[first[at]]) do at = at - 1 end
    if at <= OTHERS then
      table.insert(first, at + 1, number)
      first[OTHERS + 2] = nil
    end
  end
  return first
end

local function others(first, candidates)
  local list, room = {}, ROOM
  for i = 2, #first do
    local c = candidates[first[i]]
    local value = c.value
    if type(value) == "string" and #value > TEXT then value = value:sub(1, TEXT) .. "…" end
    room = room - 80 - 6 * #tostring(value)
    if room < 0 then break end
    list[i - 1] = { value = value, confidence = c.effective_confidence }
  end
  return list
end

return {
  kind = "lens", api = 1, name = "constraints", version = "1.0.0",
  description = "What must be used, is forbidden or preferred: the values of such predicates by confidence, others unanswered.",

  resolve = function(ctx, candidates)
    local kind, name = kind_and_name(ctx.predicate)
    if not kind then return nil, "no constraint: the predicates of those begin with must_use:, forbidden: or prefer:" end
    local strongest, weights = strongest_by_value(candidates)
    local first = first_of(strongest, candidates)
    local details = { kind = kind, name = name }
    if #strongest > 1 then
      details.others = others(first, candidates)
      local left = #strongest - 1 - #details.others
      if left > 0 then details.others_not_listed = left end
    end
    return {
      winner = first[1], weights = weights, details = details,
      explain = kind .. " " .. name .. ": " .. (#strongest == 1 and "the only value" or "the most confident of " .. #strongest
        .. " values") .. ", at " .. candidates[first[1]].effective_confidence,
    }
  end,
}
