import { registerBy } from '@brokerx/contracts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { registrationBody } from '../registration/registrationBody.ts';
import { isEasilyGuessed } from './commonPasswords.ts';

const ann = {
  name: 'Ann Exampleton',
  email: 'ann.exampleton+news@mailhouse.example',
  phone: '+15145550123',
  birth_date: '1990-04-01',
  address: '1 Main Street\n4200 Saint-Christopher Boulevard, Exampleville, QC H2X 1Y4',
};

test.for([
  'password1234',
  'Password1234!',
  'P@ssw0rd2026!',
  '123456789012',
  '000000000000',
  'qwertyuiop12',
  'qwertyuiop[]',
  '1q2w3e4r5t6y',
  'iloveyou1234',
  'letmein12345',
  'welcome12345',
  'Summer2026!!',
  'abcabcabcabc',
  'abcdefghijkl',
  'administrator',
  'unbelievable',
  'passwordpassword',
  'ｐａｓｓｗｏｒｄ１２３４',
  'brokerx12345',
  'BrokerX2026!!',
  'brokerxbrokerx',
  'annexampleton',
  'Exampleton1990',
  'ann.exampleton',
  'ann.exampleton+news@mailhouse.example',
  'mailhouse1234',
  '+15145550123',
  '19900401abcd',
  `${'password'.repeat(20)}1`,
  'Ann.Exampleton+News@Mailhouse.Example',
  'annexampletonnewsmailhouseexample2026',
  '!ann.exampleton+news@mailhouse.example!',
  'Ann Exampleton, 1990-04-01',
  '1 Main Street',
  '1MainStreet!',
  '1-main-street-1990',
  '4200 Saint-Christopher Boulevard',
  '4200saintchristopherboulevard1',
  '4200 Saint-Christopher Boulevard, Exampleville',
  'correct horse battery staple',
  'CorrectHorseBatteryStaple!',
  'correct-horse-battery-staple-1',
  'correct horse battery staple correct horse battery staple',
  'The quick brown fox jumps over the lazy dog',
])('%s is guessed early', (password) => {
  expect(isEasilyGuessed(password, ann)).toBe(true);
});

test.for([
  'walnut ferry copper lantern',
  'a long pass phrase',
  'another long password',
  'a newcomer’s passphrase',
  'пароль из пяти простых слов',
  '正しい馬の電池の針金です',
  'x8Yb2kQ9-demo',
  'passwordpassword, but then something quite else',
  'walnut ferry on Main Street',
  '1 Main Street is not where the copper lantern hangs',
  'quite another thing, and then passwordpassword',
])('%s is taken', (password) => {
  expect(isEasilyGuessed(password, ann)).toBe(false);
});

test('the longest password is estimated within the bound of any other', () => {
  for (const unit of ['p@s5w0rd', '1234', '4@8({[<3€6$5!7+|', 'abcdefg1999qwerty', '0a1b2c3d-passphrase']) {
    expect(typeof isEasilyGuessed(unit.repeat(64).slice(0, 256), ann)).toBe('boolean');
  }
});

const NOON = Date.parse('2026-03-01T12:00:00Z');
const body = registrationBody(() => NOON);
const whole = { ...ann, password: 'walnut ferry copper lantern' };
const wrong = (given: object) =>
  body
    .safeParse({ ...whole, ...given })
    .error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);

test('a common password is refused by name, together with every other field that is wrong', () => {
  expect(wrong({})).toBeUndefined();
  expect(wrong({ password: 'password1234' })).toEqual([expect.stringMatching(/^password: .*easy to guess/)]);
  expect(wrong({ password: 'password1234', email: 'ann', birth_date: '2030-01-01' })).toEqual([
    expect.stringMatching(/^birth_date: /),
    expect.stringMatching(/^email: /),
    expect.stringMatching(/^password: .*easy to guess/),
  ]);
  expect(wrong({ password: 'e\u0301'.repeat(8) })).toEqual([expect.stringMatching(/^password: at least 12/)]);
  expect(wrong({ password: `correct horse \ud800` })).toEqual([
    expect.stringMatching(/^password: text without/),
  ]);
});

test.for([
  ['1900-01-01', true],
  ['1899-12-31', false],
  ['2008-03-01', true],
  // In Kiribati it is the second of March already.
  ['2008-03-02', true],
  ['2008-03-03', false],
  ['2008-02-30', false],
  ['2026-03-01', false],
  ['2026-03-02', false],
  ['2090-01-01', false],
  ['9999-12-31', false],
] as const)('on 1 March 2026 somebody born on %s is an adult: %s', ([birth_date, isTaken]) => {
  expect(wrong({ birth_date }) === undefined).toBe(isTaken);
});

test('who was born on 29 February is an adult on 1 March, wherever that comes first', () => {
  const at = (time: string) =>
    registerBy(() => Date.parse(time)).safeParse({ ...whole, birth_date: '2008-02-29' }).success;
  expect(at('2026-02-28T09:59:59Z')).toBe(false);
  expect(at('2026-02-28T10:00:00Z')).toBe(true);
});

test('whatever is known of a person is refused as his password, however long it is and however it is spelled', () => {
  const letters = (min: number, max: number) =>
    fc.string({ unit: fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz'), minLength: min, maxLength: max });
  const someone = fc.record({
    name: fc.tuple(letters(6, 20), letters(6, 20)).map((names) => names.join(' ')),
    address: fc.tuple(fc.nat(9_999), letters(8, 30)).map(([number, street]) => `${number} ${street} Street`),
    email: fc.tuple(letters(3, 30), letters(6, 30)).map(([local, domain]) => `${local}@${domain}.example`),
  });
  const spelling = fc.constantFrom<(text: string) => string>(
    (text) => text,
    (text) => text.toUpperCase(),
    (text) => text.replaceAll(/\W/g, ''),
    (text) => `${text}1!`,
  );
  fc.assert(
    fc.property(someone, fc.constantFrom('name', 'address', 'email'), spelling, (person, field, spelled) => {
      expect(isEasilyGuessed(spelled(person[field]), person)).toBe(true);
    }),
  );
});
