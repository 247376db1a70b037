-- SPDX-License-Identifier: Apache-2.0
-- The trusted first chunk of every script's Lua state. It has all of LuaJIT, ffi included; it builds the little world
-- that a script sees and keeps the rest to itself. Called once, by state.cc and prompt.cc (prelude.h):
--
--   adopt, run, param_values, ffi, safe, fields, link =
--     prelude(chunks, address of the CallFrame, address of the PolicyFrame)
--
-- `chunks` are the others, by name: candidates, sandbox, texts, verdict, steme, policy. The first four get a table of what
-- they share (`given`), steme a way to be paid. The prompt has no policies, and takes `safe`, the fields of a candidate and
-- the way to the fuel of what is typed.
--
-- Time: the script's chunk comes with fuel steps (instrument.h). What a script can call here takes at
-- most as long as reading a text of 64 KiB once, or else it pays by what it does: `charge` takes from the script's own
-- fuel. One unit, eight of a step's, may take 20 µs.
local chunks, address, policy_address = ...

local ffi = require("ffi")
local bit = require("bit")
local table_new = require("table.new")
local error, type, tostring, setfenv = error, type, tostring, setfenv
local setmetatable, getmetatable, newproxy, next = setmetatable, getmetatable, newproxy, next
local getinfo, ffi_string = debug.getinfo, ffi.string
local string_sub = string.sub

-- In step with candidate.h and call_frame.h.
ffi.cdef [[
typedef struct {
  double confidence, effective_confidence, weight, number, trust, derived_trust, vote_weight;
  int64_t timestamp_ms, valid_from_ms, valid_to_ms;
  uint64_t sequence;
  char *value_text, *source_id, *epoch;
  uint8_t *id, *agent_id;
  uint32_t value_text_size, source_id_size, epoch_size, value_index, votes, voice_index;
  uint8_t value_kind, tier, lifecycle, anonymous, epoch_superseded, padding[3];
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
  char *concept_path, *predicate;
  uint32_t concept_path_size, predicate_size;
  void (*hex)(uint8_t *id, char *out);
  int (*compare_ids)(uint8_t *a, uint8_t *b);
  void (*count_voices)(struct steme_frame *frame);
  double (*decay)(double confidence, double age_ms, double half_life_days);
  double (*tick)(struct steme_frame *frame);
  int32_t (*find)(const char *text, uint32_t size, uint32_t from, const char *what, uint32_t what_size);
  int32_t (*match)(struct steme_frame *frame, const char *text, uint32_t size, const char *pattern,
    uint32_t pattern_size, uint32_t from);
  uint32_t (*hint)(const char *name, uint32_t size, const char *known, uint32_t known_size, char *out, uint32_t out_size);
  void *state;
  uint32_t text_bytes, stopped_line, read_now, padding;
  steme_judgement judgements[7];
  steme_match matched;
} steme_frame;
]]
local frame = ffi.cast("steme_frame *", address)

local function read_only() error("read-only: a script can't change its arguments or globals", 2) end

-- A key for a message: of a table or function its type, not its address.
local function key_text(key)
  local kind = type(key)
  return (kind == "string" or kind == "number" or kind == "boolean") and tostring(key) or kind
end

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

-- Tables and texts of a size -----------------------------------------------------------------------------------------

-- The allocator isn't told what a block is for: a large one of a size that a growing table doesn't have is a text to it
-- (state.cc). So what makes a large list at once says so here.

-- A list with room for n: of a large one the room is a power of two, as that of a table that has grown.
local function list_for(n)
  if n <= 1024 then return table_new(n, 0) end
  return table_new(n <= 2048 and 2048 or 4096, 0)
end

-- Called before so many results are given, since a list may be made of them. What Lua gives ends below 8,000.
local RESULTS_LIGHT, RESULTS_MAX = 2048, 8000
local function making_results(count)
  if count > RESULTS_LIGHT and count < RESULTS_MAX then making(8 * count + 8, "a list", 2) end
end

-- The others ---------------------------------------------------------------------------------------------------------

setfenv(chunks.steme, { math = math, error = error, type = type })
local policy_chunk = chunks.policy
if policy_chunk then
  setfenv(policy_chunk, { error = error, type = type, tostring = tostring, string = { find = string.find } })
end
local kind_of
local steme, check_claims = chunks.steme(charge, function(value) return kind_of(value) end)
local given = {
  ffi = ffi, bit = bit, frame = frame, steme = steme, read_only = read_only,
  charge = charge, making = making, making_results = making_results, list_for = list_for, key_text = key_text,
  check_claims = check_claims, TEXT_LIGHT = TEXT_LIGHT, TEXT_MAX = TEXT_MAX,
}
local candidates, fields, is_candidates, next_candidate, row_of = chunks.candidates(given)
given.is_candidates, given.next_candidate, given.row_of = is_candidates, next_candidate, row_of
function kind_of(value)
  if is_candidates(value) then return "candidates" end
  return row_of(value) and "a candidate" or type(value)
end
local safe, tables, maths, bits, of_numbers = chunks.sandbox(given)
given.of_numbers = of_numbers
local strings, match, find_all = chunks.texts(given)
steme.match, steme.find_all = match, find_all
local read_verdict = chunks.verdict(given)

-- Of a name that steme hasn't, an error rather than nil, which would be called; the hint is the engine's (near_name.h).
local helpers = {}
for name in next, steme do helpers[#helpers + 1] = name end
table.sort(helpers)
helpers = table.concat(helpers, " ")
local hint_buffer = ffi.new("char[512]")
setmetatable(steme, { __index = function(_, key)
  charge(2048)  -- the name is compared with all: some 50 µs, so the clock is looked at each time
  local name = string_sub(key_text(key), 1, 64)
  local size = frame.hint(name, #name, helpers, #helpers, hint_buffer, 512)
  error("there is no steme." .. name .. ": " .. ffi_string(hint_buffer, size), 2)
end })

getmetatable("").__index = strings
getmetatable("").__metatable = false
safe.string, safe.table, safe.math, safe.bit, safe.steme =
  sealed(strings), sealed(tables), sealed(maths), sealed(bits), sealed(steme)

-- A script -----------------------------------------------------------------------------------------------------------

local function lacks(what)
  return { __index = function(_, key) error(what .. " '" .. key_text(key) .. "'", 2) end }
end
local param_values = setmetatable({}, lacks("the script describes no parameter"))
-- What a lens is asked about becomes text when it is read. A policy isn't asked about anything. Whether a lens looks at the
-- clock is noted: what it says without is the same at any time. A policy has its own time, in `context`.
local context = setmetatable({ params = sealed(param_values) }, { __index = function(_, key)
  if frame.predicate ~= nil then
    if key == "now" then
      frame.read_now = 1
      return frame.now_ms
    end
    if key == "predicate" then return ffi_string(frame.predicate, frame.predicate_size) end
    if key == "concept_path" then return ffi_string(frame.concept_path, frame.concept_path_size) end
  end
  error("ctx has no field '" .. key_text(key) .. "'", 2)
end })
local ctx = sealed(context)

local resolve
-- One call of a policy; nil for a lens.
local judge_policy

-- One call: C++ has filled the frame and params. Gives what verdict.lua gives; a policy's verdict is in its frame.
local function run(wants_notes, is_thorough)
  if judge_policy then return judge_policy(is_thorough) end
  context.wants_notes = wants_notes
  context.candidates_count = frame.rows_count
  context.values_count = frame.values_count
  context.voices_count = frame.voices_count
  local said, reason = resolve(ctx, candidates)
  return read_verdict(said, reason, is_thorough)
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
    judge_policy = policy_chunk(policy_address, ffi, said, ctx, context, read_only, key_text)
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
return adopt, run, param_values, ffi, safe, fields, link
