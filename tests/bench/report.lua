-- SPDX-License-Identifier: Apache-2.0
-- wrk calls done() once, at the end: one line of JSON that scripts/bench reads. Latencies are milliseconds; the rate
-- is that of the requests that were granted, as a refusal is quick and proves nothing.
local M = {}

function M.done(summary, latency)
  local errors = summary.errors
  local seconds = summary.duration / 1e6
  io.write(string.format(
    'RESULT {"requests":%d,"seconds":%.6f,"per_second":%.1f,"bytes":%d,"p50_ms":%.3f,"p90_ms":%.3f,"p99_ms":%.3f,' ..
    '"max_ms":%.3f,"refused":%d,"broken":%d}\n',
    summary.requests, seconds, (summary.requests - errors.status) / seconds, summary.bytes, latency:percentile(50) / 1e3,
    latency:percentile(90) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end

return M
