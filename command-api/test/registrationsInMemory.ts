import { randomBytes, randomUUID } from 'node:crypto';
import { type ClientEvent, clientStream, type Event, eventCodec } from '@brokerx/contracts';
import {
  type Appender,
  AppenderClosed,
  groupCommit,
  memoryEventStore,
  memorySnapshots,
  memoryTallies,
  memoryVault,
  type Runtime,
  realRuntime,
  type Vault,
} from '@brokerx/infra';
import { accountsInMemory } from '../src/account/accounts.ts';
import { lookups } from '../src/people/lookups.ts';
import { people } from '../src/people/people.ts';
import { mailLimits } from '../src/people/registration/mailLimits.ts';
import type { Passwords } from '../src/people/signIn/passwords.ts';
import { quiet } from './world.ts';

/** Processes that register clients and die at a chosen moment, over one store and one vault in memory. */
export const body = {
  name: 'Ann Example',
  address: '1 Example Street',
  birth_date: '1990-04-01',
  email: 'ann@example.com',
  phone: '+15145550123',
  password: 'walnut ferry copper lantern',
};
const traceparent = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`;
export const from = { traceparent, ip: '192.0.2.1', isGone: () => false };
export const DAY_MS = 86_400_000;
const LIMITS = { perMailboxMax: 100, perNetworkMax: 100, inAllMax: 100 };
const plain: Passwords = { hash: async () => 'a hash', verify: async () => true };

export function installation(runtime: Runtime = realRuntime) {
  const store = memoryEventStore<Event>({ id: randomUUID(), codec: eventCodec() });
  const vault = memoryVault();
  const hashes = lookups(randomBytes(32));
  const limits = mailLimits(memoryTallies(runtime), LIMITS, hashes);
  /** A process that dies before its append number `dies`, counted from 0, or when it is to destroy a key. */
  const process = (
    dies: number | 'at destroying' = Number.POSITIVE_INFINITY,
    /** What others do just before its append of that number. */
    meanwhile: (append: number) => Promise<unknown> = async () => undefined,
  ) => {
    let appends = 0;
    const live = groupCommit(store);
    const appender: Appender<Event> = {
      async append(commit) {
        appends += 1;
        if (dies !== 'at destroying' && appends > dies) throw new AppenderClosed('killed');
        await meanwhile(appends - 1);
        return live.append(commit);
      },
      close: () => live.close(),
    };
    const killedAt: Vault = {
      ...vault,
      async destroy(clientId) {
        if (dies === 'at destroying') throw new AppenderClosed('killed');
        return vault.destroy(clientId);
      },
    };
    const shared = { store, appender, runtime, log: quiet };
    const accounts = accountsInMemory({ ...shared, snapshots: memorySnapshots({ store }) });
    return people({
      ...shared,
      accounts,
      vault: killedAt,
      lookups: hashes,
      passwords: plain,
      mailLimits: limits,
      openMs: DAY_MS,
    });
  };
  const events = async () => {
    const { events } = await store.readAll(0, {}, 1_000);
    return events.map(({ stream, event }) => `${stream.split('-')[0]} ${event.type}`);
  };
  const code = async (clientId: string) => {
    const stored = await store.readStream(clientStream(clientId), 0, 100);
    const issued = stored.findLast(({ event }) => (event as ClientEvent).type === 'PasscodeIssued.v1');
    return hashes.passcode(clientId, issued?.event.id ?? '');
  };
  return { store, vault, process, events, code };
}
