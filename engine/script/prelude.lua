-- SPDX-License-Identifier: Apache-2.0
-- The trusted first chunk of every script's Lua state. It has all of LuaJIT, ffi included; it builds the little world
-- that a script sees and keeps the rest to itself. Called once, by state.cc:
--
--   adopt, run, param_values, ffi = prelude(address of the CallFrame, the chunk of steme.lua,
--                                           address of the PolicyFrame, the chunk of policy.lua)
--
-- and by prompt.cc, which takes `safe`, FIELDS and the way to the fuel of what is typed as well.
--
-- Time: the script's chunk comes with fuel steps (instrument.h). What a script can call here takes at
-- most as long as reading a text of 64 KiB once, or else it pays by what it does: `charge` takes from the script's own
-- fuel. One unit, eight of a step's, may take 20 µs.
--
-- How a script sees claims: `candidates` and each candidate are cdata of structs without a single pointer in them, all
-- fields const. A candidate is (row number, call number); reading a field checks both against the CallFrame and then
-- reads the row in place. LuaJIT gives a struct's own fields to whoever names them, so C++ puts random digits for SECRET
-- into their names: else a script could count its calls.
-- So nothing is copied that isn't touched, a candidate kept from an earlier call gives an
-- error instead of stale memory, and the trace compiler removes the objects altogether in hot loops.
local address, steme_chunk, policy_address, policy_chunk = ...

local ffi = require("ffi")
local bit = require("bit")
local table_new = require("table.new")
local error, type, tostring, tonumber, select, setfenv = error, type, tostring, tonumber, select, setfenv
local pcall, xpcall = pcall, xpcall
local setmetatable, getmetatable, newproxy, next, ipairs = setmetatable, getmetatable, newproxy, next, ipairs
local floor, huge, min = math.floor, math.huge, math.min
local string_char, string_find, string_format, string_rep = string.char, string.find, string.format, string.rep
local string_byte, string_sub = string.byte, string.sub
local table_concat, table_insert, table_remove = table.concat, table.insert, table.remove
local getinfo = debug.getinfo
local ffi_string, istype = ffi.string, ffi.istype

-- In step with candidate.h and call_frame.h.
ffi.cdef [[
typedef struct {
  double confidence, effective_confidence, weight, number;
  int64_t timestamp_ms, valid_from_ms, valid_to_ms;
  uint64_t sequence;
  char *value_text, *source_id, *epoch;
  uint8_t *id, *agent_id;
  uint32_t value_text_size, source_id_size, epoch_size, value_index, voice_index;
  uint8_t value_kind, tier, lifecycle, anonymous;
} steme_row;

typedef struct {
  double confidence, conflict_score;
  double *weights;
  int32_t winner, agreement, tier, has_weights;
} steme_judgement;

typedef struct {
  int32_t starts[9], sizes[9];
  const char error[184];
} steme_match;

typedef struct steme_frame {
  steme_row *rows;
  uint32_t *first_claims;
  double *voices;
  double now_ms;
  uint32_t rows_count, values_count, voices_count, call, layers_count, declined;
  void (*hex)(uint8_t *id, char *out);
  int (*compare_ids)(uint8_t *a, uint8_t *b);
  void (*count_voices)(struct steme_frame *frame);
  double (*decay)(double confidence, double age_ms, double half_life_days);
  double (*tick)(struct steme_frame *frame);
  int32_t (*find)(const char *text, uint32_t size, uint32_t from, const char *what, uint32_t what_size);
  int32_t (*match)(struct steme_frame *frame, const char *text, uint32_t size, const char *pattern,
    uint32_t pattern_size, uint32_t from);
  void *state;
  uint32_t text_bytes, stopped_line;
  steme_judgement judgements[7];
  steme_match matched;
} steme_frame;

typedef struct candidate { const uint32_t row_SECRET; const uint32_t call_SECRET; } steme_candidate;
typedef struct candidates { const uint32_t candidates_SECRET; } steme_candidates;
]]
local frame = ffi.cast("steme_frame *", address)

local function read_only() error("read-only: a script can't change its arguments or globals", 2) end

-- A table that scripts can read and not change. Userdata rather than a table with a metatable, because table.insert
-- writes past metatables.
local function sealed(contents)
  local proxy = newproxy(true)
  local meta = getmetatable(proxy)
  meta.__index, meta.__newindex, meta.__metatable = contents, read_only, false
  return proxy
end

-- Time ---------------------------------------------------------------------------------------------------------------

-- What the names in the first line of a rewritten script stand for (instrument.h), and how to take from its fuel.
local script_source
local take, fill = function() return 1 end, function() end  -- for a script without steps
local function link(script_take, script_fill) take, fill = script_take, script_fill end
-- Once C++ says stop it always does, and the fuel stays below 0: whatever the script catches, its next step is here
-- again. C++ fails the call whatever the script returns.
local function tick()
  local fuel = frame.tick(frame)
  if fuel >= 0 then return fill(fuel) end
  for level = 2, 16 do
    local info = frame.stopped_line == 0 and getinfo(level, "Sl")
    if not info then break end
    if info.source == script_source then frame.stopped_line = info.currentline end
  end
  error("stopped: the script's time is over", 0)
end
local function charge(units)
  if take(8 * units) < 0 then tick() end
end

-- Texts end at 64 KiB, like the values of claims. Up to 16 KiB is the rule; with every longer one the script asks for fuel
-- in smaller rations from then on, since its operators may take longer. Called before such a text is made.
local TEXT_LIGHT, TEXT_MAX = 16384, 65536
local function making(bytes, what, level)
  if bytes <= TEXT_LIGHT or bytes <= frame.text_bytes then return end
  if bytes > TEXT_MAX then error(what .. ": the text would be longer than 64 KiB", level + 1) end
  frame.text_bytes = bytes
  charge(1e9)
end

-- Candidates ---------------------------------------------------------------------------------------------------------

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

local FIELDS = {
  confidence = function(row) return row.confidence end,
  effective_confidence = function(row) return row.effective_confidence end,
  weight = function(row) return row.weight end,
  timestamp = function(row) return tonumber(row.timestamp_ms) end,
  valid_from = function(row) return moment(row.valid_from_ms) end,
  valid_to = function(row) return moment(row.valid_to_ms) end,
  sequence = function(row) return tonumber(row.sequence) end,
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
local function unknown_field(key) error("a candidate has no field '" .. tostring(key) .. "'", 2) end

local Candidate = ffi.metatype("steme_candidate", {
  __index = function(candidate, key)
    local read = FIELDS[key]
    if not read then return unknown_field(key) end
    if candidate.call_SECRET ~= frame.call or candidate.row_SECRET >= frame.rows_count then return stale() end
    return read(frame.rows + candidate.row_SECRET)
  end,
  __newindex = read_only,
  __eq = function(a, b)
    return istype("steme_candidate", a) and istype("steme_candidate", b)
      and a.row_SECRET == b.row_SECRET and a.call_SECRET == b.call_SECRET
  end,
  __tostring = function() return "candidate" end,
  __metatable = false,
})

local Candidates = ffi.metatype("steme_candidates", {
  __index = function(_, i)
    if type(i) == "number" and i >= 1 and i <= frame.rows_count and i == floor(i) then
      return Candidate(i - 1, frame.call)
    end
    return nil
  end,
  __newindex = read_only,
  __len = function() return frame.rows_count end,
  __tostring = function() return "candidates" end,
  __metatable = false,
})
local candidates = Candidates(0)

-- The world of a script ----------------------------------------------------------------------------------------------

-- Keys have one order, numbers before strings before booleans, so that a traversal doesn't depend on where things lie
-- in memory and a replay gives the same answer to the last bit.
local RANK = { number = 1, string = 2, boolean = 3 }
local function key_less(a, b)
  local ta, tb = type(a), type(b)
  if ta ~= tb then return RANK[ta] < RANK[tb] end
  if ta == "boolean" then return not a and b end
  return a < b
end
local function check_traversal(t, what)
  if type(t) ~= "table" then error(what .. " wants a table, got " .. type(t), 3) end
end

-- Sorts list[1..n] by runs of doubled length, each comparison paid for: stable, n log n whatever `less` says, compiled
-- together with it. The list itself changes at the end, when nothing can go wrong any more.
-- A list with room for n. Of a large one the room is a power of two, since the allocator takes a large block of another
-- size for a text (state.cc).
local function list_for(n)
  if n <= 1024 then return table_new(n, 0) end
  return table_new(n <= 2048 and 2048 or 4096, 0)
end

local function merge(from, to, low, middle, high, less)
  local a, b = low, middle
  for at = low, high - 1 do
    charge(1)
    if a < middle and (b >= high or not less(from[b], from[a])) then
      to[at] = from[a]
      a = a + 1
    else
      to[at] = from[b]
      b = b + 1
    end
  end
end
local function merge_sort(list, n, less)
  local from, to, width = list_for(n), list_for(n), 1
  for at = 1, n do from[at] = list[at] end
  while width < n do
    for low = 1, n, 2 * width do
      merge(from, to, low, min(low + width, n + 1), min(low + 2 * width, n + 1), less)
    end
    from, to, width = to, from, 2 * width
  end
  for at = 1, n do list[at] = from[at] end
end

-- However little is in it a table may be large: walking it is always paid for by the clock.
local function sorted_keys(t)
  local keys, n = {}, 0
  charge(1e9)
  for key in next, t do
    if not RANK[type(key)] then error("pairs: a " .. type(key) .. " as a key has no order", 3) end
    n = n + 1
    keys[n] = key
    if n % 1024 == 0 then charge(1e9) end
  end
  merge_sort(keys, n, key_less)
  return keys
end

local safe = {
  assert = assert, select = select, tonumber = tonumber, type = type,
  unpack = unpack,
}
-- A far level would walk a deep stack.
function safe.error(message, level)
  if level == nil then level = 1 end
  if type(level) ~= "number" then error("error wants a number as level, got " .. type(level), 2) end
  error(message, level >= 1 and min(level, 8) + 1 or 0)
end
-- How deep a call goes before the stack is full, and how much fits into memory, depends on what was compiled and
-- collected: an answer must not follow from it, so these two can't be caught.
local function is_exhausted(message)
  return type(message) == "string" and (string_find(message, "stack overflow", 1, true)
    or string_find(message, "not enough memory", 1, true) or message == "error in error handling")
end
local function unless_exhausted(ok, message, ...)
  if not ok and is_exhausted(message) then error(message, 0) end
  return ok, message, ...
end
function safe.pcall(...) return unless_exhausted(pcall(...)) end
function safe.xpcall(f, handler, ...)
  local caught
  local function watch(message)
    if is_exhausted(message) then
      caught = message
      return message
    end
    return handler(message)
  end
  local function finish(...)
    if caught then error(caught, 0) end
    return unless_exhausted(...)
  end
  return finish(xpcall(f, watch, ...))
end
function safe.tostring(value)
  local kind = type(value)
  if kind == "table" or kind == "function" or kind == "userdata" or kind == "thread" then return kind end
  return tostring(value)  -- cdata: numbers like 1LL, and ours, which say what they are
end
function safe.pairs(t)
  check_traversal(t, "pairs")
  local keys, i = sorted_keys(t), 0
  return function()
    i = i + 1
    local key = keys[i]
    if key ~= nil then return key, t[key] end
  end
end
function safe.next(t, after)
  check_traversal(t, "next")
  local found, n = nil, 0
  charge(1e9)
  for key in next, t do
    if not RANK[type(key)] then error("next: a " .. type(key) .. " as a key has no order", 2) end
    n = n + 1
    if n % 64 == 0 then charge(64) end
    if (after == nil or key_less(after, key)) and (found == nil or key_less(key, found)) then found = key end
  end
  if found ~= nil then return found, t[found] end
  return nil
end
local function next_candidate(_, i)
  if i < frame.rows_count then return i + 1, Candidate(i, frame.call) end
end
function safe.ipairs(t)
  if istype("steme_candidates", t) then return next_candidate, t, 0 end
  if type(t) ~= "table" then error("ipairs wants a table or the candidates, got " .. type(t), 2) end
  return ipairs(t)
end

-- Strings. No Lua patterns: they backtrack without bound; steme.match has patterns that don't.
local CONVERSIONS = "cdiouxXeEfgGaqs%"
local strings = {
  byte = string_byte, len = string.len, lower = string.lower, upper = string.upper,
  reverse = string.reverse, sub = string_sub,
}
-- Where a search that is to begin at `from` begins, as an offset in bytes.
local function offset_of(from, size, what)
  if from == nil then return 0 end
  if type(from) ~= "number" then error(what .. " wants a number to begin at, got " .. type(from), 3) end
  if from < 0 then from = from + size + 1 end
  if from ~= from or from <= 1 then return 0 end
  return min(floor(from) - 1, size)
end
function strings.find(text, what, from)
  if type(text) ~= "string" or type(what) ~= "string" then error("string.find wants two strings", 2) end
  local bytes = #text + #what
  if bytes > 1024 then charge(bytes / 4096) end
  local at = frame.find(text, #text, offset_of(from, #text, "string.find"), what, #what)
  if at < 0 then return nil end
  return at + 1, at + #what
end
-- A function of any number of numbers, that would read texts as numbers, however many and long.
local function of_numbers(name, f)
  local function check(kind)
    if kind == "string" then error(name .. " wants numbers, got text: tonumber() makes one of it", 3) end
  end
  return function(a, b, ...)
    local more = select("#", ...)
    check(type(a))
    check(type(b))
    if more == 0 then
      if b == nil then return f(a) end
      return f(a, b)
    end
    if more <= 8 then
      for i = 1, more do check(type((select(i, ...)))) end
    else
      local rest = { ... }
      for i = 1, more do check(type(rest[i])) end
    end
    return f(a, b, ...)
  end
end
do
  local char = of_numbers("string.char", string_char)
  function strings.char(...)
    if select("#", ...) == 0 then return "" end
    return char(...)
  end
end
function strings.rep(text, times, separator)
  separator = separator or ""
  if type(text) ~= "string" or type(times) ~= "number" or type(separator) ~= "string" then
    error("string.rep wants a string, a number and perhaps a separator", 2)
  end
  if times ~= times then error("string.rep: not a number of times", 2) end
  making(times <= TEXT_MAX and times * (#text + #separator) or times, "string.rep", 2)
  return string_rep(text, times, separator)
end
function strings.format(form, ...)
  if type(form) ~= "string" or #form > 4096 then error("string.format wants a format of at most 4096 bytes", 2) end
  local at, bytes, numbers = 1, #form, 0
  while true do
    local _, stop, conversion = string_find(form, "%%[-+ #0]*%d*%.?%d*(.?)", at)
    if not stop then break end
    if conversion == "" or not string_find(CONVERSIONS, conversion, 1, true) then
      error("string.format: no such conversion '%" .. conversion .. "'", 2)
    end
    at, numbers = stop + 1, numbers + 1
  end
  if select("#", ...) > 250 then error("string.format takes at most 250 values", 2) end
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    local kind = type(value)
    if kind == "string" then bytes = bytes + #value end
    if kind ~= "string" and kind ~= "number" and kind ~= "boolean" and kind ~= "nil" then
      error("string.format takes strings, numbers and booleans, got a " .. kind, 2)
    end
  end
  if numbers > 8 or bytes > 1024 then charge(numbers / 4 + bytes / 1024) end
  -- %f of a large number makes some 400 bytes. What that comes to isn't known, the allocator has the last word.
  making(bytes > TEXT_MAX and bytes or min(bytes + 410 * numbers, TEXT_MAX), "string.format", 2)
  return string_format(form, ...)
end
getmetatable("").__index = strings
getmetatable("").__metatable = false

local tables = {}
function tables.concat(t, separator, first, last)
  if separator == nil then separator = "" end
  if first == nil then first = 1 end
  if type(t) ~= "table" then error("table.concat wants a table, got " .. type(t), 2) end
  if last == nil then last = #t end
  if type(separator) ~= "string" or type(first) ~= "number" or type(last) ~= "number" then
    error("table.concat wants a table, a separator and two numbers", 2)
  end
  if first ~= floor(first) then error("table.concat wants whole numbers, got " .. first, 2) end
  local bytes, numbers = 0, 0
  for at = first, last do
    local item = t[at]
    local kind = type(item)
    if kind == "string" then
      bytes = bytes + #item + #separator
    elseif kind == "number" then
      bytes, numbers = bytes + 1 + #separator, numbers + 1
    else
      error("table.concat: item " .. at .. " is a " .. kind .. ": strings and numbers make text", 2)
    end
    if bytes - #separator > TEXT_MAX then error("table.concat: the text would be longer than 64 KiB", 2) end
    if at % 1024 == 0 then charge(1e9) end
  end
  charge(numbers / 64 + bytes / 1024)
  making(min(bytes + 24 * numbers, TEXT_MAX), "table.concat", 2)
  return table_concat(t, separator, first, last)
end
function tables.remove(t, at)
  if type(t) ~= "table" then error("table.remove wants a table, got " .. type(t), 2) end
  if at == nil then return table_remove(t) end
  if type(at) ~= "number" then error("table.remove wants a number, got " .. type(at), 2) end
  charge(#t / 256)
  return table_remove(t, at)
end
local function ascending(a, b) return a < b end
function tables.sort(t, less)
  if type(t) ~= "table" then error("table.sort wants a table, got " .. type(t), 2) end
  if less ~= nil and type(less) ~= "function" then error("table.sort wants a function, got " .. type(less), 2) end
  merge_sort(t, #t, less or ascending)
end
function tables.insert(t, a, ...)
  if type(t) ~= "table" then error("table.insert wants a table, got " .. type(t), 2) end
  local extra = select("#", ...)
  if extra == 0 then return table_insert(t, a) end
  if extra ~= 1 or type(a) ~= "number" or not (a >= 1 and a <= #t + 1) then
    error("table.insert: the position must be within 1 and #t + 1", 2)
  end
  charge(#t / 256)
  return table_insert(t, a, (...))
end

local maths = {}
for name, value in next, math do
  if name ~= "random" and name ~= "randomseed" then maths[name] = value end
end
-- Of a constant exponent 2 the trace compiler makes x * x, which can differ from the interpreter's pow in the last bit.
function maths.pow(x, y)
  if y == 2 then return x * x end
  return x ^ y
end
for _, name in ipairs({ "max", "min" }) do maths[name] = of_numbers("math." .. name, math[name]) end
local bits = {}
for name, value in next, bit do bits[name] = value end
for _, name in ipairs({ "band", "bor", "bxor" }) do bits[name] = of_numbers("bit." .. name, bit[name]) end

-- Helpers ------------------------------------------------------------------------------------------------------------

-- steme.lua works on any sequence of candidates; for the question's own, whole, the engine knows the answer already.
setfenv(steme_chunk, { math = math })
if policy_chunk then
  setfenv(policy_chunk, { error = error, type = type, tostring = tostring, string = { find = string_find } })
end
local steme = steme_chunk()
local context
local generic_voices, generic_leader, generic_weights = steme.voices, steme.leader, steme.weights
local generic_by_value, generic_total, generic_conflict = steme.by_value, steme.total, steme.conflict

-- steme.lua has no steps: its loops are as long as the list, which is bounded and paid for here.
local LIST_MAX = 65536
local function of_length(n, what)
  if type(n) ~= "number" then error(what .. " wants a number of values, got " .. type(n), 3) end
  if n > 64 then
    if n > LIST_MAX and n > frame.rows_count then error(what .. ": a list of more than 65536, and than there are claims", 3) end
    charge(n / 16)
  end
end
function steme.by_value(claims)
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
    of_length(#claims, "steme.voices")
    return generic_voices(claims)
  end
  if context.candidates_count > 256 then charge(context.candidates_count / 256) end
  frame.count_voices(frame)
  local values = frame.values_count
  local voices = list_for(values)
  for v = 1, values do voices[v] = frame.voices[v - 1] end
  return voices
end
function steme.weights(claims, count)
  if not istype("steme_candidates", claims) then
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
    of_length(#claims, "steme.leader")
    return generic_leader(claims, weights)
  end
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
  return best and best + 1
end
local function live(c)
  return istype("steme_candidate", c) and c.call_SECRET == frame.call and c.row_SECRET < frame.rows_count
end
function steme.smaller_id(a, b)
  if not live(a) or not live(b) then error("steme.smaller_id wants two candidates of this call", 2) end
  return frame.compare_ids(frame.rows[a.row_SECRET].id, frame.rows[b.row_SECRET].id) < 0
end

-- Patterns, in linear time (RE2). Called through the frame, with what C++ found in frame.matched.
local function group(text, i)
  local matched = frame.matched
  local start = matched.starts[i]
  if start < 0 then return nil end
  return string_sub(text, start + 1, start + matched.sizes[i])
end
local function match_at(text, pattern, from, what)
  local groups = frame.match(frame, text, #text, pattern, #pattern, from)
  charge(1e9)  -- it may have taken long
  if groups < 0 then error(what .. ": pattern '" .. pattern .. "' " .. ffi_string(frame.matched.error), 3) end
  return groups
end
local function groups_from(text, i, groups)
  if i == groups - 1 then return group(text, i) end
  return group(text, i), groups_from(text, i + 1, groups)
end
function steme.match(text, pattern, from)
  if type(text) ~= "string" or type(pattern) ~= "string" then error("steme.match wants a text and a pattern", 2) end
  local groups = match_at(text, pattern, offset_of(from, #text, "steme.match"), "steme.match")
  if groups == 0 then return nil end
  return groups_from(text, min(1, groups - 1), groups)
end
function steme.find_all(text, pattern)
  if type(text) ~= "string" or type(pattern) ~= "string" then error("steme.find_all wants a text and a pattern", 2) end
  local list, n, from = {}, 0, 0
  while from <= #text do
    local groups = match_at(text, pattern, from, "steme.find_all")
    if groups == 0 then break end
    n = n + 1
    list[n] = group(text, min(1, groups - 1)) or ""
    local start, size = frame.matched.starts[0], frame.matched.sizes[0]
    from = start + size
    if size == 0 then  -- go on behind the next character
      repeat
        from = from + 1
        local byte = string_byte(text, from + 1) or 0
      until byte < 128 or byte >= 192
    end
  end
  return list
end

function steme.decay(confidence, age_ms, half_life_days) return frame.decay(confidence, age_ms, half_life_days) end

safe.string, safe.table, safe.math, safe.bit, safe.steme =
  sealed(strings), sealed(tables), sealed(maths), sealed(bits), sealed(steme)

local function lacks(what)
  return { __index = function(_, key) error(what .. " '" .. tostring(key) .. "'", 2) end }
end
local param_values = setmetatable({}, lacks("the script describes no parameter"))
context = setmetatable({ params = sealed(param_values) }, lacks("ctx has no field"))
local ctx = sealed(context)

-- What the script said ------------------------------------------------------------------------------------------------

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
    wrong(place, "a winner that is not the number of a candidate (1 to " .. frame.rows_count .. ")", winner)
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

local function read_layers(layers)
  if type(layers) ~= "table" then wrong("", "layers that are not a table", layers) end
  local count = #layers
  if count > 6 then wrong("", "more than 6 layers", count) end
  local before = -1
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
    if slot.winner >= 0 and frame.rows[slot.winner].tier ~= tier then
      wrong(place, "a winner of another tier", layer.winner)
    end
  end
  frame.layers_count = count
end

local resolve
-- One call of a policy; nil for a lens.
local judge_policy

-- What the lens made of single claims: for questions that ask to explain. C++ looks at the entries.
local function read_notes(said)
  local notes = said.notes
  if notes ~= nil and type(notes) ~= "table" then wrong("", "notes that are not a table", notes) end
  return notes
end

-- One call: C++ has filled the frame and params. Gives explain, details and notes.
local function run(wants_notes)
  if judge_policy then return judge_policy() end
  context.wants_notes = wants_notes
  context.now = frame.now_ms
  context.candidates_count = frame.rows_count
  context.values_count = frame.values_count
  context.voices_count = frame.voices_count
  frame.layers_count, frame.declined = 0, 0
  local said, reason = resolve(ctx, candidates)
  if said == nil then
    frame.declined = 1
    if reason ~= nil and type(reason) ~= "string" then wrong("", "nil and a reason that is not a string", reason) end
    return reason
  end
  if type(said) ~= "table" then wrong("", "something that is not a table (or nil and a reason)", said) end
  read_judgement(frame.judgements + 0, "", said)
  if said.layers ~= nil then read_layers(said.layers) end
  local explain, details = said.explain, said.details
  if explain ~= nil and type(explain) ~= "string" then wrong("", "an explain that is not a string", explain) end
  if details ~= nil and type(details) ~= "table" then wrong("", "details that are not a table", details) end
  return explain, details, read_notes(said)
end

-- Gives a compiled chunk its world, runs it and returns its table.
local function adopt(chunk)
  local world = setmetatable({}, { __index = safe, __newindex = function(_, key)
    error("read-only: global '" .. tostring(key) .. "' can't be set (did you forget 'local'?)", 2)
  end, __metatable = false })
  setfenv(chunk, world)
  script_source = getinfo(chunk, "S").source
  safe["\128t"], safe["\128l"] = tick, link
  local said = chunk()
  if type(said) ~= "table" then error("a script must return a table, got " .. type(said), 0) end
  if said.kind == "policy" and policy_chunk then
    judge_policy = policy_chunk(policy_address, ffi, said, ctx, context, read_only)
  elseif type(said.resolve) == "function" then
    resolve = said.resolve
  end
  return said
end

-- Nothing stays reachable by name, should a way to the real globals ever be found.
local loaded, globals = package.loaded, _G
for name in next, loaded do loaded[name] = nil end
for name in next, globals do globals[name] = nil end

-- The caller anchors ffi: LuaJIT keeps the metatypes in tables that nothing but the library's own functions holds.
return adopt, run, param_values, ffi, safe, FIELDS, link
