// SPDX-License-Identifier: Apache-2.0
// The canonical form has the properties that signing needs, over random values. SEED=n repeats a run.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalize } from '../stemedb.mjs';
import { diceOf } from './dice.mjs';

const ROUNDS = 2000;
const dice = diceOf();

const pieces = ['a', 'Z', '0', ' ', '"', '\\', '/', '\b', '\n', '\u0000', '\u001f', '\u007f', 'é', 'e\u0301', '€', '\u2028',
  '\ue000', '\ufb33', '\uffff', '😀', '\u{10ffff}'];
const text = () => Array.from({ length: dice.below(8) }, () => dice.pick(pieces)).join('');
function number() {
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setUint32(0, dice.below(2 ** 32));
  bytes.setUint32(4, dice.below(2 ** 32));
  const any = bytes.getFloat64(0);
  return dice.pick([dice.below(2 ** 32), -dice.below(1000) / 8, dice.below(100) / 100, Number.isFinite(any) ? any : 0]);
}
function value(depth) {
  const kind = dice.below(depth > 0 ? 7 : 5);
  if (kind === 0) return null;
  if (kind === 1) return dice.below(2) === 0;
  if (kind === 2) return text();
  if (kind < 5) return number();
  if (kind === 5) return Array.from({ length: dice.below(4) }, () => value(depth - 1));
  return Object.fromEntries(Array.from({ length: dice.below(6) }, () => [text(), value(depth - 1)]));
}
function shuffled(one) {
  if (Array.isArray(one)) return one.map(shuffled);
  if (one === null || typeof one !== 'object') return one;
  return Object.fromEntries(dice.shuffle(Object.entries(one)).map(([name, member]) => [name, shuffled(member)]));
}
const values = Array.from({ length: ROUNDS }, () => value(4));

test('it is JSON of the same value', () => {
  // JSON knows no -0, so the wanted value has been through JSON as well.
  for (const one of values) assert.deepEqual(JSON.parse(canonicalize(one)), JSON.parse(JSON.stringify(one)));
});

test('the canonical form of a canonical form is itself', () => {
  for (const one of values) assert.equal(canonicalize(JSON.parse(canonicalize(one))), canonicalize(one));
});

test('the order in which members were set does not matter', () => {
  for (const one of values) assert.equal(canonicalize(shuffled(one)), canonicalize(one));
});

test('it has no blanks outside of text', () => {
  for (const one of values) assert.doesNotMatch(canonicalize(one).replace(/"(\\.|[^"\\])*"/g, '""'), /\s/);
});

test('different values have different forms', () => {
  const forms = new Map();
  for (const one of values) {
    const form = canonicalize(one);
    if (forms.has(form)) assert.deepEqual(JSON.parse(JSON.stringify(one)), JSON.parse(JSON.stringify(forms.get(form))));
    forms.set(form, one);
  }
});

test('members are sorted by UTF-16 code units, as RFC 8785 shows', () => {
  const members = { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\u{1f600}': 5, '\u0080': 6, '\u00f6': 7 };
  assert.equal(canonicalize(members), '{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\u{1f600}":5,"\ufb33":3}');
});

test('numbers have the form that RFC 8785 shows', () => {
  const forms = [[-0, '0'], [1, '1'], [1e30, '1e+30'], [4.5, '4.5'], [2e-3, '0.002'], [1e-27, '1e-27'], [5e-324, '5e-324'],
    [333333333.33333329, '333333333.3333333'], [2 ** 53, '9007199254740992'], [1e21, '1e+21'], [1e20, '100000000000000000000']];
  for (const [one, form] of forms) assert.equal(canonicalize(one), form);
});

test('what is undefined is left out', () => {
  assert.equal(canonicalize({ b: undefined, a: { c: undefined } }), '{"a":{}}');
});

test('what JSON can not say is refused, wherever it stands', () => {
  for (const one of [NaN, Infinity, 10n, '\ud800', '\udc00\ud800', new Date(0), new Map(), () => 0, Symbol('s'), undefined]) {
    assert.throws(() => canonicalize(one), TypeError);
    assert.throws(() => canonicalize([{ a: [one] }]), TypeError);
    if (one !== undefined) assert.throws(() => canonicalize({ a: one }), TypeError);
  }
  assert.throws(() => canonicalize({ '\ud800': 1 }), TypeError);
  assert.throws(() => canonicalize([, 1]), TypeError);
});
