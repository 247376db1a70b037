-- SPDX-License-Identifier: Apache-2.0
-- The console's functions on the Lua side of script/prompt.h: they bring what was typed into the form of the HTTP API,
-- ask the backend, and say how the answer is to be shown. Called as library(ask, as, to_json, api) with this chunk's
-- own list of functions, reference.lua, as the upvalue `reference`.
local ask, as, to_json, api = ...
local reference = console_reference()

local functions = {}

local QUESTION_FIELDS = {
  "agent_id", "as_of", "class_multipliers", "concept_path", "cursor", "decay", "epoch", "fallback", "include", "lens",
  "lenses", "lifecycle", "limit", "max_stale", "min_confidence", "params", "predicate", "since", "source_class",
  "status", "subject", "valid_at",
}

-- A question as the API has it, from { path, predicate, field = … }, from (path, predicate), or from { field = … }.
local function question_of(what, path, predicate)
  local question = {}
  if type(path) == "table" then
    for key, value in pairs(path) do
      if type(key) == "string" then question[key] = value end
    end
    for i = 3, #path do error(what .. ": value " .. i .. ", " .. tostring(path[i]) .. ", has no field: name it", 0) end
    path, predicate = path[1], path[2]
  elseif path == nil then
    error(what .. ' wants a question, such as ' .. what .. '{"countries/HR", "currency"}', 0)
  end
  if path ~= nil then question.concept_path = path end
  if predicate ~= nil then question.predicate = predicate end
  if question.concept_path == nil and question.subject == nil then
    error(what .. " wants a concept path: " .. what .. '{"countries/HR"}; "*" is everything', 0)
  end
  return question
end

function functions.query(path, predicate) return as("answer", ask("query", question_of("query", path, predicate))) end

function functions.explain(path, predicate)
  local question = question_of("explain", path, predicate)
  if question.lens == nil then error('explain wants a lens: explain{…, lens = "recency"}; lenses() lists them', 0) end
  question.include = { "candidates", "explain" }
  if question.limit == nil then question.limit = 0 end
  return as("explain", ask("query", question))
end

function functions.compare(path, predicate)
  local question = question_of("compare", path, predicate)
  if question.lenses == nil then
    question.lenses = {}
    for i, lens in ipairs(functions.lenses().lenses) do question.lenses[i] = lens.name end
  end
  return as("compare", ask("compare", question))
end

functions["try"] = function(file, path, predicate)
  if type(file) ~= "string" then error('try wants a file and a question: try("draft.lua", {"countries/HR"})', 0) end
  local question = question_of("try", path, predicate)
  local explains = false
  for _, part in ipairs(question.include or {}) do explains = explains or part == "explain" end
  return as(explains and "explain" or "answer", ask("try", file, question))
end

function functions.lenses() return as("lenses", ask("lenses")) end
function functions.health() return as("object", ask("health")) end
function functions.concepts(prefix) return as("concepts", ask("concepts", prefix or "")) end
function functions.scripts(name)
  if name ~= nil then return as("object", ask("scripts", name)) end
  return as("scripts", ask("scripts"))
end
function functions.print(...)
  for i = 1, select("#", ...) do ask("print", to_json((select(i, ...)))) end
end
function functions.json(value) return to_json(value) end

-- What an assertion names as its origin.
local function origins(assertion)
  local list = {}
  for _, relation in ipairs({ "parent", "derived_from" }) do
    local ids = assertion[relation]
    if type(ids) == "string" then ids = { ids } end
    for _, id in ipairs(ids or {}) do table.insert(list, { relation = relation, id = id }) end
  end
  return list
end

local TRACE_MAX = 1000

function functions.trace(id)
  if type(id) == "table" then id = id.id end
  if type(id) ~= "string" then error("trace wants an assertion's id: 64 hex digits", 0) end
  local steps, seen = {}, {}
  local function visit(one, depth, relation)
    if #steps >= TRACE_MAX then return end
    local step = { depth = depth, relation = relation, id = one }
    table.insert(steps, step)
    if seen[one] then
      step.note = "shown above"
      return
    end
    seen[one] = true
    local ok, assertion = pcall(ask, "assertion", one)
    if not ok then
      if depth == 0 then error(assertion, 0) end
      step.note = assertion
      return
    end
    step.assertion = assertion
    for _, origin in ipairs(origins(assertion)) do visit(origin.id, depth + 1, origin.relation) end
  end
  visit(id, 0, "")
  return as("trace", steps)
end

-- Help ------------------------------------------------------------------------------------------------------------------

local function find_entry(name)
  for _, entry in ipairs(reference.entries) do
    if entry.name == name then return entry, reference end
  end
  for _, section in ipairs(api) do
    for _, entry in ipairs(section.entries) do
      if section.prefix .. entry.name == name then return entry, section end
    end
  end
  for _, section in ipairs(api) do
    for _, entry in ipairs(section.entries) do
      if entry.name == name then return entry, section end
    end
  end
end

local function find_section(name)
  for _, section in ipairs(api) do
    if section.id == name or section.prefix == name .. "." then return section end
  end
end

function functions.help(name)
  if name == nil then return as("help", { section = reference, sections = api }) end
  if type(name) == "function" then
    for key, value in pairs(functions) do
      if value == name then name = key end
    end
  end
  if type(name) ~= "string" then error('help wants a name: help("steme.leader"), help("query")', 0) end
  local entry, section = find_entry(name)
  local whole = find_section(name)
  if whole and not (entry and section.prefix .. entry.name == name) then return as("help", { section = whole }) end
  if entry then return as("help", { entry = entry, prefix = section.prefix, when = section.when }) end
  local near = {}
  for _, one in ipairs(api) do
    for _, other in ipairs(one.entries) do
      if string.find(one.prefix .. other.name, name) then table.insert(near, one.prefix .. other.name) end
    end
  end
  error("there is no help on '" .. name .. "'" .. (near[1] and "; there is on " .. table.concat(near, ", ") or "; see help()"), 0)
end

-- Completion ------------------------------------------------------------------------------------------------------------

-- What stands in the quotes that are open where the text ends, and what stands before them; nil when none are.
local function open_quote(text)
  local from, quote = nil, nil
  local i = 1
  while i <= #text do
    local c = text:sub(i, i)
    if quote and c == "\\" then
      i = i + 1
    elseif quote then
      if c == quote then quote = nil end
    elseif c == '"' or c == "'" then
      from, quote = i, c
    end
    i = i + 1
  end
  if quote then return text:sub(from + 1), text:sub(1, from - 1) end
end

local function fitting(part, names)
  local list = { tostring(#part) }
  for _, name in ipairs(names) do
    if name:sub(1, #part) == part then table.insert(list, name) end
  end
  return list
end

local function lens_names()
  local names = {}
  for i, lens in ipairs(ask("lenses").lenses) do names[i] = lens.name end
  return names
end

-- Paths are completed segment by segment; one that has children gets a slash.
local function concept_paths(part)
  local prefix = match(part, "^(.*)/[^/]*$") or ""
  local names = {}
  for _, child in ipairs(ask("concepts", prefix).concepts) do
    table.insert(names, child.concept_path .. (child.assertion_count_below > 0 and "/" or ""))
  end
  return names
end

local function complete(text)
  local part, before = open_quote(text)
  if not part then return nil end
  local list = { tostring(#part) }
  pcall(function()
    if match(before, "lens%s*=%s*$") or match(before, "lenses%s*=%s*{[^}]*$") then
      list = fitting(part, lens_names())
    elseif match(before, "help%s*%(%s*$") then
      local names = {}
      for _, entry in ipairs(reference.entries) do table.insert(names, entry.name) end
      for _, section in ipairs(api) do
        for _, entry in ipairs(section.entries) do table.insert(names, section.prefix .. entry.name) end
      end
      list = fitting(part, names)
    elseif match(before, "predicate%s*=%s*$") == nil and match(before, "%f[%w_]try%s*%(%s*$") == nil then
      list = fitting(part, concept_paths(part))
    end
  end)
  return list
end

-- Inside of a function's braces the question's fields may stand.
local function fields(text)
  local plain = gsub(gsub(text, '"[^"]*"', ""), "%b{}", "")
  if match(plain, "{[^}]*$") and match(plain, "[{,]%s*[%w_]*$") then return QUESTION_FIELDS end
  return {}
end

return { functions = functions, complete = complete, fields = fields }
