// SPDX-License-Identifier: Apache-2.0
// The story of README.md, told to a server: node run.mjs [URL]
import { Story } from '../client-js/story.mjs';

const story = new Story(import.meta.url);
const buyer = await story.as('buyer');
const register = await story.as('company register');
const YEARS = { 2023: '2023-06-30T00:00:00.000Z', 2024: '2024-06-30T00:00:00.000Z' };
const revenue = { concept_path: 'companies/norwind', predicate: 'revenue_million_eur', limit: 0 };
const rank = 'tier_authority';

async function resolution(lens, more) {
  const { resolutions } = await buyer.query({ ...revenue, lens, valid_at: YEARS[2024], ...more });
  return resolutions[0];
}
const shares = ({ claims }) =>
  claims.filter((claim) => claim.share > 0).map((claim) => `${claim.value} (${Math.round(claim.share * 100)} %)`).join(', ');

const heard = await story.load('term-sheet.ndjson');

story.head('One company, three names: revenue of 2024');
story.say('before the aliases', shares(await resolution('skeptic', { as_of: heard })));
let signed;
for (const name of ['companies/norwind-instruments-gmbh', 'companies/norwind-group']) {
  const timestamp = '2025-04-01T09:00:00.000Z';
  signed = (await buyer.createAlias({ alias: name, concept_path: revenue.concept_path, timestamp })).sequence;
}
story.say('with them', shares(await resolution('skeptic', { as_of: signed })));
const byBrand = await buyer.query({ ...revenue, concept_path: 'companies/norwind-group', lens: rank, as_of: signed });
story.say('asked by another name', `${byBrand.concept_path} is ${byBrand.alias_of}`);

story.head('Who is right about 2024? At the term sheet');
for (const lens of ['recency', 'confidence', 'consensus', rank]) {
  const { value, explain } = await resolution(lens, { as_of: signed });
  story.say(lens, lens === 'consensus' ? `${value}  (${explain})` : value);
}
const withoutHearsay = { class_multipliers: { community: 0, anecdotal: 0 }, as_of: signed };
story.say('without hearsay', shares(await resolution('skeptic', withoutHearsay)));
const { rests_on: [teaser] } = await buyer.trace(story.ids['press-2024']);
story.say('the press has it from', story.nameOf(teaser.id));

story.head('The audited accounts come in, and restate the year before');
await story.load('audit.ndjson');
await register.supersede({ target: story.ids['filed-2023'], replacement: story.ids['restated-2023'],
  reason: 'a sale was booked in the wrong year', timestamp: '2025-06-30T09:00:00.000Z' });
await register.createEpoch({ name: 'norwind accounts 2024', supersedes: 'norwind accounts 2024, preliminary',
  supersession_type: 'corrects', timestamp: '2025-06-30T09:00:00.000Z' });
const filed = { source_class: 'regulatory' };
story.say('both filings, skeptic', shares(await resolution('skeptic', filed)));
story.say('epoch_aware', shares(await resolution('epoch_aware', { ...filed, params: { rule: rank } })));
for (const epoch of ['norwind accounts 2024, preliminary', 'norwind accounts 2024']) {
  story.say(epoch.replace('norwind ', ''), (await resolution(rank, { epoch })).value);
}

story.head('What was known when, about which year');
for (const [when, as_of] of [['at the term sheet', signed], ['today', undefined]]) {
  const known = [];
  for (const [year, valid_at] of Object.entries(YEARS)) {
    const { value } = await resolution(rank, { valid_at, as_of });
    known.push(`${year}: ${value}`);
  }
  story.say(when, known.join('   '));
}

story.end();
