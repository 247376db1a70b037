-- SPDX-License-Identifier: Apache-2.0
-- Lenses see the sandbox and nothing else; the room's own Lua and the tests run in plain LuaJIT.
std = "luajit"
max_line_length = 132
exclude_files = { "build", "build/**", "data", "data/**" }

local sandbox = {
  read_globals = {
    "assert", "error", "ipairs", "next", "pairs", "pcall", "select", "tonumber", "tostring", "type", "unpack", "xpcall",
    "bit", math = { other_fields = true },
    string = { fields = { "byte", "char", "find", "format", "len", "lower", "rep", "reverse", "sub", "upper" } },
    table = { fields = { "concat", "insert", "remove", "sort" } },
    steme = {
      fields = {
        "best", "by_value", "conflict", "decay", "find_all", "keep", "leader", "match", "rule", "smaller_id", "tier_name",
        "total", "voices", "weights",
      },
    },
  },
}
files["engine/console/console.lua"] = { std = sandbox, globals = { "console_reference", "match", "gsub" } }
files["lenses"] = { std = sandbox }
files["policies"] = { std = sandbox }
