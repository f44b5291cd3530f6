import { createRequire } from 'node:module';
import { canonicalEmail, normalPassword } from '@brokerx/contracts';
import type { ZxcvbnFactory } from '@zxcvbn-ts/core';

/**
 * Whether a password is among those that are guessed first: common ones and their usual variations, runs of keys and of
 * the alphabet, repetitions, and what is known of the person. zxcvbn estimates how many guesses come before it.
 */
export function isEasilyGuessed(password: string, person: Acquaintance): boolean {
  const estimator = theEstimator();
  const words = wordsAbout(person);
  const text = normalPassword(password);
  // What is strong in its beginning or in its end is strong as a whole.
  const parts = [text.slice(0, ESTIMATED_CHARACTERS), text.slice(-ESTIMATED_CHARACTERS)];
  return parts.every((part) => estimator.check(part, words).guesses < GUESSES_MIN);
}

/** What a stranger who guesses may know. */
export type Acquaintance = { name?: unknown; email?: unknown; phone?: unknown; birth_date?: unknown };

/** At 20 guesses an hour some five thousand years; passphrases of three words have 10¹⁰ and more. */
const GUESSES_MIN = 1e9;
/** The estimate takes time with the square of the length: so many characters take 10 ms at most. */
const ESTIMATED_CHARACTERS = 20;
/** Spellings with digits for letters (`p4ssw0rd`) that are tried. */
const SUBSTITUTIONS_MAX = 10;
/** Shorter words are in too many innocent passwords. */
const WORD_CHARACTERS_MIN = 3;
const WORDS_MAX = 40;
const HOUSE = ['brokerx', 'broker', 'trading', 'trader'];

function wordsAbout({ name, email, phone, birth_date }: Acquaintance): string[] {
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  const [local = '', domain = ''] = (canonicalEmail(text(email)) ?? text(email)).split('@');
  const date = text(birth_date);
  const wholes = [text(name), text(name).replaceAll(/\s/g, ''), text(email), local, domain];
  const days = [date, date.replaceAll('-', ''), date.slice(0, 4), date.split('-').reverse().join('')];
  const parts = wholes.flatMap((whole) => whole.split(/[^\p{L}\p{N}]+/u));
  const words = [...wholes, ...parts, ...days, text(phone).slice(1)].map((word) =>
    normalPassword(word).toLowerCase(),
  );
  const long = [...new Set(words)].filter((word) => word.length >= WORD_CHARACTERS_MIN);
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
