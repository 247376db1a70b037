// SPDX-License-Identifier: Apache-2.0
// By kind of attack. Loops that do nothing, so that the trace compiler makes of them what it can.
#include "hostile_scripts.h"

#include <deque>
#include <string>

namespace stemedb::script::testing {
namespace {

// The piece so many times, between two others; kept for ever.
const char* Repeated(const std::string& before, const std::string& piece, int times,
                     const std::string& after) {
  static std::deque<std::string> kept;
  std::string& text = kept.emplace_back(before);
  for (int i = 0; i < times; ++i) text += piece;
  text += after;
  return text.c_str();
}

// Functions one inside the other, each with as many local variables as it may have, and in the innermost one
// names that are compared with all of them.
const char* NamesAmongLocals() {
  constexpr int kFunctions = 40;
  std::string open, close;
  for (int i = 0; i < kFunctions; ++i) {
    open += "local function f() local a";
    for (int k = 1; k < 190; ++k) open += ",a";
    open += " ";
    close += "end ";
  }
  return Repeated(open, "b=b ", 40000, close);
}

// Functions one inside the other, each with as many upvalues as it may have but for the steps', and in the
// innermost one names that are looked for among those of all.
const char* NamesAmongUpvalues() {
  constexpr int kFunctions = 97, kVariables = 52;
  std::string open = "local Y", used, close;
  for (int i = 1; i < kVariables; ++i) {
    open += ",a" + std::to_string(i);
    used += "a" + std::to_string(i) + "=1 ";
  }
  open += " local _ = function() ";
  for (int i = 1; i < kFunctions; ++i) open += "return function() ";
  for (int i = 0; i < kFunctions; ++i) close += "end ";
  return Repeated(open + used, "Y=Y ", 60000, close);
}

const char* ManyLabels() {
  std::string labels;
  for (int i = 0; i < 20000; ++i) labels += "::l" + std::to_string(i) + ":: ";
  return Repeated(labels, "", 0, "");
}

}  // namespace

const std::vector<HostileScript>& HostileScripts() {
  static const std::vector<HostileScript> scripts = {
      // Loops of every kind.
      {"while", End::kStopped, "while true do end"},
      {"while with a condition", End::kStopped, "local i = 0 while i >= 0 do i = i + 1 end"},
      {"repeat", End::kStopped, "repeat until false"},
      {"repeat with a closure", End::kStopped, "local f repeat f = function() return false end until f()"},
      {"numeric for", End::kStopped, "for i = 1, math.huge do end"},
      {"numeric for that stands still", End::kStopped, "for i = 1, 2, 0 do end"},
      {"numeric for of 1e15", End::kStopped,
       "local s = 0 for i = 1, 1e15 do s = s + i end return { explain = s .. '' }"},
      {"numeric for of not a number", End::kHarmless, "for i = 0/0, 1 do while true do end end"},
      {"nested fors", End::kStopped, "for i = 1, 1e9 do for j = 1, 1e9 do for k = 1, 1e9 do end end end"},
      {"generic for", End::kStopped, "for _ in function() return 1 end do end"},
      {"generic for over a builtin", End::kStopped, "for _ in tostring, 1 do end"},
      {"helpers that aren't there", End::kStopped,
       "local name = ('abcdefgh'):rep(8) local function get() return steme[name] end while true do "
       "pcall(get) end"},
      {"generic for over pcall", End::kStopped, "for _ in pcall, type do end"},
      {"goto", End::kStopped, "::top:: goto top"},
      {"goto with continue", End::kStopped,
       "while true do goto continue do local x = 1 end ::continue:: end"},
      {"goto between blocks", End::kStopped, "do ::a:: do goto a end end"},
      {"goto and nothing but calls", End::kStopped,
       "local s = ('9'):rep(16384) ::a:: do local _ = s + 1, s + 1, s + 1, s + 1 end goto a"},
      {"a loop on one long line of operators", End::kStopped,
       "local s = '0x' .. ('f'):rep(16000) while true do local _ = s+s+s+s+s+s+s+s+s+s+s+s+s+s+s+s end"},
      {"loops that read long texts and run no pass", End::kStopped,
       "local s, n = '0x' .. ('f'):rep(16000), 1e9 for i = 1, n do for j = s, 1, s do end end"},
      {"loops that count to a long text", End::kStopped,
       "local s = '0x' .. ('0'):rep(16000) while true do for i = 1, s do end end"},
      {"counting loops in each other", End::kStopped,
       "local n = 1e9 for a = 1, n do for b = 1, n do for c = 1, n do for d = 1, n do for e = 1, n do end "
       "end end end end"},
      {"counting loops without a pass, for ever", End::kStopped,
       "local t, n = {}, -1e300 while true do for i = 1, #t do end for i = 9, n do end for i = 1, 0/0 do end "
       "end"},
      {"a counting loop that its own body makes longer", End::kStopped,
       "local t = { 1 } while true do for i = 1, #t do t[i % 100 + 1] = i end end"},
      {"loop at load", End::kRefused, "", "while true do end"},
      {"much work at load", End::kRefused, "return {}", "local n = 0 for i = 1, 1e8 do n = n + i % 7 end"},
      {"much work at load, in pieces that it catches", End::kRefused, "return {}",
       "for _ = 1, 100 do pcall(function() local n = 0 for i = 1, 1e6 do n = n + i % 7 end end) end"},
      {"loop in a comment's shadow", End::kStopped, "--[==[ ]] ]=] ]==] while true do end --]==]\n"},
      {"loop between texts", End::kStopped, "local _ = '\\\\' while true do end _ = '\\z   \\''"},
      {"loop behind a carriage return", End::kStopped, "--\rwhile true do end"},
      {"loop in a coroutine", End::kHarmless, "coroutine.wrap(function() while true do end end)()"},
      // Recursion.
      {"deep recursion", End::kCapped, "local function f(n) return 1 + f(n + 1) end return f(1)"},
      {"tail calls", End::kStopped, "local function f() return f() end return f()"},
      {"mutual recursion", End::kStopped,
       "local f, g function f() return g() end function g() return f() end return f()"},
      {"recursion by itself as argument", End::kStopped, "local function f(x) return x(x) end return f(f)"},
      {"tree of calls", End::kStopped, "local function f(n) if n > 0 then f(n - 1) f(n - 1) end end f(60)"},
      {"recursion that catches its overflow", End::kCapped, "local function f() pcall(f) return f() end f()"},
      {"recursion in both arms of pcall", End::kCapped, "local function f() pcall(f) pcall(f) end f()"},
      {"recursion through sort", End::kHarmless,
       "local function f() table.sort({ 1, 2, 3 }, function() f() return false end) end f()"},
      {"nested pcall", End::kHarmless, "local function f(n) if n > 0 then pcall(f, n - 1) end end f(200)"},
      {"growing arguments", End::kCapped, "local function f(...) return f(1, 2, 3, 4, ...) end f()"},
      {"parameters by the thousand", End::kStopped,
       "local t = {} for i = 1, 7000 do t[i] = i end local function f(...) while true do local _ = "
       "select('#', ...) + "
       "select('#', ...) + select('#', ...) end end f(unpack(t))"},
      // Catching what stops it.
      {"pcall around the loop", End::kStopped, "pcall(function() while true do end end) return {}"},
      {"loop around pcall", End::kStopped, "while true do pcall(function() while true do end end) end"},
      {"pcall of pcall", End::kStopped,
       "while true do pcall(pcall, pcall, function() while true do end end) end"},
      {"pcall of error", End::kStopped, "while true do pcall(error, 'x') end"},
      {"pcall of error with a far level", End::kStopped,
       "local function deep(n) if n > 0 then return 1 + deep(n - 1) end while true do pcall(error, 'x', 1e9) "
       "end end "
       "deep(5000)"},
      {"xpcall with a handler that loops", End::kStopped,
       "xpcall(function() while true do end end, function() while true do end end) return {}"},
      {"xpcall with a handler that throws", End::kHarmless,
       "while true do xpcall(error, function() error('again') end) end"},
      {"xpcall that handles itself", End::kHarmless, "local function f(x) return xpcall(f, f, x) end f()"},
      {"error in the handler, at once", End::kHarmless, "xpcall(error, error) error(error)"},
      {"answer behind the end", End::kStopped,
       "pcall(function() while true do end end) return { winner = 1, explain = 'I was not stopped' }"},
      {"error with a table behind the end", End::kStopped,
       "pcall(function() while true do end end) error({})"},
      {"many catchers", End::kStopped,
       "local f = function() while true do end end for i = 1, 10 do local g = f f = function() pcall(g) "
       "pcall(g) end "
       "end f() return {}"},
      // Library functions as loops.
      {"sort of a million", End::kStopped,
       "while true do local t = {} for i = 1, 1e5 do t[i] = -i end table.sort(t) end"},
      {"sort by a comparator that loops", End::kStopped,
       "table.sort({ 1, 2 }, function() while true do end end)"},
      {"sort by a comparator without sense", End::kHarmless,
       "local t = {} for i = 1, 500 do t[i] = i end table.sort(t, function() return true end)"},
      {"sort of long texts", End::kStopped,
       "local t, a, b = {}, ('x'):rep(16000) .. 'a', ('x'):rep(16000) .. 'b' for i = 1, 1e5 do t[i] = i % 2 "
       "== 0 and a "
       "or b end while true do table.sort(t) end"},
      {"sort by a builtin", End::kStopped,
       "local t = {} for i = 1, 1e5 do t[i] = i end while true do table.sort(t, rawequal or math.max) end"},
      {"pairs of a large table", End::kStopped,
       "local t = {} for i = 1, 1e5 do t[i] = i end while true do for _ in pairs(t) do break end end"},
      {"pairs of an emptied table", End::kStopped,
       "local t = {} for i = 1, 3e5 do t[i] = i end for i = 1, 3e5 do t[i] = nil end while true do pairs(t) "
       "end"},
      {"next of an emptied table", End::kStopped,
       "local t = {} for i = 1, 3e5 do t[i] = i end for i = 1, 3e5 do t[i] = nil end while true do local _ = "
       "next(t) end"},
      {"next over and over", End::kStopped,
       "local t = {} for i = 1, 1e4 do t[i] = i end local k repeat k = next(t, k) until false"},
      {"insert in front", End::kStopped, "local t = {} while true do table.insert(t, 1, 1) end"},
      {"remove in front", End::kStopped,
       "local t = {} for i = 1, 2e5 do t[i] = i end while true do table.remove(t, 1) t[2e5] = 1 end"},
      {"concat over and over", End::kStopped,
       "local t = {} for i = 1, 6000 do t[i] = 'abcdefghij' end while true do local _ = table.concat(t) end"},
      {"concat of empty texts", End::kStopped,
       "local t = {} for i = 1, 1e6 do t[i] = '' end while true do local _ = table.concat(t) end"},
      {"concat of numbers", End::kStopped,
       "local t = {} for i = 1, 3000 do t[i] = i / 7 end while true do local _ = table.concat(t) end"},
      {"find with a bad needle", End::kStopped,
       "local h, n = ('a'):rep(60000), ('a'):rep(30000) .. 'b' while true do local _ = h:find(n) end"},
      {"format over and over", End::kStopped,
       "local f, t = ('%99.99f'):rep(100), {} for i = 1, 200 do t[i] = 1e308 end while true do local _ = "
       "f:format(unpack(t)) end"},
      {"format of all texts", End::kStopped,
       "local s = ('x'):rep(60000) while true do local _ = ('%s'):format(s), ('%q'):format(s) end"},
      {"numbers of long texts", End::kStopped,
       "local s = ('0'):rep(60000) local t = {} for i = 1, 200 do t[i] = s end while true do "
       "local _ = tonumber(s), math.floor(s), bit.tobit(s), s * s end"},
      {"maximum of long texts", End::kHarmless,
       "local t = {} for i = 1, 7000 do t[i] = ('0'):rep(16000) end local _ = math.max(unpack(t))"},
      {"characters of long texts", End::kHarmless,
       "local t = {} for i = 1, 7000 do t[i] = ('0'):rep(16000) .. '65' end local _ = "
       "string.char(unpack(t))"},
      {"comparing long texts", End::kStopped,
       "local a, b = ('x'):rep(65000) .. 'a', ('x'):rep(65000) .. 'b' while true do local _ = a < b, a <= b, "
       "b > a end"},
      {"joining long texts", End::kStopped,
       "local a = ('x'):rep(40000) while true do local _ = a .. 'y', a .. 'z', 'w' .. a end"},
      {"helpers without end", End::kHarmless, "local _ = steme.total({}, 1e15)"},
      {"conflict without end", End::kHarmless,
       "local _ = steme.conflict({ 1 }, math.huge) == steme.total({}, '1e15')"},
      {"helpers over and over", End::kStopped, "while true do steme.total({}, 65536) end"},
      {"helpers over a large list", End::kStopped,
       "local t = {} for i = 1, 6e4 do t[i] = candidates[1] end while true do steme.weights(t) "
       "steme.by_value(t) end"},
      {"sums of long texts", End::kHarmless,
       "local s, t = ('0'):rep(16000), {} for i = 1, 6e4 do t[i] = s end for i = 1, 50 do steme.total(t, "
       "6e4) "
       "end"},
      {"weights of claims that are none", End::kHarmless,
       "local c, t = { value_index = 1, weight = ('0'):rep(16000) }, {} for i = 1, 6e4 do t[i] = c end "
       "steme.weights(t)"},
      {"a leader by long texts", End::kHarmless,
       "local s, w, t = ('0'):rep(16000), {}, {} for i = 1, 2e4 do t[i] = { value_index = i } w[i] = s end "
       "steme.leader(t, w)"},
      {"keep with a function that loops", End::kStopped,
       "steme.keep(candidates, function() while true do end end)"},
      {"keep over and over", End::kStopped,
       "local t = {} for i = 1, 6e4 do t[i] = candidates[1] end while true do steme.keep(t, type) end"},
      {"keep of a list that grows meanwhile", End::kHarmless,
       "local t = { candidates[1] } steme.keep(t, function(c) t[#t + 1] = c return true end)"},
      {"keep of what long texts spell", End::kStopped,
       "local s, t = ('0'):rep(16000), {} for i = 1, 6e4 do t[i] = s end while true do pcall(steme.keep, t, "
       "tonumber) "
       "end"},
      {"best with a function that loops", End::kStopped,
       "steme.best(candidates, function() while true do end end)"},
      {"best over and over", End::kStopped,
       "local t = {} for i = 1, 6e4 do t[i] = candidates[i % 2 + 1] end while true do steme.best(t, "
       "function(c) "
       "return c.weight end) end"},
      {"best of what long texts spell", End::kStopped,
       "local s, t = ('0'):rep(60000), {} for i = 1, 6e4 do t[i] = s end while true do pcall(steme.best, t, "
       "tonumber) end"},
      {"rules over a large list", End::kStopped,
       "local t = {} for i = 1, 6e4 do t[i] = candidates[i % 2 + 1] end while true do "
       "steme.rule('tier_authority', ctx, t) steme.rule('recency', ctx, t) steme.rule('confidence', ctx, t) "
       "end"},
      {"rules over claims that are none", End::kStopped,
       "local s, t = ('0'):rep(60000), {} local c = { tier = s, weight = s, number = 1, value_index = 1, "
       "timestamp = 1, effective_confidence = s } for i = 1, 6e4 do t[i] = c end while true do "
       "for _, rule in ipairs({ 'tier_authority', 'recency', 'confidence', 'consensus' }) do "
       "pcall(steme.rule, rule, ctx, t) end end"},
      {"helpers at load", End::kRefused, "", "steme.total({}, 1e15)"},
      {"helpers at load, with nothing behind them", End::kHarmless, "return {}",
       "pcall(steme.decay, 1, 1, 1) pcall(steme.voices, {}) pcall(steme.smaller_id, 1, 2)"},
      // Patterns.
      {"backtracking pattern", End::kStopped,
       "local s = ('a'):rep(5000) while true do local _ = steme.match(s, '(a*)*(a*)*(a*)*b') end"},
      {"exponential alternation", End::kStopped,
       "local s = ('a'):rep(30000) while true do local _ = steme.match(s, '(a|aa)+$') == 1 or "
       "steme.match(s, '(x+x+)+y') end"},
      {"giant pattern", End::kHarmless, "return { explain = steme.match('x', '((a{30}){30}){30}') }"},
      {"many patterns", End::kStopped,
       "local i = 0 while true do i = i + 1 pcall(steme.match, 'x', 'a{1,' .. i % 500 .. '}[^b-y]\\\\pL{3}' "
       ".. i) end"},
      {"pattern as a loop", End::kStopped, "while true do steme.find_all(('a'):rep(60000), 'a.*b|a') end"},
      {"pattern that is no pattern", End::kHarmless, "return { explain = steme.match('x', '(') }"},
      // Memory.
      {"numbers without end", End::kCapped, "local t = {} for i = 1, 1e9 do t[i] = i end"},
      {"long texts without end", End::kCapped,
       "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(60000 + i % 5000) end"},
      {"tables without end", End::kCapped, "local t = {} while true do t = { t, {}, {} } end"},
      {"texts without end", End::kCapped, "local t = {} for i = 1, 1e9 do t['k' .. i] = 'v' .. i end"},
      {"doubled text", End::kCapped, "local s = 'x' while true do s = s .. s end"},
      {"doubled text, caught", End::kCapped,
       "local s = 'x' while true do pcall(function() s = s .. s end) end"},
      {"repeated text", End::kCapped, "return { explain = string.rep('x', 1e9) }"},
      {"closures without end", End::kCapped,
       "local f while true do local g = f f = function() return g end end"},
      {"memory caught over and over", End::kStopped,
       "while true do pcall(function() local t = {} for i = 1, 1e9 do t[i] = {} end end) end"},
      {"a table that is rebuilt at every step", End::kStopped,
       "local t, n = {}, 131072 for i = 1, n - 1 do t['k' .. i] = i end local i = 1 while true do t['k' .. "
       "i] = nil "
       "t['k' .. i + n] = 1 i = i + 1 end"},
      {"details that are wide and empty", End::kStopped,
       "local t = {} for i = 1, 2e5 do t[i] = 1 end for i = 1, 2e5 do t[i] = nil end local d = {} for i = 1, "
       "5000 do "
       "d[i] = t end return { details = { d = d } }"},
      {"unpack of everything", End::kCapped, "return unpack({}, 1, 1e8)"},
      {"unpack backwards", End::kHarmless, "return unpack({}, 2^31, -2^31)"},
      // What LuaJIT's parser would take long for: 256 KiB at most.
      {"breaks by the thousand", End::kRefused, "return {}",
       Repeated("repeat ", "do break end ", 18000, "until true ")},
      {"gotos by the thousand", End::kRefused, "return {}", Repeated("", "do goto a end ", 17000, "::a:: ")},
      {"labels by the thousand", End::kRefused, "return {}", ManyLabels()},
      {"a chain of and", End::kRefused, "return {}", Repeated("local x = x", " and x", 40000, " ")},
      {"a chain of or", End::kRefused, "return {}", Repeated("local x = x", " or x", 45000, " ")},
      {"a chain of elseif", End::kRefused, "return {}",
       Repeated("if x then ", "elseif x then ", 17000, "end ")},
      {"blocks one inside the other", End::kRefused, "return {}", Repeated("", "do ", 60000, "")},
      {"breaks out of blocks one inside the other", End::kRefused, "return {}",
       Repeated(Repeated("", "do ", 30000, ""), "break;", 25000, "")},
      {"names among local variables", End::kRefused, "return {}", NamesAmongLocals()},
      {"names among upvalues", End::kRefused, "return {}", NamesAmongUpvalues()},
      // Ways out.
      {"bytecode", End::kRefused, "", "\x1bLJ\x02"},
      {"a hidden name", End::kRefused,
       "\x80"
       "f = 1e300 while true do end"},
      {"a hidden name in a nested function", End::kRefused, "return function() \x80t = nil end"},
      {"goto as a name", End::kRefused, "local goto = 1"},
      {"goto as a trap for the rewriting", End::kRefused, "local goto x = 1 while true do end"},
      {"an unfinished comment", End::kRefused, "--[[ while true do end"},
      {"the world by _G", End::kHarmless, "_G.os.exit(1)"},
      {"the world by getfenv", End::kHarmless, "getfenv(0).os.exit(1)"},
      {"ffi", End::kHarmless, "require('ffi').cdef'int system(const char *);'"},
      {"ffi by a number", End::kHarmless, "local x = 1LL return x.typeof('int')"},
      {"ffi by a candidate", End::kHarmless, "local _ = candidates[1]('int')"},
      {"pointers by arithmetic", End::kHarmless, "return (candidates + 1)[0]"},
      {"io, os, debug, package, load", End::kHarmless,
       "local _ = io or os or debug or package or load or loadstring or dofile or loadfile if _ then while "
       "true do end end "
       "string.dump(function() end)"},
      {"the string metatable", End::kHarmless, "getmetatable('').__index = nil"},
      {"a method for all texts", End::kHarmless,
       "local s = string s.loop = function() while true do end end"},
      {"finalizer", End::kHarmless, "newproxy(true)"},
      {"a candidate of nowhere", End::kHarmless, "return candidates[2^53].value"},
      {"writing to the arguments", End::kHarmless, "ctx.params.x = 1"},
  };
  return scripts;
}

}  // namespace stemedb::script::testing
