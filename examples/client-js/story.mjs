// SPDX-License-Identifier: Apache-2.0
/**
 * What the stories beside this folder have in common: agents with example keys, claims from a file, and answers that
 * must be the ones that the story's README prints.
 *
 * A story can be told again on the same server: its claims and operations have fixed times, so they are recognised, and
 * what it asks about an earlier moment it asks with `as_of`.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { StemeDB, idOf, importKey, sign } from './stemedb.mjs';

/** The key of an example's agent. Anybody can derive it: a signature by it shows how signing works, not who signed. */
export async function exampleKey(name) {
  return importKey(createHash('sha256').update(`stemedb example agent: ${name}`).digest('hex'));
}

export class Story {
  #folder;
  #url = process.argv[2] ?? process.env.STEMEDB_URL ?? 'http://127.0.0.1:18180';
  #lines = [];
  #untold = new Set();

  /** Ids of the claims that were loaded, by the names that the file gives them. */
  ids = {};
  /** Whether the server has been told this story before. */
  isRepeated = false;

  /** @param {string} script  import.meta.url of the script that tells it */
  constructor(script) {
    this.#folder = new URL('.', script);
  }

  /** A client that signs as this agent. */
  async as(agent) {
    return new StemeDB(this.#url, { key: await exampleKey(agent) });
  }

  /**
   * Signs and stores the claims of a file of the story: on each line an agent, a name for the claim, and the claim,
   * whose `parent` and `derived_from` are names of earlier ones.
   *
   * @returns {Promise<number>} the sequence of the last one
   */
  async load(file) {
    const records = [];
    for (const line of readFileSync(new URL(file, this.#folder), 'utf8').trim().split('\n')) {
      const { agent, name, claim } = JSON.parse(line);
      if (claim.parent) claim.parent = this.#idNamed(claim.parent);
      if (claim.derived_from) claim.derived_from = claim.derived_from.map((other) => this.#idNamed(other));
      const record = await sign('assertion', claim, await exampleKey(agent));
      this.ids[name] = await idOf('assertion', record);
      records.push(record);
    }
    const { results, errors, duplicates } = await new StemeDB(this.#url).assertBatch(records);
    if (errors > 0) throw new Error(`${file}: ${JSON.stringify(results.find((item) => item.status === 'error'))}`);
    this.isRepeated ||= duplicates > 0;
    return Math.max(...results.map((item) => item.sequence));
  }

  #idNamed(name) {
    if (!this.ids[name]) throw new Error(`no earlier claim is called ${name}`);
    return this.ids[name];
  }

  nameOf(id) {
    return Object.keys(this.ids).find((name) => this.ids[name] === id) ?? id;
  }

  /** Prints a heading. */
  head(text) {
    this.#print(`${this.#lines.length > 0 ? '\n' : ''}${text}`);
  }

  /** Prints an answer. `once`: it is another one when the story is told again. */
  say(what, answer, { once = false } = {}) {
    if (once && this.isRepeated) this.#untold.add(this.#lines.length);
    this.#print(`  ${what.padEnd(26)} ${answer}`.trimEnd());
  }

  #print(text) {
    console.log(text);
    this.#lines.push(...text.split('\n'));
  }

  /** Compares what was printed with the block of the README, and lets the program end with 1 when they differ. */
  end() {
    const readme = readFileSync(new URL('README.md', this.#folder), 'utf8');
    const told = /^```text\n(.*?)^```$/ms.exec(readme)[1].trimEnd().split('\n');
    for (let i = 0; i < Math.max(told.length, this.#lines.length); i += 1) {
      if (told[i] === this.#lines[i] || this.#untold.has(i)) continue;
      console.error(`NOT AS TOLD\n  README  ${told[i]}\n  answer  ${this.#lines[i]}`);
      process.exitCode = 1;
    }
  }
}
