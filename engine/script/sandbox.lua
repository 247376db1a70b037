-- SPDX-License-Identifier: Apache-2.0
-- The world of a script but for texts: Lua's own functions, tables and numbers, each bounded or paid for. Called once,
-- by the prelude:
--
--   safe, tables, maths, bits, of_numbers = sandbox(given)
--
-- `safe` is what stands behind a script's globals. Also of the prompt.
local given = ...
local error, type, tostring, tonumber, select = error, type, tostring, tonumber, select
local assert, pcall, xpcall, next, ipairs, unpack = assert, pcall, xpcall, next, ipairs, unpack
local floor, min, string_find = math.floor, math.min, string.find
local table_concat, table_insert, table_remove = table.concat, table.insert, table.remove
local charge, making, making_results, list_for = given.charge, given.making, given.making_results, given.list_for
local is_candidates, next_candidate = given.is_candidates, given.next_candidate
local TEXT_MAX = given.TEXT_MAX

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

local safe = { assert = assert, select = select, tonumber = tonumber, type = type }
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
function safe.ipairs(t)
  if is_candidates(t) then return next_candidate, t, 0 end
  if type(t) ~= "table" then error("ipairs wants a table or the candidates, got " .. type(t), 2) end
  return ipairs(t)
end
function safe.unpack(list, from, to)
  if type(list) ~= "table" then error("unpack wants a table, got " .. type(list), 2) end
  if from == nil then from = 1 end
  if to == nil then to = #list end
  if type(from) ~= "number" or type(to) ~= "number" then error("unpack wants a table and two numbers", 2) end
  making_results(to - from + 1)
  return unpack(list, from, to)
end

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
for name, value in next, given.bit do bits[name] = value end
for _, name in ipairs({ "band", "bor", "bxor" }) do bits[name] = of_numbers("bit." .. name, bits[name]) end

return safe, tables, maths, bits, of_numbers
