import { createRequire } from 'node:module';
import { canonicalEmail, normalPassword } from '@brokerx/contracts';
import type { ZxcvbnFactory } from '@zxcvbn-ts/core';

/**
 * Tells whether a password is among those that are guessed first: common ones and their usual variations, runs of keys or
 * of the alphabet, repetitions, well-known phrases, and personal data. zxcvbn estimates how many guesses come before it.
 */
export function isEasilyGuessed(password: string, person: PersonalData): boolean {
  const phrases = phrasesAbout(person);
  const words = wordsOf(phrases);
  const text = normalPassword(password);
  return isWeak(text, words) || isWeak(withPhrasesAsWords(text, [...WELL_KNOWN_PHRASES, ...phrases]), words);
}

/** What a guesser may know about the person. */
export type PersonalData = {
  name?: unknown;
  address?: unknown;
  email?: unknown;
  phone?: unknown;
  birth_date?: unknown;
};

/** At 20 guesses an hour these take some five thousand years. Passphrases of three words need 10¹⁰ and more. */
const GUESSES_MIN = 1e9;
/** The time of an estimate grows with the square of the length: this many characters take at most 10 ms. */
const ESTIMATED_CHARACTERS = 20;
/** Spellings with digits for letters (`p4ssw0rd`) that the estimate tries. */
const SUBSTITUTIONS_MAX = 10;
/** Shorter words are part of too many good passwords. */
const WORD_CHARACTERS_MIN = 3;
/** Shorter phrases are looked up as words, with more of their variations. */
const PHRASE_CHARACTERS_MIN = 10;
const WORDS_MAX = 40;
const HOUSE_WORDS = ['brokerx', 'broker', 'trading', 'trader'] as const;
/** Passphrases that everybody knows from advice about passwords, from films and from books. */
const WELL_KNOWN_PHRASES = [
  'correct horse battery staple',
  'the quick brown fox jumps over the lazy dog',
  'to be or not to be that is the question',
  'may the force be with you',
  'open sesame',
  'this is my password',
  'let me in please',
];

function isWeak(text: string, words: readonly string[]): boolean {
  const estimator = loadedEstimator();
  // A password with a strong beginning or a strong end is strong.
  const parts = [text.slice(0, ESTIMATED_CHARACTERS), text.slice(-ESTIMATED_CHARACTERS)];
  return parts.every((part) => estimator.check(part, [...words]).guesses < GUESSES_MIN);
}

/** Replaces each phrase by one word: a guesser who knows the phrase tries it at once, however long it is. */
function withPhrasesAsWords(text: string, phrases: readonly string[]): string {
  const squeezed = squeeze(text);
  const longPhrases = phrases.map(squeeze).filter((phrase) => phrase.length >= PHRASE_CHARACTERS_MIN);
  const longestFirst = longPhrases.sort((one, other) => other.length - one.length);
  const replaced = longestFirst.reduce(
    (result, phrase) => result.replaceAll(phrase, HOUSE_WORDS[0]),
    squeezed,
  );
  return replaced === squeezed ? text : replaced;
}

/** Keeps letters and digits only: separators between them are easily guessed, too. */
const squeeze = (text: string): string =>
  normalPassword(text)
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{M}\p{N}]+/gu, '');

/** The personal data as it is written, and those parts of it that make phrases of their own. */
function phrasesAbout({ name, address, email, phone, birth_date }: PersonalData): string[] {
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
  return [...HOUSE_WORDS, ...long.slice(0, WORDS_MAX)];
}

/** Loaded at the first registration: its dictionaries take 70 ms, too long for a start. */
let estimator: ZxcvbnFactory | undefined;
function loadedEstimator(): ZxcvbnFactory {
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
