// SPDX-License-Identifier: Apache-2.0
// Random numbers that can be had again: mulberry32, with the seed printed, or taken from SEED.

export function diceOf(seed = Number(process.env.SEED ?? Date.now() % 2 ** 31)) {
  console.log(`random seed ${seed}`);
  let state = seed;
  const below = (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor(((t ^ (t >>> 14)) >>> 0) / 2 ** 32 * limit);
  };
  const shuffle = (list) => {
    for (let i = list.length - 1; i > 0; i -= 1) {
      const j = below(i + 1);
      [list[i], list[j]] = [list[j], list[i]];
    }
    return list;
  };
  return { below, shuffle, pick: (list) => list[below(list.length)] };
}
