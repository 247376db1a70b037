-- SPDX-License-Identifier: Apache-2.0
-- Lua API 1, written once: every name that a script may use. The tables of docs/lua-api.md are made from this list
-- (scripts/dev/lua-api-docs), the console's help reads it, and a test holds it against the sandbox, both ways.
--
-- A section has an id, a title, `when` its names may be used, and entries. An entry has a name, a signature (functions)
-- or a type (fields), its meaning, and for most an example; the section's `prefix` stands before each name.
local function section(id, title, prefix, when, entries)
  return { id = id, title = title, prefix = prefix, when = when, entries = entries }
end
local function field(name, kind, meaning, example)
  return { name = name, type = kind, meaning = meaning, example = example }
end
local function func(signature, meaning, example)
  return { name = signature:sub(1, signature:find("(", 1, true) - 1), signature = signature, meaning = meaning, example = example }
end

return {
  section("lens", "A lens's table", "lens.", "what the file returns; read once, when the script is loaded", {
    field("kind", "string", "`\"lens\"`", 'kind = "lens"'),
    field("api", "number", "the version of this API: `1`", "api = 1"),
    field("name", "string", "the file's name without `.lua`; `a-z`, `0-9`, `_`, a letter first", 'name = "oldest"'),
    field("version", "string", "shown with every answer; 1 to 32 bytes", 'version = "1.0.0"'),
    field("description", "string", "one sentence for who chooses a lens; 1 to 1024 bytes",
      'description = "The oldest claim wins."'),
    field("params", "table", "by name: `type` (`integer`, `number`, `boolean`, `string`), `default`, `description`; "
      .. "`min` and `max` for numbers, `choices` (a list) for strings, and nothing else. At most 32",
      'params = { floor = { type = "number", default = 0, min = 0, max = 1, description = "…" } }'),
    field("resolve", "function(ctx, candidates)", "called once for each question that has at least one candidate",
      "resolve = function(ctx, candidates) return { winner = 1 } end"),
  }),

  section("ctx", "ctx", "ctx.", "read-only, during `resolve`", {
    field("now", "number", "the question's time, in milliseconds since 1970; the only clock",
      "local age_ms = ctx.now - candidates[1].timestamp"),
    field("params", "table", "checked, with defaults filled in; an undescribed name is an error", "ctx.params.floor"),
    field("concept_path", "string", "what the claims are about; makes a string each time",
      'ctx.concept_path:sub(1, 6) == "drugs/"'),
    field("predicate", "string", "what they say of it; makes a string each time. A question about a concept asks the lens once "
      .. "for each predicate", 'ctx.predicate == "currency"'),
    field("candidates_count", "number", "how many claims", "ctx.candidates_count == #candidates"),
    field("values_count", "number", "how many distinct values", "for v = 1, ctx.values_count do … end"),
    field("voices_count", "number", "how many distinct voices", "voices[v] / ctx.voices_count"),
    field("wants_notes", "boolean", "whether the question asks to `explain`: only then are `notes` looked at",
      'if ctx.wants_notes then notes[i] = "too old" end'),
  }),

  section("candidate", "candidates", "candidate.", "read-only, during the call that they belong to", {
    field("number", "number", "its place among the candidates: `candidates[c.number]` is `c`, and so is `candidates[c]`",
      "notes[c.number] = \"too old\""),
    field("value", "string, number or boolean", "what is claimed; a reference is the string of its path",
      "candidates[1].value"),
    field("value_kind", "string", '`"text"`, `"number"`, `"boolean"`, `"reference"`', 'c.value_kind == "number"'),
    field("confidence", "number", "as asserted, 0 to 1", "c.confidence >= 0.5"),
    field("effective_confidence", "number", "after decay, if the question asks for decay; else as asserted",
      "c.effective_confidence"),
    field("weight", "number", "effective confidence × class multiplier", "sum = sum + c.weight"),
    field("timestamp", "number", "when it was claimed, in milliseconds", "ctx.now - c.timestamp"),
    field("valid_from", "number or nil", "milliseconds; nil when open", "c.valid_from and c.valid_from <= ctx.now"),
    field("valid_to", "number or nil", "milliseconds; nil when open", "c.valid_to == nil"),
    field("agent", "string or nil", "hex, nil for the anonymous agent; makes a string of 64 bytes each time", "c.agent"),
    field("trust", "number", "in its agent, the first of several: 0 to 1; 0.5 when nothing is known of the agent",
      "c.effective_confidence * c.trust"),
    field("derived_trust", "number", "the least trust of its own agent and those of all claims that it is derived from; never "
      .. "above `trust`", "c.derived_trust < c.trust"),
    field("votes", "number", "how many agents have voted on it", "c.votes > 0"),
    field("vote_weight", "number", "sum of the votes' weights, each 0 to 1", "sum = sum + c.vote_weight"),
    field("id", "string", "hex; makes a string of 64 bytes each time", "c.id"),
    field("source", "string", "the source's id", 'c.source == "glibc"'),
    field("epoch", "string or nil", "the epoch, if it has one", "c.epoch"),
    field("epoch_superseded", "boolean", "whether another epoch has superseded its own; false without an epoch, and for one that "
      .. "nobody has said anything about", "if not c.epoch_superseded then … end"),
    field("tier", "number", "0 (regulatory) to 5 (anecdotal)", "c.tier <= 1"),
    field("source_class", "string", '`"regulatory"` to `"anecdotal"`', 'c.source_class == "clinical"'),
    field("lifecycle", "string", '`"proposed"`, `"under_review"`, `"approved"`, `"deprecated"`, `"rejected"`',
      'c.lifecycle ~= "rejected"'),
    field("sequence", "number", "position in the log", "c.sequence"),
    field("value_index", "number", "equal values have equal numbers, from 1, by first appearance",
      "weights[c.value_index]"),
    field("voice_index", "number", "so have voices; a voice is an agent, or a source of the anonymous agent",
      "heard[c.voice_index] = true"),
  }),

  section("result", "What `resolve` returns", "result.", "all fields optional; or return `nil, \"reason\"`", {
    field("winner", "candidate or number", "a candidate, or its number. Absent: nobody wins", "winner = candidates[1]"),
    field("confidence", "number", "0 to 1. Absent: share of the winner's value; without a winner, the leading share",
      "confidence = 0.95"),
    field("weights", "table", "by `value_index`, finite and not negative; a missing entry is 0. Absent: sum of the "
      .. "claims' `weight` by value", "weights = steme.voices(candidates)"),
    field("conflict_score", "number", "0 to 1. Absent: entropy of the shares / log(number of values with a weight above "
      .. "0); 0 for fewer than two of those, 1 if there are several values and none has weight", "conflict_score = 0"),
    field("status", "string", "`\"none\"`, `\"unanimous\"`, `\"agreed\"`, `\"contested\"`. Absent: unanimous when all claims "
      .. "say one value, weighed or not; agreed from a leading share of 0.8 on; else contested", 'status = "agreed"'),
    field("explain", "string", "one sentence; broken UTF-8 is mended, cut at 1 KiB", 'explain = "newest claim"'),
    field("notes", "table", "by candidate number: a short text on what this lens made of that claim, at most 200 bytes "
      .. "each; shown to questions that include `explain`", 'notes = { [3] = "older than max_age_s" }'),
    field("layers", "table", "list of such tables with `tier`, ascending; each speaks of the claims of its tier",
      "layers = { { tier = 0, winner = 2 } }"),
    field("details", "table", "strings, numbers, booleans, tables; 8 deep, 16 KiB as JSON",
      "details = { between_tiers_conflict = 0.5 }"),
  }),

  section("steme", "Helpers", "steme.", "any time", {
    func("weights(claims [, count])", "weight by value, of the first `count` claims", "steme.weights(candidates, 10)"),
    func("voices(claims)", "distinct voices by value; a voice counts once for each value that it supports",
      "steme.voices(candidates)[1]"),
    func("leader(claims, weights)", "the claim that speaks for the heaviest value: that value's newest. Tie: smaller id of those "
      .. "claims. nil when no value has a weight", "winner = steme.leader(candidates, weights)"),
    func("best(claims, score)", "the claim with the largest `score(claim)`, a number. Tie: smaller id. nil when there are none",
      "winner = steme.best(candidates, function(c) return c.effective_confidence * c.trust end)"),
    func("keep(claims, wanted)", "those for which `wanted(claim)` is true, in their order; `claims` itself when that is all of "
      .. "them", "steme.keep(candidates, function(c) return c.tier <= 3 end)"),
    func("rule(name, ctx, claims [, count])", "what the rule of the shipped lens `consensus`, `recency`, `confidence` or "
      .. "`tier_authority` says of `claims`, as a table to return; nil and a reason when there are none. `count`, which the others "
      .. "refuse, is `recency`'s alone: of the first so many",
      'return steme.rule("consensus", ctx, steme.keep(candidates, is_wanted))'),
    func("by_value(claims)", "the claims by value, a list for each, in their order", "#steme.by_value(candidates)[1]"),
    func("total(weights, values_count)", "sum of a list by value", "steme.total(voices, ctx.values_count)"),
    func("conflict(weights, values_count)", "normalised entropy of the shares, 0 to 1; entries that are missing or 0 "
      .. "don't count. The default `conflict_score` is the same rule", "steme.conflict(weights, ctx.values_count)"),
    func("decay(confidence, age_ms, half_life_days)", "confidence × 2^(−age / half-life); never more than `confidence`",
      "steme.decay(c.confidence, ctx.now - c.timestamp, 30)"),
    func("tier_name(tier)", '`"regulatory"` to `"anecdotal"`', "steme.tier_name(0)"),
    func("match(text, pattern [, from])", "the first match of a regular expression (RE2's syntax, linear time) at byte `from` "
      .. "or later: its groups, or the whole match when it has none; nil when nothing matches",
      'local year = steme.match(c.value, "(\\\\d{4})-\\\\d\\\\d")'),
    func("find_all(text, pattern)", "list of all matches: of each the first group, or the whole match",
      '#steme.find_all(c.value, "\\\\w+")'),
    func("smaller_id(a, b)", "whether candidate `a` has the smaller id: the last tie-break of every lens",
      "steme.smaller_id(candidates[1], candidates[2])"),
  }),

  section("base", "Lua's own functions", "", "any time", {
    func("assert(value [, message])", "the value, or an error when it is false or nil", "assert(#list > 0, \"empty\")"),
    func("error(message [, level])", "raises an error: the lens fails", 'error("no such tier")'),
    func("ipairs(list)", "walks over a list or the candidates", "for i, c in ipairs(candidates) do … end"),
    func("next(table [, key])", "the entry after `key`, in the order of `pairs`", "next(t) == nil"),
    func("pairs(table)", "walks over a table: numbers, strings, booleans, each ascending. It sorts: use numeric loops "
      .. "where it is hot", "for name, value in pairs(t) do … end"),
    func("pcall(f, ...)", "calls `f`; false and the error when it fails", "local ok, result = pcall(f)"),
    func("select(n, ...)", "the arguments from the n-th on, or their number for `\"#\"`", 'select("#", ...)'),
    func("tonumber(value [, base])", "the number that a text spells, or nil", 'tonumber("12")'),
    func("tostring(value)", "as text; of a table or function its type, without an address", "tostring(1.5)"),
    func("type(value)", 'its type; `"cdata"` for a candidate', 'type(c.value) == "number"'),
    func("unpack(list [, from [, to]])", "the list's entries as results, fewer than 8,000", "math.max(unpack(list))"),
    func("xpcall(f, handler)", "as pcall; `handler` gets the error", "xpcall(f, tostring)"),
  }),

  section("string", "string", "string.", "any time; also as methods: `s:sub(1, 3)`", {
    func("byte(s [, from [, to]])", "the bytes as numbers", 's:byte(1)'),
    func("char(...)", "the text of these bytes", "string.char(72, 105)"),
    func("find(s, what [, from])", "where the plain text `what` begins and ends; for patterns there is `steme.match`",
      's:find("mg", 1)'),
    func("format(form, ...)", "takes strings, numbers and booleans, makes at most 64 KiB; no `%p`", 'string.format("%.2f", x)'),
    func("len(s)", "length in bytes", "s:len()"),
    func("lower(s)", "ASCII letters in lower case", "s:lower()"),
    func("rep(s, times [, separator])", "the text repeated, at most 64 KiB", '("-"):rep(10)'),
    func("reverse(s)", "its bytes backwards", "s:reverse()"),
    func("sub(s, from [, to])", "a part, by bytes; negative numbers count from the end", "s:sub(1, 3)"),
    func("upper(s)", "ASCII letters in upper case", "s:upper()"),
  }),

  section("table", "table", "table.", "any time", {
    func("concat(list [, separator [, from [, to]]])", "the list's strings and numbers as one text, at most 64 KiB",
      'table.concat(t, ", ")'),
    func("insert(list, [position,] value)", "adds an entry", "table.insert(t, 1)"),
    func("remove(list [, position])", "takes an entry out and gives it", "table.remove(t)"),
    func("sort(list [, less])", "sorts in place; equal entries keep their order", "table.sort(t, function(a, b) return a > b end)"),
  }),

  section("math", "math", "math.", "any time; no `random`", {
    func("abs(x)", "absolute value"), func("acos(x)", "arc cosine"), func("asin(x)", "arc sine"),
    func("atan(x)", "arc tangent"), func("atan2(y, x)", "angle of the point (x, y)"),
    func("ceil(x)", "smallest whole number not below"), func("cos(x)", "cosine"), func("cosh(x)", "hyperbolic cosine"),
    func("deg(x)", "radians as degrees"), func("exp(x)", "e to the power of x"),
    func("floor(x)", "largest whole number not above"), func("fmod(x, y)", "remainder of x / y, with the sign of x"),
    func("frexp(x)", "mantissa and exponent of 2"), field("huge", "number", "infinity"),
    func("ldexp(m, e)", "m × 2^e"), func("log(x [, base])", "logarithm, natural without a base"),
    func("log10(x)", "logarithm to base 10"), func("max(x, ...)", "the largest"), func("min(x, ...)", "the smallest"),
    func("modf(x)", "whole part and fraction"), field("pi", "number", "π"),
    func("pow(x, y)", "x^y; x * x for 2, so that it doesn't depend on what was compiled"),
    func("rad(x)", "degrees as radians"), func("sin(x)", "sine"), func("sinh(x)", "hyperbolic sine"),
    func("sqrt(x)", "square root"), func("tan(x)", "tangent"), func("tanh(x)", "hyperbolic tangent"),
  }),

  section("bit", "bit", "bit.", "any time; on 32 bits", {
    func("arshift(x, n)", "shift right, keeps the sign"), func("band(x, ...)", "and"), func("bnot(x)", "not"),
    func("bor(x, ...)", "or"), func("bswap(x)", "bytes in reverse order"), func("bxor(x, ...)", "exclusive or"),
    func("lshift(x, n)", "shift left"), func("rol(x, n)", "rotate left"), func("ror(x, n)", "rotate right"),
    func("rshift(x, n)", "shift right"), func("tobit(x)", "as a 32-bit number"), func("tohex(x [, digits])", "as hex"),
  }),

  section("policy", "A policy's table", "policy.", "what the file returns, besides the fields of a lens's table", {
    field("kind", "string", '`"policy"`', 'kind = "policy"'),
    field("hook", "string", '`"rate_limit"`; the file and `name` are the same, since a hook has one policy',
      'hook = "rate_limit"'),
    field("limit", "function(ctx, request)", "what the request costs; nil: it is not limited. 5 ms and 8 MiB",
      "limit = function(ctx, request) return nil end"),
  }),

  section("request", "A request", "request.", "read-only, during `limit`", {
    field("route", "string", "the route, names in braces", 'request.route == "/v1/assertions/{id}"'),
    field("method", "string", "as HTTP has it", 'request.method == "POST"'),
    field("body_bytes", "number", "as announced; counted, once the body is there", "math.ceil(request.body_bytes / 1024)"),
    field("items", "number", "claims that it sends, or lenses that it runs; 1 and 0 as long as it isn't read",
      "10 * request.items"),
    field("loopback", "boolean", "whether a program on the server's machine sent it, and no proxy",
      "if request.loopback then return nil end"),
    field("signed", "boolean", "whether it carries `X-Agent-Signature`, right or wrong", "request.signed"),
    field("agent", "string or nil", "the key in `X-Agent-Id`, proven or not", "request.agent"),
    field("peer", "string", "the address that it counts for", 'request.peer == "192.0.2.1"'),
  }),

  section("verdict", "What `limit` returns", "verdict.", "all numbers above 0, `cost` 0 or more; or return `nil`", {
    field("bucket", "string", "its name: 1 to 32 of `a-z`, `0-9`, `_`; every agent and every address has one of each name",
      'bucket = "points"'),
    field("cost", "number", "points that the request takes from it", "cost = 10"),
    field("limit", "number", "points that it holds when it is full", "limit = 10000"),
    field("window_s", "number", "seconds in which an empty one is full again; 31 days at most", "window_s = 3600"),
    field("peer_limit", "number", "what all agents behind one address may take together; 10 × `limit` when absent",
      "peer_limit = 50000"),
  }),

  section("spec", "A spec's case", "spec.", "in `NAME_spec.lua`, which returns a list of cases", {
    field("claim", "string", "what holds, in words", 'claim = "the oldest claim wins"'),
    field("concept_path", "string", "what the claims are about; `\"concept\"` when absent", 'concept_path = "drugs/aspirin"'),
    field("predicate", "string", "what they say of it; `\"predicate\"` when absent", 'predicate = "must_use:tls"'),
    field("given", "table", "list of claims, see below", "given = { { value = \"a\" } }"),
    field("params", "table", "the lens's parameters", "params = { floor = 0.1 }"),
    field("expect", "table", "what the lens must say, see below", "expect = { winner = 1 }"),
  }),

  section("given", "A given claim", "given.", "in a spec's case", {
    field("value", "string, number or boolean", "what is claimed; the one field that must be there. A text has at most "
      .. "64 KiB", 'value = "new"'),
    field("confidence", "number", "0 to 1; 0.8 when absent", "confidence = 0.5"),
    field("effective_confidence", "number", "0 to `confidence`, which it is when absent", "effective_confidence = 0.3"),
    field("weight", "number", "0 to 1000; by the rule when absent", "weight = 2"),
    field("tier", "number", "0 to 5; 5 when absent", "tier = 0"),
    field("age_s", "number", "seconds before `ctx.now`, or after it when negative, in the years 0 to 9999; 0 when absent",
      "age_s = 86400"),
    field("agent", "string", "1 to 32 bytes; absent: the anonymous agent", 'agent = "x"'),
    field("trust", "number", "in the agent: 0 to 1; 0.5 when absent", "trust = 0.9"),
    field("derived_trust", "number", "0 to `trust`, which it is when absent", "derived_trust = 0.2"),
    field("votes", "number", "a whole number; 0 when absent", "votes = 2"),
    field("vote_weight", "number", "0 to `votes`, which it is when absent", "vote_weight = 1.5"),
    field("lifecycle", "string", 'as `candidate.lifecycle`; `"proposed"` when absent', 'lifecycle = "approved"'),
    field("epoch", "string", "1 to 128 bytes; absent: none", 'epoch = "spring"'),
    field("epoch_superseded", "boolean", "false when absent; true wants an `epoch`", "epoch_superseded = true"),
    field("source", "string", '1 to 512 bytes; `"s"` when absent', 'source = "glibc"'),
    field("id", "string", "1 to 32 bytes, of no other claim of the case; absent: ids ascend with the list", 'id = "zz"'),
  }),

  section("expect", "What is expected", "expect.", "in a spec's case; what isn't named isn't looked at", {
    field("winner", "number or false", "number in `given`; false: nobody", "winner = 2"),
    field("value", "string, number or boolean", "the winner's", 'value = "old"'),
    field("confidence", "number", "to 1e-9", "confidence = 0.5"),
    field("conflict_score", "number", "to 1e-9", "conflict_score = 1"),
    field("status", "string", "as `result.status`", 'status = "contested"'),
    field("candidates_count", "number", "how many claims were judged", "candidates_count = 2"),
    field("shares", "table", "`{ value, share }`, heaviest first", 'shares = { { "a", 0.75 }, { "b", 0.25 } }'),
    field("layers", "table", "the same fields with `tier`", "layers = { { tier = 1, winner = 1 } }"),
    field("explain", "string", "a part of it", 'explain = "oldest"'),
    field("notes", "table", "by number in `given`: a part of the note, or false for none", 'notes = { [2] = "too old" }'),
    field("details", "string", "the whole JSON", "details = '{\"n\":1}'"),
    field("fails", "string", "a part of the error", 'fails = "attempt to"'),
  }),
}
