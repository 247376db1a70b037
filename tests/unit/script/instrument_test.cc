// SPDX-License-Identifier: Apache-2.0
// What the rewriting puts in, where, and that nothing else changes: line numbers and results stay what they
// were.
#include "script/instrument.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <lua.hpp>

namespace stemedb::script {
namespace {

using ::testing::HasSubstr;

// The rewritten text with `<W>` for a step and without the first line's declarations.
std::string Show(const std::string& source) {
  const auto text = Instrument("x.lua", source);
  if (!text) return std::string(text.error().message());
  std::string shown = *text;
  shown.erase(0, shown.find("n end) ") + 7);
  for (size_t at; (at = shown.find(" \x80"
                                   "f=\x80"
                                   "f-")) != std::string::npos;) {
    const size_t number = at + 7, end = shown.find(" end ", at);
    const std::string weight = shown.substr(number, shown.find(' ', number) - number);
    shown.replace(at, end + 5 - at, "<" + weight + ">");
  }
  std::replace(shown.begin(), shown.end(), '\x80', '$');
  return shown;
}

TEST(Instrument, PutsAStepIntoEveryFunctionAndLoop) {
  EXPECT_EQ(Show("local function f(a, ...) return a end"), "<2>local function f(a, ...)<2> return a end");
  EXPECT_EQ(Show("function t.a.b:c() end"), "<2>function t.a.b:c()<2> end");
  EXPECT_EQ(Show("while true do end"), "<2>while true do<2> end");
  EXPECT_EQ(Show("for i = 1, 2 do end for k in f do end"), "<2>for i = 1, 2 do<2> end for k in f do<10> end");
  EXPECT_EQ(Show("repeat local x until x"), "<2>repeat<2> local x until x");
  EXPECT_EQ(Show("do end if a then else end"), "<2>do end if a then else end");
  EXPECT_EQ(Show("while (function() return 1 end)() do end"),
            "<10>while (function()<2> return 1 end)() do<10> end");
}

TEST(Instrument, MakesNoTailCallsOfHelpers) {
  EXPECT_EQ(Show("return steme.best(c, f)"), "<10>return (steme.best(c, f))");
  EXPECT_EQ(Show("return steme.rule('a', (b))"),
            "local $p=function(...) return ... end <10>return $p(steme.rule('a', (b)))");
  EXPECT_EQ(Show("if a then return steme.weights(c)else return steme.match(t, ')'); end"),
            "local $p=function(...) return ... end <18>if a then return (steme.weights(c))else return "
            "$p(steme.match(t, ')')); end");
  EXPECT_EQ(Show("repeat return\nsteme\n.best(function() return steme.x() end)until a"),
            "<2>repeat<10> return\n(steme\n.best(function()<10> return (steme.x()) end))until a");
  for (const char* other :
       {"return steme.best(c, f).value", "return steme.best(c, f), 1", "return steme.best(c) or d",
        "local x = steme.rule('a')", "return other.best(c)", "return steme.best 'x'", "return steme.best(c",
        "return steme.best", "return steme(c)", "return (steme.best(c))", "return steme.a.b(c)"}) {
    EXPECT_THAT(Show(other), HasSubstr(other)) << "nothing is put between";
  }
}

TEST(Instrument, LetsACountingLoopPayForManyPassesAtOnce) {
  EXPECT_EQ(Show("for i = 1, #t do x = x + i end"),
            "<2> do local $n=#t for $c=1,$n,409 do local $m=$c+408 if $m>$n then $m=$n end<($m-$c+1)*10>"
            "for i = $c, $m do x = x + i end end end ");
  EXPECT_THAT(Show("for i = 2, n do f(i) end"), HasSubstr("local $n=n+0 for $c=2,$n,409 do"));
  const std::string inner = Show("for i = 1, n do for j = 1, n do if j then break end end end");
  EXPECT_THAT(inner, HasSubstr("for i = $c, $m do for j = 1, n do<2> if j then break end end end end end "))
      << "a break would leave the stretch alone";
  for (const char* source : {
           "for i = 1, n do if i then break end end",
           "for i = 1, n do if i then return i end end",
           "for i = 1, #t + 1 do end",
           "for i = 1, f() do end",
           "for i = 1, t.n do end",
           "for i = 1, #t.n do end",
           "for i = 1.5, #t do end",
           "for i = 1000000000, #t do end",
           "for i = a, #t do end",
           "for i = -1, #t do end",
           "for i = 1, #t, 2 do end",
           "for i = 1,\n#t do end",
           "for k, v in pairs(t) do end",
       })
    EXPECT_EQ(Show(source).find('$'), std::string::npos) << source;
  std::string dear;
  for (int i = 0; i < 40; ++i) dear += " + x";
  EXPECT_EQ(Show("for i = 1, n do y = x" + dear + " end").find('$'), std::string::npos)
      << "it may cost too much";
  EXPECT_THAT(Show("for i = 1, n do f(function() for j = 1, 2 do break end return 1 end) end"),
              HasSubstr("$c"))
      << "what leaves a function inside leaves no stretch";
  std::string nested, ends;
  for (int i = 0; i < 6; ++i) nested += "for i = 1, n do ", ends += " end";
  const std::string deep = Show(nested + ends);
  size_t stretched = 0;
  for (size_t at = 0; (at = deep.find("local $n", at)) != std::string::npos; ++at) ++stretched;
  EXPECT_EQ(stretched, 4u);
}

TEST(Instrument, PutsAStepBeforeGotosAndLabels) {
  EXPECT_EQ(Show("::a:: goto a"), "<2><2>::a:: <4>goto a");
  EXPECT_EQ(Show("for i = 1, 2 do if i then goto c end local x ::c:: end"),
            "<2>for i = 1, 2 do<2> if i then <4>goto c end local x <2>::c:: end");
  EXPECT_EQ(Show("::a:: f() g() goto a"), "<2><18>::a:: f() g() <20>goto a")
      << "the way back pays for all of it";
}

TEST(Instrument, MakesStraightCodePay) {
  EXPECT_EQ(Show("return a .. b .. c"), "<10>return a .. b .. c");
  EXPECT_EQ(Show("return a < b, a >= b, a == b"), "<4>return a < b, a >= b, a == b");
  EXPECT_EQ(Show("return f(g 'x', h { }, ...)"), "<34>return f(g 'x', h { }, ...)");
  EXPECT_EQ(Show("return 2 * 3 - x, -1, -x, #x"), "<18>return 2 * 3 - x, -1, -x, #x");
  EXPECT_EQ(Show("for i = a, b, c do end"), "<26>for i = a, b, c do<2> end")
      << "texts, perhaps, which are read";
  EXPECT_EQ(Show("for i = 1, n do break end"), "<26>for i = 1, n do<2> break end");
  EXPECT_EQ(Show("while a < b do end"), "<3>while a < b do<3> end")
      << "the condition runs once more than the body";
  EXPECT_EQ(Show("repeat until a < b x = 1 < y"), "<4>repeat<3> until a < b x = 1 < y");
}

// A step may pay only for what runs when it has run.
TEST(Instrument, ForgetsAStepAtTheEndOfItsBranch) {
  std::string calls;
  for (int i = 0; i < 70; ++i) calls += "f() ";
  EXPECT_EQ(Show("if a then ::l:: f() f() end g()"), "<10>if a then <18>::l:: f() f() end g()");
  const std::string branch = Show("if a then " + calls + "end g() g()");
  EXPECT_EQ(branch.find("<514>if a then f() f()"), 0u);
  EXPECT_THAT(branch, HasSubstr("f() end <18>g() g()"));
  const std::string text = Show(calls + "x = 1 " + calls);
  EXPECT_THAT(text, HasSubstr("f() <")) << "and between statements there are more of them";
}

TEST(Instrument, KeepsEveryLineNumber) {
  const std::string source =
      "local a\n\nfor i = 1, 2 do\n\n\nend\r\nrepeat\n --[[\n]] until a\nreturn function(\n)\n end";
  const auto text = Instrument("x.lua", source);
  ASSERT_TRUE(text);
  EXPECT_EQ(std::count(text->begin(), text->end(), '\n'), std::count(source.begin(), source.end(), '\n'));
  EXPECT_EQ(Show(source).find("<2>local a\n\nfor i = 1, 2 do<2>\n\n\nend\r\nrepeat<2>\n --[["), 0u);
}

TEST(Instrument, RefusesWithPlaceAndRemedy) {
  EXPECT_THAT(Show("\nlocal goto = 1"),
              HasSubstr("x.lua:2: 'goto' is used as a name: call it something else"));
  EXPECT_THAT(Show("local goto x = 1"), HasSubstr("'goto' is used as a name"));
  EXPECT_THAT(Show("b = a.goto x (f)()"), HasSubstr("'goto' is used as a name"));
  EXPECT_THAT(Show("goto()"), HasSubstr("'goto' is used as a name"));
  std::string sum = "\n\nreturn x";
  for (int i = 0; i < 600; ++i) sum += "\n+ x";
  EXPECT_THAT(Show(sum), HasSubstr("x.lua:515: more than 512 operators and calls"));
  const std::string long_text(16 << 10, 'x');
  EXPECT_THAT(Show("local a\nlocal b = '" + long_text + "'"),
              HasSubstr("x.lua:2: a text or name of more than 16 KiB"));
  EXPECT_THAT(Show("t." + long_text + "x = 1"), HasSubstr("a text or name of more than 16 KiB"));
  EXPECT_THAT(Show("function t." + long_text + "x() end"), HasSubstr("a text or name of more than 16 KiB"));
  EXPECT_EQ(Show("local b = '" + long_text.substr(2) + "' -- " + long_text).find("x.lua"), std::string::npos);
  std::string statements = "local x = 0";
  for (int i = 0; i < 6000; ++i) statements += " x = x + f(x)";
  EXPECT_EQ(Show(statements).find("x.lua"), std::string::npos) << "statements may be as many as one likes";
}

// Both forms in plain LuaJIT: what they return, and the errors they raise, lines included, must be the same.
class Plain {
 public:
  Plain() : lua_(luaL_newstate()) { luaL_openlibs(lua_); }
  ~Plain() { lua_close(lua_); }

  std::string Run(const std::string& text) {
    lua_pushcfunction(lua_, [](lua_State*) { return 0; });
    lua_setglobal(lua_, "\x80l");
    lua_pushcfunction(lua_, [](lua_State*) { return 0; });
    lua_setglobal(lua_, "\x80t");
    const bool ok = luaL_loadbufferx(lua_, text.data(), text.size(), "@x.lua", "t") == 0 &&
                    lua_pcall(lua_, 0, LUA_MULTRET, 0) == 0;
    std::string result = ok ? "" : "error ";
    const int count = lua_gettop(lua_);
    for (int i = 1; i <= count; ++i) {
      lua_getglobal(lua_, "tostring");
      lua_pushvalue(lua_, i);
      lua_call(lua_, 1, 1);
      result += std::string(lua_tostring(lua_, -1)) + " ";
      lua_pop(lua_, 1);
    }
    lua_settop(lua_, 0);
    return result;
  }

 private:
  lua_State* lua_;
};

TEST(Instrument, ChangesNoMeaning) {
  const char* programs[] = {
      "local t = { n = 0 } function t:add(x) self.n = self.n + x return self end return t:add(1):add(2).n",
      "local function f(...) local a, b = ... return select('#', ...), a, b, ... end return f(1, nil, 3)",
      "local s = 0 repeat local x = s s = s + 1 repeat local y = x until y == x until x >= 5 return s",
      "local s = 0 for i = 1, 10 do if i % 2 == 0 then goto continue end s = s + i ::continue:: end return s",
      "local s = 0 for i = 1, 3 do for j = 1, 3 do if j == 2 then goto next end s = s + j end ::next:: end "
      "return s",
      "local i = 1 ::top:: i = i * 2 if i < 100 then goto top end return i",
      "do goto done end local x ::done:: return 1",
      "do local x = 1 goto done end ::done:: ::again:: return 2",
      "local s = '' for i = 3, 1, -1 do s = s .. i end for i = 1, 0 do s = s .. 'no' end return s",
      "local s = 0 for i = 0.1, 1, 0.1 do s = s + 1 end return s",
      "local s, n = '', 1000 for i = 1, n do s = s .. i % 7 end return s, #s",
      "local t, s = {}, 0 for i = 1, 500 do t[i] = i end for i = 2, #t do s = s + t[i] t[i + 1] = 1 end "
      "return s",
      "local t, s = {}, 0 for i = 1, #t do s = 1 end for i = 7, #t do s = 1 end return s",
      "local n, s = 2.5, 0 for i = 1, n do n = 100 s = s + i end return s",
      "local n, s = '12', 0 for i = 1, n do s = s + i end return s",
      "local n, s = 0 / 0, 0 for i = 1, n do s = 1 end return s",
      "local n, s = 300, 0 for i = 0, n do if i % 2 == 0 then goto on end s = s + i ::on:: end return s",
      "local n, s = 300, 0 for i = 1, n do if i == 200 then goto out end s = s + i end ::out:: return s",
      "local n, f = 300, {} for i = 1, n do f[i] = function() i = i + 1 return i end end "
      "return f[1](), f[1](), f[2](), f[300]()",
      "local n = 3 local s = '' for i = 1, n do for j = 1, n do for k = 1, n do s = s .. i .. j .. k end end "
      "end "
      "return s",
      "local n = 3\nlocal t\nfor i = 1, n do\n if i == 2 then\n t.x = 1 end end",
      "local t\n\nfor i = 1, #t do end",
      "local s = 0 for --[[x]] i --[[y]] = --[[z]] 1,2 do--[[q]]s=s+i end--",
      "return(function(...)return...end)(1,2)",
      "local f=function()return'x'end return f()..f'y'..#[[z]]",
      "local a = {} a.x, a.y = 1, 2; (function() a.x = 3 end)() return a.x",
      "local a = 1;;; return a",
      "while true do break end return 'out'",
      "while true do if true then break end end return 'out'",
      "local n = 0 while n < 3 do n = n + 1 end return n",
      "local t = {} for i = 1, 3 do t[i] = function() i = i + 1 return i end end return t[1](), t[1](), "
      "t[2]()",
      "local function fact(n) if n < 2 then return 1 end return n * fact(n - 1) end return fact(10)",
      "local co = coroutine.wrap(function(a) local b = coroutine.yield(a) return b end) return co(1), co(2)",
      "return pcall(function() error('x') end)",
      "return pcall(function()\n\nlocal x = nil + 1 end)",
      "local x\n\nx.y = 1",
      "return select(2, pcall(function() local t = setmetatable({}, { __index = function(_, k) error(k, 2) "
      "end })\n"
      "return t.a end))",
      "return debug.getinfo(function()\n\nend, 'S').linedefined, debug.getinfo(function() end, "
      "'S').lastlinedefined",
      "return 0x1p4, 1e2, .5, 3LL, '\\x41\\65\\u{42}\\z   C', [==[\n]]]==]",
      "return not nil == true, 2^3^2, -2^2, 'a' .. 1 .. 2",
      "return (\"x\"):rep(3)",
      "local t = { f = function() return 1 end, [1] = 2; 3, ... } return t.f(), t[1], #t",
      "if nil then return 1 elseif false then return 2 else return 3 end",
      "local function f() return end return f()",
      "local a <const> = 1",
      "return 1 return 2",
      "for i = 1 do end",
      "x = = 1",
      "local t = {} t.a = {} t.a.b = function(self) return self end function t.a.c(x) return x end return "
      "t.a.c(4)",
      "local r = {} for k, v in next, { 5 } do r[#r + 1] = k + v end return r[1]",
      "local x = 0 local function inc() x = x + 1 return x end repeat until inc() > 3 inc() return x",
      "local f repeat f = function() return 7 end until f() == 7 return f()",
      "repeat local done = true until (function() return done end)() return 'done'",
  };
  for (const std::string program : programs) {
    const auto text = Instrument("x.lua", program);
    Plain plain, rewritten;
    const std::string expected = plain.Run(program);
    if (!text) {
      EXPECT_EQ(expected.find("error x.lua:"), 0u) << program << " is refused: " << text.error().message();
    } else if (expected.find("error x.lua:1: ") == 0 && expected.find("near") != std::string::npos) {
      EXPECT_EQ(rewritten.Run(*text).find("error"), 0u)
          << program;  // no Lua: LuaJIT complains of the original
    } else {
      EXPECT_EQ(rewritten.Run(*text), expected) << program;
    }
  }
}

}  // namespace
}  // namespace stemedb::script
