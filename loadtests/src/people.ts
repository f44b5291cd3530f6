import { setTimeout as delay } from 'node:timers/promises';
import { type Api, ApiError, idSource, mayFail, succeeded } from '@brokerx/client';
import { mintId } from '@brokerx/contracts';

/** A signed-in client. A token that `token()` returns is valid for at least another minute. */
export type Person = {
  email: string;
  password: string;
  clientId: string;
  accountId: string;
  token(): Promise<string>;
};

export type NewPerson = { name: string; email: string; password: string };

type Session = { access_token: string; expires_in: number; client_id: string; account_id: string };

/** A token is replaced this long before it expires. */
const TOKEN_MARGIN_MS = 60_000;
/** A mail arrives within milliseconds, unless a server is restarting. */
const MAIL_WAIT_MS = 20_000;
const MAIL_POLL_MS = 25;
/** A command-api hashes two passwords at a time and lets 50 wait. More registrations at a time would be refused. */
const REGISTRATIONS_AT_ONCE = 12;

export async function signIn(api: Api, email: string, password: string): Promise<Person> {
  const openSession = async (): Promise<Session> =>
    succeeded(
      `signing in ${email}`,
      await api.command<Session>({ method: 'POST', path: '/v1/sessions', body: { email, password } }),
    ).body;
  let session = await openSession();
  let renewAtMs = performance.now() + session.expires_in * 1000 - TOKEN_MARGIN_MS;
  let renewal: Promise<void> | undefined;
  return {
    email,
    password,
    clientId: session.client_id,
    accountId: session.account_id,
    token: async () => {
      if (performance.now() >= renewAtMs) {
        renewal ??= openSession()
          .then((renewed) => {
            session = renewed;
            renewAtMs = performance.now() + session.expires_in * 1000 - TOKEN_MARGIN_MS;
          })
          .finally(() => {
            renewal = undefined;
          });
        await renewal;
      }
      return session.access_token;
    },
  };
}

/** Registers somebody, reads the passcode from the development inbox, verifies the registration, and signs in. */
export async function register(api: Api, person: NewPerson): Promise<Person> {
  const registration = succeeded(
    `registering ${person.email}`,
    await api.command<{ registration_id: string }>({
      method: 'POST',
      path: '/v1/registrations',
      body: {
        name: person.name,
        address: '1100 rue Notre-Dame Ouest, Montréal',
        birth_date: '1990-06-15',
        email: person.email,
        phone: phoneOf(person.email),
        password: person.password,
      },
    }),
  ).body;
  const code = await passcode(api, person.email);
  succeeded(
    `verifying ${person.email}`,
    await api.command({
      method: 'POST',
      path: `/v1/registrations/${registration.registration_id}/verification`,
      body: { code },
    }),
  );
  return signIn(api, person.email, person.password);
}

/** Registers `count` people with new addresses, several at a time. The result is in the order of their numbers. */
export async function registerMany(api: Api, label: string, count: number): Promise<Person[]> {
  const run = mintId(idSource).slice(24);
  const people: Person[] = [];
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < count; index = next++) {
      people[index] = await register(api, {
        name: `${label} ${index + 1}`,
        email: `${label}.${index + 1}.${run}@load.test`,
        password: `${run}-passphrase-${index + 1}`,
      });
    }
  };
  await Promise.all(Array.from({ length: Math.min(REGISTRATIONS_AT_ONCE, count) }, worker));
  return people;
}

/** The newest passcode mailed to an address, from the development inbox. */
async function passcode(api: Api, email: string): Promise<string> {
  const deadlineMs = performance.now() + MAIL_WAIT_MS;
  for (;;) {
    const inbox = {
      path: `/dev/inbox?to=${encodeURIComponent(email)}&limit=5`,
      headers: { accept: 'application/json' },
    };
    const reply = await mayFail(api.raw('command', inbox), 'a server that restarts is asked again');
    if (reply?.status === 404) {
      throw new ApiError('reading the passcode', 404, '', 'there is no development inbox (SMTP_URL is set)');
    }
    const code = reply?.status === 200 ? codeIn(reply.text) : undefined;
    if (code) return code;
    if (performance.now() > deadlineMs) {
      throw new ApiError('reading the passcode', reply?.status ?? 0, '', `no passcode for ${email}`);
    }
    await delay(MAIL_POLL_MS);
  }
}

type Mail = { text?: string };
function codeIn(json: string): string | undefined {
  const parsed = JSON.parse(json) as Mail[] | { items?: Mail[]; mails?: Mail[] };
  const mails = Array.isArray(parsed) ? parsed : (parsed.items ?? parsed.mails ?? []);
  for (const mail of mails) {
    const code = /\b\d{6}\b/.exec(mail.text ?? '')?.[0];
    if (code) return code;
  }
  return undefined;
}

/** A telephone number made from the address, so that each has another one. */
function phoneOf(email: string): string {
  let hash = 0n;
  for (const byte of Buffer.from(email)) hash = (hash * 131n + BigInt(byte)) % 999_999_999_989n;
  return `+99${String(hash).padStart(12, '0')}`;
}
