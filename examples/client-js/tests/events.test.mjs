// SPDX-License-Identifier: Apache-2.0
// A stream of events is read as the HTML standard says, however it is cut into chunks.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventsOf } from '../stemedb.mjs';
import { diceOf } from './dice.mjs';

const dice = diceOf();

async function read(bytes, cuts, id) {
  async function* chunks() {
    let start = 0;
    for (const cut of [...cuts, bytes.length]) {
      yield bytes.subarray(start, cut);
      start = cut;
    }
  }
  const events = [];
  for await (const { id: last, event, data, retry } of eventsOf(chunks(), id)) {
    events.push([last, event, data, ...(retry === undefined ? [] : [retry])]);
  }
  return events;
}

const cases = {
  'an event with an id and a name': ['id: 7\nevent: assertion\ndata: {"a":1}\n\n', [['7', 'assertion', '{"a":1}']]],
  'several lines of data': ['data: one\ndata:two\ndata\ndata:  four\n\n', [['', 'message', 'one\ntwo\n\n four']]],
  'the id stays until another comes': ['id: 1\ndata: a\n\ndata: b\n\nid: 2\ndata: c\n\n',
    [['1', 'message', 'a'], ['1', 'message', 'b'], ['2', 'message', 'c']]],
  'an empty id forgets it': ['id: 1\ndata: a\n\nid\ndata: b\n\n', [['1', 'message', 'a'], ['', 'message', 'b']]],
  'an id with a NUL is none': ['id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n', [['1', 'message', 'a'], ['1', 'message', 'b']]],
  'comments say nothing': [': alive\n\n:\n\ndata: a\n: b\n\n', [['', 'message', 'a']]],
  'unknown fields say nothing': ['foo: 1\nda ta: 2\nDATA: 3\n\ndata: a\n\n', [['', 'message', 'a']]],
  'a pause is told': ['retry: 1500\n\nretry: 1.5\n\n', [['', 'message', undefined, 1500]]],
  'a position is told without data': ['id: 9\n\n', [['9', 'message', undefined]]],
  'what is unfinished does not come': ['data: a\n\ndata: b\n', [['', 'message', 'a']]],
  'a mark of the byte order is skipped': ['\ufeffdata: a\n\n', [['', 'message', 'a']]],
  'text beyond ASCII': ['data: é😀\u2028\n\n', [['', 'message', 'é😀\u2028']]],
};

for (const [name, [stream, wanted]] of Object.entries(cases)) {
  test(name, async () => {
    for (const end of ['\n', '\r\n', '\r']) {
      const bytes = new TextEncoder().encode(stream.replaceAll('\n', end));
      assert.deepEqual(await read(bytes, []), wanted);
      assert.deepEqual(await read(bytes, bytes.slice(1).map((_, i) => i + 1)), wanted, 'byte by byte');
      for (let round = 0; round < 50; round += 1) {
        const cuts = Array.from({ length: dice.below(6) }, () => dice.below(bytes.length)).sort((a, b) => a - b);
        assert.deepEqual(await read(bytes, cuts), wanted, `cut at ${cuts}`);
      }
    }
  });
}

test('line ends of all kinds may be mixed', async () => {
  const bytes = new TextEncoder().encode('data: a\r\ndata: b\rdata: c\n\r\ndata: d\n\n');
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    assert.deepEqual(await read(bytes, [cut]), [['', 'message', 'a\nb\nc'], ['', 'message', 'd']]);
  }
});

test('the id of an earlier connection goes on', async () => {
  assert.deepEqual(await read(new TextEncoder().encode('data: a\n\n'), [], '5'), [['5', 'message', 'a']]);
});
