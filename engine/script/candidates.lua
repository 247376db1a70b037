-- SPDX-License-Identifier: Apache-2.0
-- How a script sees claims, and the helpers of steme.* that read them in place. Called once, by the prelude:
--
--   candidates, fields, is_candidates, next_candidate, row_of = candidates(given)
--
-- `candidates` and each candidate are cdata of structs without a single pointer in them, all fields const. A candidate is
-- (row number, call number); reading a field checks both against the CallFrame and then reads the row in place. LuaJIT
-- gives a struct's own fields to whoever names them, so C++ puts random digits for SECRET into their names: else a script
-- could count its calls. So nothing is copied that isn't touched, a candidate kept from an earlier call gives an error
-- instead of stale memory, and the trace compiler removes the objects altogether in hot loops.
local given = ...
local error, type, tonumber = error, type, tonumber
local floor, huge, min = math.floor, math.huge, math.min
local ffi, frame, steme = given.ffi, given.frame, given.steme
local charge, making, list_for, read_only = given.charge, given.making, given.list_for, given.read_only
local key_text, check_claims = given.key_text, given.check_claims
local TEXT_LIGHT, TEXT_MAX = given.TEXT_LIGHT, given.TEXT_MAX
local ffi_string, istype = ffi.string, ffi.istype

ffi.cdef [[
typedef struct candidate { const uint32_t row_SECRET; const uint32_t call_SECRET; } steme_candidate;
typedef struct candidates { const uint32_t candidates_SECRET; } steme_candidates;
]]

local hex_buffer = ffi.new("char[64]")
local function hex(bytes)
  frame.hex(bytes, hex_buffer)
  return ffi_string(hex_buffer, 64)
end

local KINDS = { [0] = "text", "number", "boolean", "reference" }
local CLASSES = { [0] = "regulatory", "clinical", "observational", "expert", "community", "anecdotal" }
local LIFECYCLES = { [0] = "proposed", "under_review", "approved", "deprecated", "rejected" }
-- Beyond ±2^53 the moment is "absent" (valid_from, valid_to).
local function moment(ms)
  local number = tonumber(ms)
  if number > -0x1p53 and number < 0x1p53 then return number end
  return nil
end

-- What reads each: from the row, and from its place.
local FIELDS = {
  number = function(_, at) return at + 1 end,
  confidence = function(row) return row.confidence end,
  effective_confidence = function(row) return row.effective_confidence end,
  weight = function(row) return row.weight end,
  timestamp = function(row) return tonumber(row.timestamp_ms) end,
  valid_from = function(row) return moment(row.valid_from_ms) end,
  valid_to = function(row) return moment(row.valid_to_ms) end,
  sequence = function(row) return tonumber(row.sequence) end,
  trust = function(row) return row.trust end,
  derived_trust = function(row) return row.derived_trust end,
  votes = function(row) return row.votes end,
  vote_weight = function(row) return row.vote_weight end,
  epoch_superseded = function(row) return row.epoch_superseded ~= 0 end,
  tier = function(row) return row.tier end,
  value_index = function(row) return row.value_index + 1 end,
  voice_index = function(row) return row.voice_index + 1 end,
  value_kind = function(row) return KINDS[row.value_kind] end,
  source_class = function(row) return CLASSES[row.tier] end,
  lifecycle = function(row) return LIFECYCLES[row.lifecycle] end,
  source = function(row) return ffi_string(row.source_id, row.source_id_size) end,
  epoch = function(row)
    if row.epoch_size == 0 then return nil end
    return ffi_string(row.epoch, row.epoch_size)
  end,
  id = function(row) return hex(row.id) end,
  agent = function(row)
    if row.anonymous ~= 0 then return nil end
    return hex(row.agent_id)
  end,
  value = function(row)
    local kind = row.value_kind
    if kind == 1 then return row.number end
    if kind == 2 then return row.number ~= 0 end
    if row.value_text_size > TEXT_LIGHT then making(min(row.value_text_size, TEXT_MAX), "value", 1) end
    return ffi_string(row.value_text, row.value_text_size)
  end,
}

-- Tail-called, so that level 2 is the script.
local function stale() error("this candidate belongs to an earlier call: keep its fields, not the candidate", 2) end
local function unknown_field(key) error("a candidate has no field '" .. key_text(key) .. "'", 2) end

local Candidate = ffi.metatype("steme_candidate", {
  __index = function(candidate, key)
    local read = FIELDS[key]
    if not read then return unknown_field(key) end
    if candidate.call_SECRET ~= frame.call or candidate.row_SECRET >= frame.rows_count then return stale() end
    -- No tail call: the trace compiler takes only some fifteen of them in one trace.
    local value = read(frame.rows + candidate.row_SECRET, candidate.row_SECRET)
    return value
  end,
  __newindex = read_only,
  __eq = function(a, b)
    return istype("steme_candidate", a) and istype("steme_candidate", b)
      and a.row_SECRET == b.row_SECRET and a.call_SECRET == b.call_SECRET
  end,
  __tostring = function() return "candidate" end,
  __metatable = false,
})

-- The row of a candidate of this call; nil for anything else.
local function row_of(c)
  if istype("steme_candidate", c) and c.call_SECRET == frame.call and c.row_SECRET < frame.rows_count then
    return c.row_SECRET
  end
  return nil
end

-- A claim stands in its own place: who looks up what a helper found need not know whether that is a number.
local Candidates = ffi.metatype("steme_candidates", {
  __index = function(_, i)
    if type(i) == "number" and i >= 1 and i <= frame.rows_count and i == floor(i) then
      return Candidate(i - 1, frame.call)
    end
    if row_of(i) then return i end
    return nil
  end,
  __newindex = read_only,
  __len = function() return frame.rows_count end,
  __tostring = function() return "candidates" end,
  __metatable = false,
})
local candidates = Candidates(0)
local function is_candidates(value) return istype("steme_candidates", value) end
local function next_candidate(_, i)
  if i < frame.rows_count then return i + 1, Candidate(i, frame.call) end
end

-- Helpers ------------------------------------------------------------------------------------------------------------

-- steme.lua works on any sequence of candidates; for the question's own, whole, the engine knows the answer already.
local generic_voices, generic_leader, generic_weights = steme.voices, steme.leader, steme.weights
local generic_by_value, generic_total, generic_conflict = steme.by_value, steme.total, steme.conflict

-- steme.lua has no steps: its loops are as long as the list, which is bounded and paid for here.
local LIST_MAX = 65536
local function of_length(n, what)
  if type(n) ~= "number" then error(what .. " wants a number of values, got " .. type(n), 3) end
  if n > 64 then
    if n > LIST_MAX and n > frame.rows_count then
      error(what .. ": a list of more than 65536, and than there are claims", 3)
    end
    charge(n / 16)
  end
end
function steme.by_value(claims)
  check_claims(claims, "steme.by_value")
  of_length(#claims, "steme.by_value")
  return generic_by_value(claims)
end
function steme.total(weights, values)
  of_length(values, "steme.total")
  return generic_total(weights, values)
end
function steme.conflict(weights, values)
  of_length(values, "steme.conflict")
  return generic_conflict(weights, values)
end
function steme.voices(claims)
  if not istype("steme_candidates", claims) then
    check_claims(claims, "steme.voices")
    of_length(#claims, "steme.voices")
    return generic_voices(claims)
  end
  if frame.rows_count > 256 then charge(frame.rows_count / 256) end
  frame.count_voices(frame)
  local values = frame.values_count
  local voices = list_for(values)
  for v = 1, values do voices[v] = frame.voices[v - 1] end
  return voices
end
function steme.weights(claims, count)
  if not istype("steme_candidates", claims) then
    check_claims(claims, "steme.weights")
    of_length(#claims, "steme.weights")
    return generic_weights(claims, count)
  end
  local values = frame.values_count
  local weights = list_for(values)
  for v = 1, values do weights[v] = 0 end
  local last = min(count or huge, frame.rows_count)
  if last > 256 then charge(last / 256) end
  for i = 0, last - 1 do
    local row = frame.rows + i
    local v = row.value_index + 1
    weights[v] = weights[v] + row.weight
  end
  return weights
end
function steme.leader(claims, weights)
  if not istype("steme_candidates", claims) then
    check_claims(claims, "steme.leader")
    of_length(#claims, "steme.leader")
    return generic_leader(claims, weights)
  end
  if type(weights) ~= "table" then error("steme.leader wants a list by value, got " .. type(weights), 2) end
  local best, most
  local values = frame.values_count
  if values > 256 then charge(values / 256) end
  for v = 0, values - 1 do
    local weight, first = weights[v + 1], frame.first_claims[v]
    if weight and type(weight) ~= "number" then
      error("steme.leader wants weights that are numbers, got " .. type(weight), 2)
    end
    if weight and (not best or weight > most
        or (weight == most and frame.compare_ids(frame.rows[first].id, frame.rows[best].id) < 0)) then
      best, most = first, weight
    end
  end
  return best and Candidate(best, frame.call)
end
function steme.smaller_id(a, b)
  if not row_of(a) or not row_of(b) then error("steme.smaller_id wants two candidates of this call", 2) end
  return frame.compare_ids(frame.rows[a.row_SECRET].id, frame.rows[b.row_SECRET].id) < 0
end
function steme.decay(confidence, age_ms, half_life_days) return frame.decay(confidence, age_ms, half_life_days) end

return candidates, FIELDS, is_candidates, next_candidate, row_of
