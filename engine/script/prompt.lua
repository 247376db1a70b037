-- SPDX-License-Identifier: Apache-2.0
-- The trusted chunk of a prompt's Lua state (prompt.h). Called once, before the prelude takes the libraries away:
--
--   build = prompt()
--   evaluate, complete, names = build(world of the sandbox, fields of a candidate, call, compile, refuel, link, chunks)
--
-- `call(name, json)` asks C++ and gives JSON, or nil and a message. `compile(text)` gives a function, or nil and a
-- message; what it compiles has steps (instrument.h), for which `refuel` gives fuel, or nil: stop. `link` tells the
-- sandbox's functions whose fuel they take. The chunks are
-- `library` and `api` (api.lua). What is typed runs in one world that keeps its globals; below them stand the library's
-- functions, below those the sandbox's.
local error, getmetatable, ipairs, next, pcall, select = error, getmetatable, ipairs, next, pcall, select
local setfenv, setmetatable, tonumber, tostring, type, rawget = setfenv, setmetatable, tonumber, tostring, type, rawget
local debug_getmetatable = debug.getmetatable
local concat, insert, sort = table.concat, table.insert, table.sort
local byte, char, find, format, gmatch, gsub, match, sub =
  string.byte, string.char, string.find, string.format, string.gmatch, string.gsub, string.match, string.sub
local floor, huge = math.floor, math.huge

-- JSON ----------------------------------------------------------------------------------------------------------------

-- What a decoded table remembers for being written again: its metatable, which the sandbox can't see. Objects have
-- `keys`, in the order of the text, of which those that were null have no value; lists have their length, `count`.
-- `view` says how a table is meant to be shown.
local function remembered(value)
  local meta = type(value) == "table" and getmetatable(value)
  return meta and meta.json and meta or nil
end

local ESCAPES = { ["b"] = "\b", ["f"] = "\f", ["n"] = "\n", ["r"] = "\r", ["t"] = "\t" }

local function utf8(code)
  if code < 0x80 then return char(code) end
  if code < 0x800 then return char(0xC0 + floor(code / 0x40), 0x80 + code % 0x40) end
  if code < 0x10000 then
    return char(0xE0 + floor(code / 0x1000), 0x80 + floor(code / 0x40) % 0x40, 0x80 + code % 0x40)
  end
  return char(0xF0 + floor(code / 0x40000), 0x80 + floor(code / 0x1000) % 0x40, 0x80 + floor(code / 0x40) % 0x40,
    0x80 + code % 0x40)
end

local function unescape(text)
  text = gsub(text, "\\u([dD][89abAB]%x%x)\\u([dD][c-fC-F]%x%x)", function(high, low)
    return utf8(0x10000 + (tonumber(high, 16) - 0xD800) * 0x400 + tonumber(low, 16) - 0xDC00)
  end)
  return (gsub(text, "\\(.)(%x?%x?%x?%x?)", function(kind, digits)
    if kind == "u" and #digits == 4 then return utf8(tonumber(digits, 16)) end
    return (ESCAPES[kind] or kind) .. digits
  end))
end

local read_value

local function read_string(text, at)
  local from = at + 1
  local stop = from
  while true do
    stop = find(text, '["\\]', stop)
    if not stop then error("JSON: a string without an end", 0) end
    if byte(text, stop) == 34 then break end
    stop = stop + 2
  end
  local raw = sub(text, from, stop - 1)
  if find(raw, "\\", 1, true) then raw = unescape(raw) end
  return raw, stop + 1
end

local function skip(text, at) return find(text, "[^ \t\r\n]", at) or #text + 1 end

local function read_object(text, at)
  local object, keys = {}, {}
  at = skip(text, at + 1)
  while byte(text, at) ~= 125 do
    local key
    key, at = read_string(text, at)
    at = skip(text, skip(text, at) + 1)  -- over the colon
    object[key], at = read_value(text, at)
    keys[#keys + 1] = key
    at = skip(text, at)
    if byte(text, at) == 44 then at = skip(text, at + 1) elseif byte(text, at) ~= 125 then error("JSON: no object", 0) end
  end
  return setmetatable(object, { json = true, keys = keys }), at + 1
end

local function read_list(text, at)
  local list, count = {}, 0
  at = skip(text, at + 1)
  while byte(text, at) ~= 93 do
    count = count + 1
    list[count], at = read_value(text, at)
    at = skip(text, at)
    if byte(text, at) == 44 then at = skip(text, at + 1) elseif byte(text, at) ~= 93 then error("JSON: no list", 0) end
  end
  return setmetatable(list, { json = true, count = count }), at + 1
end

function read_value(text, at)
  local first = byte(text, at)
  if first == 34 then return read_string(text, at) end
  if first == 123 then return read_object(text, at) end
  if first == 91 then return read_list(text, at) end
  local word = match(text, "^[%w.+-]+", at) or error("JSON: no value", 0)
  local after = at + #word
  if word == "true" then return true, after end
  if word == "false" then return false, after end
  if word == "null" then return nil, after end
  return tonumber(word) or error("JSON: no value: " .. word, 0), after
end

local function decode(text) return (read_value(text, skip(text, 1))) end

local function quote(text)
  return '"' .. gsub(text, '[%c"\\]', function(c)
    if c == '"' or c == "\\" then return "\\" .. c end
    return format("\\u%04x", byte(c))
  end) .. '"'
end

local function number_text(number)
  if number ~= number or number == huge or number == -huge then return quote(tostring(number)) end
  if number == floor(number) and number > -0x1p53 and number < 0x1p53 then return format("%d", number) end
  for digits = 15, 17 do
    local text = format("%." .. digits .. "g", number)
    if tonumber(text) == number then return (gsub(text, "e([+-])0+", "e%1")) end
  end
end

local RANK = { number = 1, string = 2, boolean = 3 }
local function key_less(a, b)
  local ta, tb = type(a), type(b)
  if ta ~= tb then return (RANK[ta] or 4) < (RANK[tb] or 4) end
  if ta == "number" or ta == "string" then return a < b end
  return tostring(a) < tostring(b)
end

-- The keys of an object: those it came with, in their order, then those that it got here.
local function keys_of(value)
  local meta, keys, known, added = remembered(value), {}, {}, {}
  for _, key in ipairs(meta and meta.keys or {}) do
    if not known[key] then
      known[key] = true
      insert(keys, key)
    end
  end
  for key in next, value do
    if not known[key] then insert(added, key) end
  end
  sort(added, key_less)
  for _, key in ipairs(added) do insert(keys, key) end
  return keys
end

-- The length of a list; nil when the table is none.
local function list_length(value)
  local meta = remembered(value)
  if meta and meta.keys then return nil end
  local length, entries = meta and meta.count or 0, 0
  for key in next, value do
    if type(key) ~= "number" or key < 1 or key ~= floor(key) then return nil end
    entries = entries + 1
    if key > length then length = key end
  end
  if meta or (entries > 0 and entries == length) then return length end
  return nil
end

local function encode(value, out, open)
  local kind = type(value)
  if kind == "table" then
    if open[value] then error("a table that holds itself can't be shown", 0) end
    open[value] = true
    local length = list_length(value)
    if length then
      insert(out, "[")
      for i = 1, length do
        if i > 1 then insert(out, ",") end
        encode(value[i], out, open)
      end
      insert(out, "]")
    else
      insert(out, "{")
      for i, key in ipairs(keys_of(value)) do
        insert(out, (i > 1 and "," or "") .. quote(tostring(key)) .. ":")
        encode(value[key], out, open)
      end
      insert(out, "}")
    end
    open[value] = nil
  elseif kind == "string" then
    insert(out, quote(value))
  elseif kind == "number" then
    insert(out, number_text(value))
  elseif kind == "boolean" then
    insert(out, value and "true" or "false")
  else
    insert(out, kind == "nil" and "null" or quote(kind))
  end
end

local function to_json(value)
  local out = {}
  encode(value, out, {})
  return concat(out)
end

-- The prompt ------------------------------------------------------------------------------------------------------------

return function(safe, candidate_fields, call, compile, refuel, link, chunks)
  local function ask(name, ...)
    local arguments = setmetatable({ ... }, { json = true, count = select("#", ...) })
    local text, message = call(name, to_json(arguments))
    if not text then error(message, 0) end
    return decode(text)
  end
  -- Says how a table is meant to be shown.
  local function as(view, value)
    local meta = getmetatable(value) or setmetatable(value, { json = true }) and getmetatable(value)
    meta.view = view
    return value
  end
  local function view_of(value)
    local meta = remembered(value)
    return meta and meta.view or ""
  end

  setfenv(chunks.library, setmetatable({ match = match, gsub = gsub }, { __index = safe }))
  local library = chunks.library(ask, as, to_json, chunks.api())
  local functions = library.functions
  local world = setmetatable({}, { __index = setmetatable(functions, { __index = safe }), __metatable = false })

  -- The names that a chunk with steps takes from its world in its first line; each chunk has a counter of its own.
  local function give_steps()
    local fill
    world["\128l"] = function(take, new_fill)
      fill = new_fill
      link(take, new_fill)
    end
    world["\128t"] = function() fill(refuel() or error("interrupted", 0)) end
  end

  local function show(...)
    local shown = { "ok" }
    for i = 1, select("#", ...) do
      local value = select(i, ...)
      insert(shown, to_json(value))
      insert(shown, view_of(value))
    end
    return shown
  end

  -- Runs what was typed: an expression, or statements. Gives "incomplete", or "error" and a message, or "ok" and pairs
  -- of JSON and view, all in one list.
  local function evaluate(text)
    local message
    local run = compile("return " .. text)
    if not run then
      run, message = compile(text)
      if not run and find(message, "'<eof>'", 1, true) then return { "incomplete", message } end
      if not run then return { "error", message } end
    end
    setfenv(run, world)
    give_steps()
    local function finish(ok, ...)
      if ok then return show(...) end
      local what = ...
      if type(what) ~= "string" then what = "an error that is a " .. type(what) end
      return { "error", what }
    end
    local ok, shown = pcall(function() return finish(pcall(run)) end)
    return ok and shown or { "error", tostring(shown) }
  end

  -- Contents of a table, or of one of the sandbox's sealed ones.
  local function contents(value)
    if type(value) == "userdata" then
      local meta = debug_getmetatable(value)
      value = meta and meta.__index
    end
    return type(value) == "table" and value or nil
  end
  local function child(value, key)
    local inside = contents(value)
    if not inside then return nil end
    if inside == world then
      local own = rawget(world, key)
      if own ~= nil then return own end
      return functions[key]
    end
    return rawget(inside, key)
  end
  local function names_in(value, found)
    local inside = contents(value)
    for key in next, inside or {} do
      if type(key) == "string" and match(key, "^[%a_][%w_]*$") then found[key] = true end
    end
  end

  -- What may stand where the text ends: how many of its last bytes it replaces, then the candidates.
  local function complete(text)
    local quoted = library.complete(text)
    if quoted then return quoted end
    local path, part = match(text, "([%a_][%w_.]*)%.([%w_]*)$")
    local found = {}
    if path then
      local value = world
      for key in gmatch(path, "[^.]+") do value = child(value, key) end
      names_in(value, found)
    else
      part = match(text, "[%a_][%w_]*$") or ""
      for _, level in ipairs({ world, functions, safe }) do names_in(level, found) end
      for _, field in ipairs(library.fields(text)) do found[field] = true end
    end
    local fitting = {}
    for name in next, found do
      if sub(name, 1, #part) == part then insert(fitting, name) end
    end
    sort(fitting)
    insert(fitting, 1, tostring(#part))
    return fitting
  end

  -- Every name that the sandbox offers: "string.rep", "candidate.weight".
  local function names()
    local found = {}
    for key, value in next, safe do
      local inside = contents(value)
      if inside then
        for below in next, inside do insert(found, key .. "." .. below) end
      else
        insert(found, key)
      end
    end
    for key in next, candidate_fields do insert(found, "candidate." .. key) end
    for key in next, functions do insert(found, "console." .. key) end
    sort(found)
    return found
  end

  return evaluate, complete, names
end
