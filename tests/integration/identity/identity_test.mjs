// SPDX-License-Identifier: Apache-2.0
// Holds the engine's identity of claims and operations against Node's: the published vectors, random JSON, random
// doubles, random claims and operations, signatures in both directions, and what docs/identity.md shows.
// Usage: identity_test.mjs <claim tool> <source tree> [seed]
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { canonicalize, domain, domainOf, idOf, keyOfSeed, signWith, verifyWith } from './jcs.mjs';

const [tool, tree, seedText] = process.argv.slice(2);
const seed = Number(seedText ?? Date.now() % 2 ** 31);
console.log(`random seed ${seed}`);

let failures = 0;
const expect = (what, got, wanted) => {
  if (got === wanted) return;
  failures += 1;
  if (failures <= 20) console.error(`FAILED ${what}\n  got    ${got}\n  wanted ${wanted}`);
};

// mulberry32
let state = seed;
const random = () => {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
};
const below = (n) => Math.floor(random() * n);
const pick = (list) => list[below(list.length)];
const hex = (bytes) => Array.from({ length: bytes * 2 }, () => below(16).toString(16)).join('');

const ask = (lines) => {
  const run = spawnSync(tool, { input: lines.join('\n') + '\n', encoding: 'utf8', maxBuffer: 2 ** 30 });
  if (run.status !== 0) throw new Error(`${tool} ended with ${run.status ?? run.signal}: ${run.stderr}`);
  const answers = run.stdout.split('\n').slice(0, -1);
  if (answers.length !== lines.length) throw new Error(`${lines.length} questions, ${answers.length} answers`);
  return answers;
};
const oneLine = (json) => json.replace(/[\r\n]/g, ' ');

const doubleOf = (bits) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(bits);
  return bytes.readDoubleBE();
};
const bitsOf = (number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(number);
  return bytes.toString('hex');
};
const randomDouble = () => {
  const kind = below(6);
  if (kind === 0) return below(2000) / 1000;
  if (kind === 1) return (below(2) * 2 - 1) * below(2 ** 31) * 10 ** (below(40) - 20);
  if (kind === 2) return (below(2) * 2 - 1) * 2 ** (below(2098) - 1074);
  if (kind === 3) return Number(`${below(10)}.${below(1e6)}e${below(44) - 22}`);
  if (kind === 4) return below(2 ** 31) * below(2 ** 22) + pick([0, 0.5, 0.25]);
  const number = doubleOf((BigInt(below(2 ** 32)) << 32n) | BigInt(below(2 ** 32)));
  return Number.isFinite(number) ? number : 0;
};
const alphabet = ['a', 'b', 'Z', '0', ' ', '"', '\\', '/', '\b', '\n', '\u0000', '\u001f', '\u007f', '\u0085', 'é', 'e\u0301', '€', '\u2028', '\ud7ff', '\ue000', '\ufb33', '\uffff', '😀', '\u{10ffff}', '\u{10000}', '~'];
const randomText = (max) => Array.from({ length: below(max) }, () => pick(alphabet)).join('');
const randomJson = (depth) => {
  const kind = below(depth > 0 ? 7 : 5);
  if (kind === 0) return null;
  if (kind === 1) return random() < 0.5;
  if (kind === 2) return randomText(12);
  if (kind < 5) return randomDouble();
  if (kind === 5) return Array.from({ length: below(5) }, () => randomJson(depth - 1));
  return randomObject(depth);
};
const randomObject = (depth) => Object.fromEntries(Array.from({ length: below(6) }, () => [randomText(4), randomJson(depth - 1)]));

// Text of the same value in another spelling: blanks, shuffled keys, escapes, other number forms.
const spell = (value) => {
  const blank = () => pick(['', '', '', ' ', '\t', '  ']);
  if (Array.isArray(value)) return `[${value.map((item) => blank() + spell(item) + blank()).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const keys = Object.keys(value);
    keys.sort(() => random() - 0.5);
    return `{${keys.map((key) => blank() + spell(key) + blank() + ':' + spell(value[key])).join(',')}${blank()}}`;
  }
  if (typeof value === 'string' && random() < 0.5) {
    const units = Array.from({ length: value.length }, (_, i) => `\\u${value.charCodeAt(i).toString(16).padStart(4, '0')}`);
    return `"${random() < 0.5 ? units.join('') : units.join('').replace(/[a-f]/g, (c) => c.toUpperCase()).replace(/\\U/g, '\\u')}"`;
  }
  if (typeof value === 'number' && random() < 0.3) return value.toExponential();
  return JSON.stringify(value);
};

function checkVectors() {
  const file = JSON.parse(readFileSync(`${tree}/tests/vectors/identity.json`, 'utf8'));
  expect('domain', file.domain, domain);
  const answers = ask(file.vectors.map((v) => `claim ${oneLine(v.input)}`));
  file.vectors.forEach((v, i) => {
    expect(`vector "${v.name}": engine`, answers[i], `ok ${v.id} ${v.canonical}`);
    expect(`vector "${v.name}": Node's id`, idOf(v.canonical), v.id);
    expect(`vector "${v.name}": Node's form`, canonicalize(JSON.parse(v.canonical)), v.canonical);
    if (!v.signature) return;
    expect(`vector "${v.name}": Node's signature`, signWith(keyOfSeed(v.seed), v.canonical), v.signature);
    expect(`vector "${v.name}": engine's signature`, ask([`sign ${v.seed} ${v.canonical}`])[0], `ok ${v.public_key} ${v.signature}`);
  });
  ask(file.refused.map((v) => `claim ${oneLine(v.input)}`)).forEach((answer, i) =>
    expect(`refused "${file.refused[i].name}"`, answer.split(' ').slice(0, 2).join(' '), `error ${file.refused[i].reason}`));
  checkOperationVectors(file);
  return file.vectors.length + file.refused.length + file.operations.length + file.refused_operations.length;
}

function checkOperationVectors(file) {
  const answers = ask(file.operations.map((v) => `operation ${v.kind} ${oneLine(v.input)}`));
  file.operations.forEach((v, i) => {
    expect(`operation "${v.name}": engine`, answers[i], `ok ${v.id} ${v.canonical}`);
    expect(`operation "${v.name}": domain`, v.domain, domainOf(v.kind));
    expect(`operation "${v.name}": Node's id`, idOf(v.canonical, domainOf(v.kind)), v.id);
    expect(`operation "${v.name}": Node's form`, canonicalize(JSON.parse(v.canonical)), v.canonical);
    if (!v.signature) return;
    expect(`operation "${v.name}": Node's signature`, signWith(keyOfSeed(v.seed), v.canonical, v.domain), v.signature);
    expect(`operation "${v.name}": engine's signature`, ask([`sign_operation ${v.kind} ${v.seed} ${v.canonical}`])[0], `ok ${v.public_key} ${v.signature}`);
  });
  ask(file.refused_operations.map((v) => `operation ${v.kind} ${oneLine(v.input)}`)).forEach((answer, i) =>
    expect(`refused operation "${file.refused_operations[i].name}"`, answer.split(' ').slice(0, 2).join(' '), `error ${file.refused_operations[i].reason}`));
}

function checkNumbers(count) {
  const numbers = Array.from({ length: count }, randomDouble);
  ask(numbers.map((n) => `number ${bitsOf(n)}`)).forEach((answer, i) => expect(`number ${bitsOf(numbers[i])}`, answer, `ok ${JSON.stringify(numbers[i])}`));
}

function checkJson(count) {
  const values = Array.from({ length: count }, () => randomJson(5));
  ask(values.map((v) => `json ${spell(v)}`)).forEach((answer, i) => expect(`json ${JSON.stringify(values[i])}`, answer, `ok ${canonicalize(values[i])}`));
}

const randomName = () => randomText(8).replace(/[\u0000-\u001f\u007f-\u009f/*]/g, 'x') || 'n';
const randomTime = () => new Date(below(4e12)).toISOString();
function randomClaim() {
  const claim = {
    concept_path: pick(['', 'db://', 'x+1.y-z://']) + Array.from({ length: 1 + below(4) }, randomName).join('/'),
    predicate: randomName(), confidence: random() < 0.2 ? below(2) : random(), timestamp: randomTime(),
    value: pick([() => randomText(30), randomDouble, () => random() < 0.5, () => ({ ref: randomName() })])(),
  };
  if (random() < 0.5) claim.source = { id: randomName() };
  if (random() < 0.3) claim.source = { ...claim.source, class: pick(['regulatory', 'clinical', 'observational', 'expert', 'community', 'anecdotal']) };
  if (random() < 0.2) claim.source = { ...claim.source, hash: hex(32), url: 'https://example.org/' + randomName() };
  if (random() < 0.3) claim.lifecycle = pick(['proposed', 'under_review', 'approved', 'deprecated', 'rejected']);
  if (random() < 0.2) claim.parent = hex(32);
  if (random() < 0.2) claim.derived_from = Array.from({ length: 1 + below(4) }, () => hex(32));
  if (random() < 0.2) claim.epoch = randomName();
  if (random() < 0.2) claim.valid_from = '2001-02-03T04:05:06.007Z';
  if (random() < 0.2) claim.valid_to = '2031-02-03T04:05:06.007Z';
  if (random() < 0.4) claim.metadata = randomObject(3);
  return claim;
}

const randomPath = () => pick(['', 'db://']) + Array.from({ length: 1 + below(3) }, randomName).join('/');
const randomContent = () => randomText(200) || 'c';
const kinds = {
  vote: () => ({ assertion_id: hex(32), weight: pick([0, 1, random()]) }),
  supersession: () => ({ target: hex(32), replacement: hex(32), ...maybeReason() }),
  retraction: () => ({
    ...pick([() => ({ assertion_id: hex(32) }), () => ({ source_id: randomName() }), () => ({ concept_path: randomPath() + pick(['', '/*']) })])(),
    ...(random() < 0.5 ? { cascade: true } : {}), ...maybeReason() }),
  epoch: () => ({ name: `a${randomName()}`, ...pick([() => ({}), () => ({ supersedes: `b${randomName()}`, ...maybe('supersession_type', () => pick(['replaces', 'corrects', 'expires'])) })])() }),
  source: () => ({ id: `s${randomName()}`, ...maybe('class', () => pick(['regulatory', 'clinical', 'observational', 'expert', 'community', 'anecdotal'])),
    ...maybe('title', randomName), ...maybe('url', () => `https://example.org/${randomName()}`), ...maybe('hash', () => hex(32)), ...maybe('content', randomContent) }),
  source_status: () => ({ id: randomName(), status: pick(['active', 'under_review', 'deprecated', 'retracted']), ...maybeReason() }),
  alias: () => ({ alias: `a/${randomPath()}`.replace('://', '/'), concept_path: `b/${randomPath()}`.replace('://', '/') }),
  trust: () => ({ agent: hex(32), trust: pick([0, 1, random()]), ...maybeReason() }),
};
const maybe = (name, make) => (random() < 0.5 ? { [name]: make() } : {});
const maybeReason = () => maybe('reason', () => randomName() + ' ' + randomName());
function randomOperation() {
  const kind = pick(Object.keys(kinds));
  return { kind, content: { ...kinds[kind](), timestamp: randomTime() } };
}

function checkOperations(count) {
  const operations = Array.from({ length: count }, randomOperation);
  ask(operations.map((o) => `operation ${o.kind} ${spell(o.content)}`)).forEach((answer, i) => {
    const canonical = canonicalize(operations[i].content);
    expect(`${operations[i].kind} ${canonical}`, answer, `ok ${idOf(canonical, domainOf(operations[i].kind))} ${canonical}`);
  });
}

const oneBitWrong = (signature) => {
  const at = below(128);
  return signature.slice(0, at) + (parseInt(signature[at], 16) ^ (1 << below(4))).toString(16) + signature.slice(at + 1);
};

function checkOperationSignatures(count) {
  const operations = Array.from({ length: count }, () => {
    const { kind, content } = randomOperation();
    const key = keyOfSeed(hex(32));
    const whole = { ...content, agent_id: key.publicHex };
    const canonical = canonicalize(whole);
    const signature = signWith(key, canonical, domainOf(kind));
    const other = pick(Object.keys(kinds).filter((k) => k !== kind));
    const wrong = pick([() => oneBitWrong(signature), () => signWith(key, canonical), () => signWith(key, canonical, domainOf(other))])();
    return { kind, canonical, right: spell({ ...whole, signature }), wrong: spell({ ...whole, signature: wrong }) };
  });
  ask(operations.map((o) => `operation ${o.kind} ${o.right}`)).forEach((answer, i) =>
    expect(`Node's signature of ${operations[i].canonical}`, answer, `ok ${idOf(operations[i].canonical, domainOf(operations[i].kind))} ${operations[i].canonical}`));
  ask(operations.map((o) => `operation ${o.kind} ${o.wrong}`)).forEach((answer, i) =>
    expect(`a wrong signature of ${operations[i].canonical}`, answer.split(' ').slice(0, 2).join(' '), 'error invalid_signature'));
  const seeds = operations.map(() => hex(32));
  ask(operations.map((o, i) => `sign_operation ${o.kind} ${seeds[i]} ${o.canonical}`)).forEach((answer, i) => {
    const [, publicHex, signature] = answer.split(' ');
    expect('public key', publicHex, keyOfSeed(seeds[i]).publicHex);
    expect('the engine\'s signature of an operation, verified by Node', verifyWith(publicHex, operations[i].canonical, signature, domainOf(operations[i].kind)), true);
  });
}

// One claim with its expected answer, and the same with one bit of the signature wrong.
function signedClaim() {
  const key = keyOfSeed(hex(32));
  const claim = { ...randomClaim(), agent_id: key.publicHex };
  const canonical = canonicalize(claim);
  const signature = signWith(key, canonical);
  return { canonical, right: spell({ ...claim, signature }), wrong: spell({ ...claim, signature: oneBitWrong(signature) }) };
}

function checkClaims(count) {
  const claims = Array.from({ length: count }, randomClaim);
  ask(claims.map((c) => `claim ${spell(c)}`)).forEach((answer, i) => {
    const canonical = canonicalize(claims[i]);
    expect(`claim ${canonical}`, answer, `ok ${idOf(canonical)} ${canonical}`);
  });
}

function checkSignatures(count) {
  const claims = Array.from({ length: count }, signedClaim);
  ask(claims.map((c) => `claim ${c.right}`)).forEach((answer, i) =>
    expect(`Node's signature of ${claims[i].canonical}`, answer, `ok ${idOf(claims[i].canonical)} ${claims[i].canonical}`));
  ask(claims.map((c) => `claim ${c.wrong}`)).forEach((answer, i) =>
    expect(`a wrong signature of ${claims[i].canonical}`, answer.split(' ').slice(0, 2).join(' '), 'error invalid_signature'));
  const seeds = claims.map(() => hex(32));
  ask(claims.map((c, i) => `sign ${seeds[i]} ${c.canonical}`)).forEach((answer, i) => {
    const [, publicHex, signature] = answer.split(' ');
    expect('public key', publicHex, keyOfSeed(seeds[i]).publicHex);
    expect('the engine\'s signature, verified by Node', verifyWith(publicHex, claims[i].canonical, signature), true);
  });
}

function checkDocument() {
  const page = readFileSync(`${tree}/docs/identity.md`, 'utf8');
  const example = page.match(/```sh\n([\s\S]*?)```/)[1];
  const shown = page.match(/```text\n([\s\S]*?)```/)[1];
  const run = spawnSync('bash', ['-c', example], { encoding: 'utf8' });
  expect('the example in docs/identity.md', run.stdout, shown);
  const [canonical, id, signature] = shown.split('\n').map((line) => line.replace(/^(id|signature) +/, ''));
  expect('its claim, sent to the engine', ask([`claim ${canonical.slice(0, -1)},"signature":"${signature}"}`])[0], `ok ${id} ${canonical}`);
  checkShownOperations(page);
}

// The block of operations: a line with kind and canonical text, then id and signature, by the example's key.
function checkShownOperations(page) {
  const lines = page.match(/## Operations[\s\S]*?```text\n([\s\S]*?)```/)[1].trim().split('\n');
  const key = keyOfSeed('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60');
  const shown = new Set();
  for (let i = 0; i < lines.length; i += 3) {
    const [, kind, canonical] = lines[i].match(/^(\w+) +(.*)$/);
    const [id, signature] = [lines[i + 1], lines[i + 2]].map((line) => line.replace(/^(id|signature) +/, ''));
    expect(`the form of the ${kind} in docs/identity.md`, canonicalize(JSON.parse(canonical)), canonical);
    expect(`its id`, idOf(canonical, domainOf(kind)), id);
    expect(`its signature`, signWith(key, canonical, domainOf(kind)), signature);
    expect('it, sent to the engine', ask([`operation ${kind} ${canonical.slice(0, -1)},"signature":"${signature}"}`])[0], `ok ${id} ${canonical}`);
    shown.add(kind);
  }
  expect('kinds shown in docs/identity.md', [...shown].sort().join(), Object.keys(kinds).sort().join());
}

checkDocument();
const vectors = checkVectors();
checkNumbers(200000);
checkJson(20000);
checkClaims(20000);
checkSignatures(500);
checkOperations(20000);
checkOperationSignatures(500);
console.log(`${vectors} vectors, 200000 numbers, 20000 documents, 20000 claims, 20000 operations, 1000 signatures: ${failures} failures`);
process.exit(failures === 0 ? 0 : 1);
