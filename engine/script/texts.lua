-- SPDX-License-Identifier: Apache-2.0
-- The texts of a script: string.* and patterns. Called once, by the prelude:
--
--   strings, match, find_all = texts(given)
--
-- No Lua patterns: they backtrack without bound. steme.match has patterns that don't.
local given = ...
local error, type, select = error, type, select
local floor, min = math.floor, math.min
local string_byte, string_char, string_find, string_format = string.byte, string.char, string.find, string.format
local string_rep, string_sub = string.rep, string.sub
local frame, charge, making, making_results = given.frame, given.charge, given.making, given.making_results
local of_numbers, TEXT_MAX = given.of_numbers, given.TEXT_MAX
local ffi_string = given.ffi.string

local CONVERSIONS = "cdiouxXeEfgGaqs%"
local strings = {
  len = string.len, lower = string.lower, upper = string.upper, reverse = string.reverse, sub = string_sub,
}
-- Where a search that is to begin at `from` begins, as an offset in bytes.
local function offset_of(from, size, what)
  if from == nil then return 0 end
  if type(from) ~= "number" then error(what .. " wants a number to begin at, got " .. type(from), 3) end
  if from < 0 then from = from + size + 1 end
  if from ~= from or from <= 1 then return 0 end
  return min(floor(from) - 1, size)
end
-- Counts what becomes of `from` and `to` only when they are numbers: texts would be read as such, but not here.
function strings.byte(text, from, to)
  if to == nil then return string_byte(text, from) end
  if type(text) == "string" and type(to) == "number" and (from == nil or type(from) == "number") then
    local size, first = #text, from or 1
    if first < 0 then first = first + size + 1 end
    making_results(min(to < 0 and to + size + 1 or to, size) - (first > 1 and first or 1) + 1)
  end
  return string_byte(text, from, to)
end
function strings.find(text, what, from)
  if type(text) ~= "string" or type(what) ~= "string" then error("string.find wants two strings", 2) end
  local bytes = #text + #what
  if bytes > 1024 then charge(bytes / 4096) end
  local at = frame.find(text, #text, offset_of(from, #text, "string.find"), what, #what)
  if at < 0 then return nil end
  return at + 1, at + #what
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

-- Patterns -----------------------------------------------------------------------------------------------------------

-- In linear time (RE2). Called through the frame, with what C++ found in frame.matched.
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
local function match(text, pattern, from)
  if type(text) ~= "string" or type(pattern) ~= "string" then error("steme.match wants a text and a pattern", 2) end
  local groups = match_at(text, pattern, offset_of(from, #text, "steme.match"), "steme.match")
  if groups == 0 then return nil end
  return groups_from(text, min(1, groups - 1), groups)
end
local function find_all(text, pattern)
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

return strings, match, find_all
