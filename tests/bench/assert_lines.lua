-- SPDX-License-Identifier: Apache-2.0
-- Claims that were made (and signed) before, one of FILE's lines for each request: wrk ... -- FILE. Ends early when
-- the file does: a claim sent twice would be answered without any work.
-- luacheck: globals wrk init request response done
done = dofile(os.getenv("STEMEDB_BENCH_LUA") .. "/report.lua").done

local requests, at = {}, 0

function init(args)
  for line in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("POST", "/v1/assert", { ["Content-Type"] = "application/json" }, line)
  end
end

function request()
  at = at + 1
  return requests[at] or requests[#requests]
end

function response()
  if at >= #requests then wrk.thread:stop() end
end
