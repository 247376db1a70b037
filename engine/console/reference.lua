-- SPDX-License-Identifier: Apache-2.0
-- The console's functions, written once: help() shows this list, and the table of docs/console.md is made from it.
local function func(name, arguments, meaning, example)
  return { name = name, signature = name .. arguments, meaning = meaning, example = example }
end

return {
  id = "console", title = "The console's functions", prefix = "", when = "at the console's prompt",
  entries = {
    func("query", "{ path [, predicate] … }", "asks a question, with the fields of `POST /v1/query`; `query(path, predicate)` "
      .. "and `query(path)` as well", 'query{"countries/HR", "currency", lens = "recency"}'),
    func("explain", "{ path, predicate, lens = name … }", "the same question with every claim, its weight, and what the lens "
      .. "made of it", 'explain{"countries/HR", "currency", lens = "recency"}'),
    func("compare", "{ path [, predicate], lenses = { … } }", "one question through several lenses; all of them when "
      .. "`lenses` isn't given", 'compare{"countries/HR", "currency", lenses = { "recency", "consensus" }}'),
    func("try", "(file, { path [, predicate] … })", "the question through a lens that isn't deployed, on live data, in the "
      .. "server's sandbox", 'try("draft.lua", {"countries/HR", "currency"})'),
    func("trace", "(id)", "an assertion with all that it came from: its parents and `derived_from`, and theirs",
      'trace(query("countries/HR").assertions[1].id)'),
    func("concepts", "([prefix])", "the children of a concept path with their numbers of claims", 'concepts("countries")'),
    func("lenses", "()", "the lenses with their parameters", "lenses()"),
    func("scripts", "([name])", "what is live: generation, versions, hashes, last errors; one script with its history",
      "scripts()"),
    func("health", "()", "the server's figures", "health()"),
    func("print", "(...)", "shows values as the prompt does", 'print(query("countries/HR").assertions[1].value)'),
    func("json", "(value)", "the value as JSON text", "json(lenses())"),
    func("help", "([name])", "this list; one function, or a name of the script API",
      'help("steme.leader")'),
  },
}
