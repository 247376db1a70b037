// SPDX-License-Identifier: Apache-2.0
// Prompt: a Lua state for somebody who types. It has the world of a script's sandbox, with globals that may
// be set and stay, and a library of functions that ask C++. Values go between Lua and C++ as JSON.
//
// The library is a trusted Lua chunk of the caller's, called as library(ask, as, to_json, api):
//   ask(name, ...)   calls the Function of that name with the list of arguments and gives its answer,
//   decoded;
//                    raises its failure as an error
//   as(view, table)  says how a table is meant to be shown: comes back as Shown::view
//   to_json(value)   as text
//   api              the script API, reference.h
// and returns { functions = by name, complete = function(text), fields = function(text) }: `complete` gives,
// where the text ends inside quotes, a list { bytes that are replaced, candidate, … }, else nil; `fields`
// gives further names that may stand where the text ends.
//
// One thread, but for Interrupt. Runs with the JIT on; there is no time limit but who sits before it. The
// memory has a cap, which the globals count for as well.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace stemedb::script {

// Takes a JSON list of arguments, gives JSON.
using PromptFunction = std::function<Result<std::string>(std::string_view arguments)>;

struct PromptOptions {
  std::string_view library;  // outlives Open
  std::map<std::string, PromptFunction> functions;
  size_t memory_bytes_max = 256u << 20;
};

struct Shown {
  std::string json;
  std::string view;  // as the library named it; empty: none
};

struct Evaluation {
  enum class Kind : uint8_t {
    kValues,
    kIncomplete,  // more lines must come
  };
  Kind kind = Kind::kValues;
  std::vector<Shown> values;
};

struct Completion {
  size_t replaced_bytes = 0;  // at the end of the text
  std::vector<std::string> candidates;
};

class Prompt {
 public:
  static Result<std::unique_ptr<Prompt>> Open(PromptOptions options);
  ~Prompt();
  Prompt(const Prompt&) = delete;
  Prompt& operator=(const Prompt&) = delete;

  // Runs one expression, whose values are given, or statements. kInvalidArgument "input_failed" with what the
  // input did wrong, or "interrupted". An input that fills the memory fails like any other, and the globals
  // stay; unless they themselves leave less than a quarter of it free: then they are gone, and the failure
  // says so.
  Result<Evaluation> Evaluate(std::string_view text);
  Completion Complete(std::string_view text);
  // Every name that the sandbox offers ("string.rep"), every field of a candidate ("candidate.weight") and
  // every function of the library ("console.NAME"), sorted.
  std::vector<std::string> Names();

  // Ends what Evaluate is running, at the next step of what was typed or of the sandbox's function that it
  // called; also when it catches errors. Any thread, and signal handlers.
  void Interrupt();

 private:
  struct Impl;
  explicit Prompt(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace stemedb::script
