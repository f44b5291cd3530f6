import { domainToUnicode as toUnicode } from 'node:url';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalEmail, comparableEmail, Email, mailboxOf, SignInEmail } from './email.ts';

test.for([
  ['ann@example.com', 'ann@example.com'],
  [' Ann@Example.COM ', 'ann@example.com'],
  ['ann@例え.テスト', 'ann@xn--r8jz45g.xn--zckzah'],
  ['ann@пример.рф', 'ann@xn--e1afmkfd.xn--p1ai'],
  ['ann@xn--e1afmkfd.xn--p1ai', 'ann@xn--e1afmkfd.xn--p1ai'],
  ['ann@bücher.example', 'ann@xn--bcher-kva.example'],
  ['ann@example。com', 'ann@example.com'],
  ['почта@пример.рф', 'почта@xn--e1afmkfd.xn--p1ai'],
  ['jose\u0301@example.com', 'jos\u00e9@example.com'],
  ["o'neil+broker_1@mail.example.co.uk", "o'neil+broker_1@mail.example.co.uk"],
  ['a!#$%&*/=?^`{|}~-b@example.com', 'a!#$%&*/=?^`{|}~-b@example.com'],
  [`${'a'.repeat(64)}@example.com`, `${'a'.repeat(64)}@example.com`],
  [`a@${'b'.repeat(63)}.com`, `a@${'b'.repeat(63)}.com`],
])('%s is taken as %s', ([typed, canonical]) => {
  expect(canonicalEmail(typed ?? '')).toBe(canonical);
  expect(Email.safeParse(typed).success).toBe(true);
  expect(SignInEmail.safeParse(typed).success).toBe(true);
});

test.for([
  '',
  'ann',
  '@example.com',
  'ann@',
  'ann@com',
  'ann@localhost',
  'ann@127.0.0.1',
  'ann@127.1',
  'ann@[127.0.0.1]',
  'ann@example.c',
  'ann@example.123',
  'ann@example.com.',
  'ann@.example.com',
  'ann@example..com',
  'ann@-example.com',
  'ann@example-.com',
  'ann@exam_ple.com',
  'ann@ex%61mple.com',
  'ann@example.com/x',
  'ann@example.com:25',
  'ann@xn--iñvalid.com',
  'ann@xn--zz--.com',
  'a@xn--zzzzzzz99.com',
  'a@xn--a.com',
  'a@xn--0.com',
  'a@xn--abc-.com',
  'a@XN--A.com',
  'a@mail.xn--0.com',
  'a@xn--e1afmkfd.xn--0',
  'a@xn--e1afmkfd.xn--0.com',
  'a@xn--abc.example',
  '.ann@example.com',
  'ann.@example.com',
  'an..n@example.com',
  'an n@example.com',
  'ann@ann@example.com',
  '"ann"@example.com',
  'ann<b@example.com',
  'ann\0@example.com',
  'ann\r\nbcc:bob@example.com',
  'ann\ud800@example.com',
  `${'a'.repeat(65)}@example.com`,
  `${'é'.repeat(33)}@example.com`,
  `a@${'b'.repeat(64)}.com`,
  `a@${'ü'.repeat(60)}.com`,
  `a@${'b.'.repeat(126)}com`,
  `${'a'.repeat(60)}@${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(63)}.example`,
])('%j is refused: no mail server takes it', (typed) => {
  expect(canonicalEmail(typed)).toBeNull();
  expect(Email.safeParse(typed).success).toBe(false);
});

test('one form stays what it is, whatever was typed', () => {
  const typed = fc.oneof(fc.emailAddress(), fc.string({ unit: 'grapheme' }), fc.webUrl());
  fc.assert(
    fc.property(typed, (text) => {
      const canonical = canonicalEmail(text);
      if (canonical === null) return;
      expect(canonicalEmail(canonical)).toBe(canonical);
      expect(canonicalEmail(canonical.toUpperCase())).toBe(canonical);
      expect(comparableEmail(text)).toBe(canonical);
      expect(Buffer.byteLength(canonical)).toBeLessThanOrEqual(254);
    }),
  );
});

test('a domain has the ASCII form of another script only where that form is one', () => {
  const label = fc.string({
    unit: fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz0123456789-'),
    minLength: 1,
    maxLength: 12,
  });
  fc.assert(
    fc.property(label, (text) => {
      const canonical = canonicalEmail(`a@xn--${text}.com`);
      if (canonical === null) return;
      const decoded = toUnicode(`xn--${text}.com`);
      expect(decoded).toMatch(/[^\0-\x7f]/);
      expect(canonicalEmail(`a@${decoded}`)).toBe(canonical);
    }),
    { numRuns: 2_000, examples: [['e1afmkfd'], ['a'], ['abc-']] },
  );
});

test('an address that is older than the rules is compared as it was', () => {
  const old = `${'A'.repeat(65)}@Example.com`;
  expect(comparableEmail(` ${old}`)).toBe(old.toLowerCase());
  expect(SignInEmail.safeParse(old).success).toBe(true);
});

test.for([
  ['ann+1@example.com', 'ann@example.com'],
  ['Ann+broker+x@EXAMPLE.com', 'ann@example.com'],
  ['a.nn@example.com', 'a.nn@example.com'],
  ['a.n.n+x@gmail.com', 'ann@gmail.com'],
  ['ann@googlemail.com', 'ann@gmail.com'],
  ['+ann@example.com', '+ann@example.com'],
  ['ann+x@пример.рф', 'ann@xn--e1afmkfd.xn--p1ai'],
])('%s leads to the mailbox %s', ([address, mailbox]) => {
  expect(mailboxOf(address ?? '')).toBe(mailbox);
});
