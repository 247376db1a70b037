-- SPDX-License-Identifier: Apache-2.0
-- Unsigned claims, no two alike: wrk ... -- BATCH SEED. With BATCH 1 each goes to /v1/assert, else so many at once as
-- NDJSON to /v1/assert/batch.
-- luacheck: globals wrk init request response done
done = dofile(os.getenv("STEMEDB_BENCH_LUA") .. "/report.lua").done

local batch, seed, count = 1, 0, 0
local headers = { ["Content-Type"] = "application/json" }

function init(args)
  batch, seed = tonumber(args[1]) or 1, tonumber(args[2]) or 0
  math.randomseed(seed)
end

local function claim()
  count = count + 1
  return string.format('{"concept_path":"concept/%d","predicate":"pred","value":"%d.%d","confidence":0.9,' ..
    '"source":{"id":"bench/%d","class":"observational"}}', math.random(100000), seed, count, math.random(50))
end

function request()
  if batch == 1 then return wrk.format("POST", "/v1/assert", headers, claim()) end
  local lines = {}
  for i = 1, batch do lines[i] = claim() end
  return wrk.format("POST", "/v1/assert/batch", { ["Content-Type"] = "application/x-ndjson" },
    table.concat(lines, "\n") .. "\n")
end
