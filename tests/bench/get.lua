-- SPDX-License-Identifier: Apache-2.0
-- GET of the URL that wrk was given, as fast as it goes.
-- luacheck: globals wrk init request response done
done = dofile(os.getenv("STEMEDB_BENCH_LUA") .. "/report.lua").done
