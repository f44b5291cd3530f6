import { createRequire } from 'node:module';
import { canonicalEmail, normalPassword } from '@brokerx/contracts';
import type { ZxcvbnFactory } from '@zxcvbn-ts/core';

/**
 * Whether a password is among those that are guessed first: common ones and their usual variations, runs of keys and of
 * the alphabet, repetitions, phrases that everybody has read, and what is known of the person. zxcvbn estimates how many
 * guesses come before it.
 */
export function isEasilyGuessed(password: string, person: Acquaintance): boolean {
  const phrases = phrasesAbout(person);
  const words = wordsOf(phrases);
  const text = normalPassword(password);
  return isWeak(text, words) || isWeak(withPhrasesAsWords(text, [...WELL_KNOWN, ...phrases]), words);
}

/** What a stranger who guesses may know. */
export type Acquaintance = {
  name?: unknown;
  address?: unknown;
  email?: unknown;
  phone?: unknown;
  birth_date?: unknown;
};

/** At 20 guesses an hour some five thousand years; passphrases of three words have 10¹⁰ and more. */
const GUESSES_MIN = 1e9;
/** The estimate takes time with the square of the length: so many characters take 10 ms at most. */
const ESTIMATED_CHARACTERS = 20;
/** Spellings with digits for letters (`p4ssw0rd`) that are tried. */
const SUBSTITUTIONS_MAX = 10;
/** Shorter words are in too many innocent passwords. */
const WORD_CHARACTERS_MIN = 3;
/** Shorter phrases are found as words, with more of their variations. */
const PHRASE_CHARACTERS_MIN = 10;
const WORDS_MAX = 40;
const HOUSE = ['brokerx', 'broker', 'trading', 'trader'] as const;
/** Passphrases that advice about passwords, films and books have made everybody's. */
const WELL_KNOWN = [
  'correct horse battery staple',
  'the quick brown fox jumps over the lazy dog',
  'to be or not to be that is the question',
  'may the force be with you',
  'open sesame',
  'this is my password',
  'let me in please',
];

function isWeak(text: string, words: readonly string[]): boolean {
  const estimator = theEstimator();
  // What is strong in its beginning or in its end is strong as a whole.
  const parts = [text.slice(0, ESTIMATED_CHARACTERS), text.slice(-ESTIMATED_CHARACTERS)];
  return parts.every((part) => estimator.check(part, [...words]).guesses < GUESSES_MIN);
}

/** The text with one word for each phrase: whoever knows the phrase guesses it at once, however long it is. */
function withPhrasesAsWords(text: string, phrases: readonly string[]): string {
  const squeezed = squeeze(text);
  const known = phrases.map(squeeze).filter((phrase) => phrase.length >= PHRASE_CHARACTERS_MIN);
  const longestFirst = known.sort((one, other) => other.length - one.length);
  const rest = longestFirst.reduce((left, phrase) => left.replaceAll(phrase, HOUSE[0]), squeezed);
  return rest === squeezed ? text : rest;
}

/** Letters and digits alone: what stands between them is guessed along. */
const squeeze = (text: string): string =>
  normalPassword(text)
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{M}\p{N}]+/gu, '');

/** What is known of a person as it is written, and the parts of it that stand for themselves. */
function phrasesAbout({ name, address, email, phone, birth_date }: Acquaintance): string[] {
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  const canonical = canonicalEmail(text(email)) ?? text(email);
  const [local = '', domain = ''] = canonical.split('@');
  const date = text(birth_date);
  const days = [date, date.replaceAll('-', ''), date.slice(0, 4), date.split('-').reverse().join('')];
  const lines = text(address).split(/[,;\r\n]+/);
  const names = [text(name), text(name).replaceAll(/\s/g, '')];
  return [
    ...names,
    text(email),
    canonical,
    local,
    domain,
    ...days,
    text(phone).slice(1),
    text(address),
    ...lines,
  ];
}

function wordsOf(phrases: readonly string[]): string[] {
  const parts = phrases.flatMap((phrase) => phrase.split(/[^\p{L}\p{N}]+/u));
  const words = [...phrases, ...parts].map((word) => normalPassword(word).trim().toLowerCase());
  const long = [...new Set(words)].filter(
    (word) => word.length >= WORD_CHARACTERS_MIN && word.length <= ESTIMATED_CHARACTERS,
  );
  return [...HOUSE, ...long.slice(0, WORDS_MAX)];
}

/** Loaded when somebody registers for the first time: its dictionaries take 70 ms, which a start does not have. */
let estimator: ZxcvbnFactory | undefined;
function theEstimator(): ZxcvbnFactory {
  if (estimator) return estimator;
  const { ZxcvbnFactory } = load<typeof import('@zxcvbn-ts/core')>('@zxcvbn-ts/core');
  const { dictionary, adjacencyGraphs } = load<typeof import('@zxcvbn-ts/language-common')>(
    '@zxcvbn-ts/language-common',
  );
  estimator = new ZxcvbnFactory({
    dictionary,
    graphs: adjacencyGraphs,
    l33tMaxSubstitutions: SUBSTITUTIONS_MAX,
  });
  return estimator;
}

const require = createRequire(import.meta.url);
const load = <T>(name: string): T => require(name) as T;
