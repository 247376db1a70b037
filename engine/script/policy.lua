-- SPDX-License-Identifier: Apache-2.0
-- The trusted side of policies, called by the prelude when a policy has been read:
--
--   judge = policy(address of the PolicyFrame, ffi, the policy's table, its ctx, the table behind ctx, read_only, key_text)
--
-- judge(is_thorough) runs the policy over the request in the frame and leaves the checked verdict there. When the reading
-- is to be thorough it gives the verdict as its fourth result, as verdict.lua does.
local address, ffi, policy, ctx, context, read_only, key_text = ...
local error, type, tostring = error, type, tostring
local ffi_string, ffi_copy, string_find = ffi.string, ffi.copy, string.find

-- In step with policy_frame.h.
ffi.cdef [[
typedef struct {
  char *route, *method, *agent, *peer;
  uint32_t route_size, method_size, agent_size, peer_size;
  double now_ms, body_bytes, items;
  uint32_t loopback, is_signed;
  uint32_t limited, bucket_size;
  double cost, limit, window_s, peer_limit;
  char bucket[32];
} steme_policy_frame;
typedef struct request { const uint32_t _request; } steme_request;
]]
local frame = ffi.cast("steme_policy_frame *", address)

-- There is one request at a time, the one of the call: an object that was kept shows nothing else.
local FIELDS = {
  route = function() return ffi_string(frame.route, frame.route_size) end,
  method = function() return ffi_string(frame.method, frame.method_size) end,
  body_bytes = function() return frame.body_bytes end,
  items = function() return frame.items end,
  loopback = function() return frame.loopback ~= 0 end,
  signed = function() return frame.is_signed ~= 0 end,
  agent = function()
    if frame.agent_size == 0 then return nil end
    return ffi_string(frame.agent, frame.agent_size)
  end,
  peer = function() return ffi_string(frame.peer, frame.peer_size) end,
}
local function unknown_field(key) error("a request has no field '" .. key_text(key) .. "'", 2) end
local Request = ffi.metatype("steme_request", {
  __index = function(_, key)
    local read = FIELDS[key]
    if not read then return unknown_field(key) end
    return read()
  end,
  __newindex = read_only,
  __tostring = function() return "request" end,
  __metatable = false,
})
local request = Request(0)

local function wrong(what, got)
  local shown = type(got)
  if shown == "number" or shown == "boolean" or (shown == "string" and #got <= 40) then shown = tostring(got) end
  error("limit returned " .. what .. ", got " .. shown, 0)
end

local NUMBER_MAX = 1e12
local WINDOW_MAX = 2678400
local function positive(name, number, most)
  if type(number) ~= "number" or not (number > 0 and number <= most) then
    wrong("a " .. name .. " that is not a number above 0 and at most " .. most, number)
  end
  return number
end

-- Names that were looked at before: a pattern keeps the compiler from a whole call.
local known, known_count = {}, 0
local function check_bucket(bucket)
  if type(bucket) ~= "string" or #bucket > 32 or not string_find(bucket, "^[a-z0-9_]+$") then
    wrong("a bucket that is not a name of 1 to 32 of a-z, 0-9 and _", bucket)
  end
  if known_count < 64 then known[bucket], known_count = true, known_count + 1 end
end

local limit = policy.limit
return function(is_thorough)
  context.now = frame.now_ms
  local said = limit(ctx, request)
  if said == nil then
    frame.limited = 0
    return
  end
  if type(said) ~= "table" then wrong("something that is not a table or nil", said) end
  local bucket = said.bucket
  if not known[bucket] then check_bucket(bucket) end
  local cost = said.cost
  if type(cost) ~= "number" or not (cost >= 0 and cost <= NUMBER_MAX) then
    wrong("a cost that is not a number of 0 or more and at most " .. NUMBER_MAX, cost)
  end
  frame.cost = cost
  frame.limit = positive("limit", said.limit, NUMBER_MAX)
  frame.window_s = positive("window_s", said.window_s, WINDOW_MAX)
  local peer_limit = said.peer_limit
  frame.peer_limit = peer_limit == nil and 10 * frame.limit or positive("peer_limit", peer_limit, NUMBER_MAX)
  frame.bucket_size = #bucket
  ffi_copy(frame.bucket, bucket, #bucket)
  frame.limited = 1
  if is_thorough then return nil, nil, nil, said end
end
