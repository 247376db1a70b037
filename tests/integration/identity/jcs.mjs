// SPDX-License-Identifier: Apache-2.0
// The second implementation of the identity of claims and operations: Node's JSON, SHA-256 and Ed25519, sharing no code
// with the engine. ECMAScript's own number form, string form and key order are what RFC 8785 prescribes.
import { createHash, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';

export const domain = 'stemedb/assertion/v1\n';
export const domainOf = (kind) => `stemedb/${kind}/v1\n`;

// Not called on numbers that a double can't hold: JSON.parse has already rounded them.
export function canonicalize(value) {
  if (Array.isArray(value)) return `[${value.map(canonicalize).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const members = Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonicalize(value[key])}`);
    return `{${members.join(',')}}`;
  }
  return JSON.stringify(value);
}

// The last argument of these three is what stands in front of the text: a claim's domain, unless another is given.
export const idOf = (canonical, front = domain) => createHash('sha256').update(front + canonical, 'utf8').digest('hex');

// RFC 8410 wrappings around the raw 32 bytes, which is how Node takes keys.
export function keyOfSeed(seedHex) {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.from(seedHex, 'hex')]);
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const publicHex = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex');
  return { privateKey, publicHex };
}

export const signWith = (key, canonical, front = domain) => sign(null, Buffer.from(front + canonical, 'utf8'), key.privateKey).toString('hex');

export function verifyWith(publicHex, canonical, signatureHex, front = domain) {
  const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), Buffer.from(publicHex, 'hex')]);
  const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
  return verify(null, Buffer.from(front + canonical, 'utf8'), key, Buffer.from(signatureHex, 'hex'));
}
