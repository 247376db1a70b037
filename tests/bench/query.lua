-- SPDX-License-Identifier: Apache-2.0
-- Questions through one lens: wrk ... -- LENS PREFIX PATHS SEED asks about PREFIX/1 to PREFIX/PATHS at random. An
-- optional fifth argument N mixes in one unsigned claim after every N questions.
-- luacheck: globals wrk init request response done
done = dofile(os.getenv("STEMEDB_BENCH_LUA") .. "/report.lua").done

local lens, prefix, paths, every, count, seed
local headers = { ["Content-Type"] = "application/json" }

function init(args)
  lens, prefix, paths, seed = args[1], args[2], tonumber(args[3]), tonumber(args[4])
  every, count = tonumber(args[5]), 0
  math.randomseed(seed)
end

function request()
  count = count + 1
  local path = prefix .. "/" .. math.random(paths)
  if every and count % (every + 1) == 0 then
    return wrk.format("POST", "/v1/assert", headers, string.format(
      '{"concept_path":"mixed/%d","predicate":"pred","value":"%d.%d","confidence":0.9}',
      math.random(100000), seed, count))
  end
  return wrk.format("POST", "/v1/query", headers, string.format(
    '{"concept_path":"%s","predicate":"pred","lens":"%s","limit":1}', path, lens))
end
