import type { Subscribe, SubscribeResult, Unsubscribe } from '@brokerx/contracts';
import { refused } from '../http/problems.ts';
import type { OpenChannel } from '../streams/channels.ts';
import type { Sink } from '../streams/sink.ts';
import type { Outbox } from './outbox.ts';
import { type Places, places } from './places.ts';
import { type Subscription, subscription } from './subscription.ts';

/** The subscriptions of one connection. */
export type Subscriptions = {
  /** Those that are open, by `keyOf`. */
  readonly open: Map<string, Subscription>;
  /** Those that need a sign-in; ones that are still being opened, too. */
  readonly own: Set<Subscription>;
  readonly places: Places;
  readonly out: Outbox;
  /** The connection has closed: what is still being opened must fail. */
  isOver: boolean;
};

/** Twice what a large screen has. */
export const SUBSCRIPTIONS_MAX = 500;

export function subscriptionsOver(out: Outbox): Subscriptions {
  const open = new Map<string, Subscription>();
  return { open, own: new Set(), places: places(open, SUBSCRIPTIONS_MAX), out, isOver: false };
}

/** Opens a channel, or throws a refusal. */
type Opening = (request: Subscribe, to: Sink) => Promise<OpenChannel>;
type Opened = { key: string; subject: Unsubscribe; candidate: Subscription; channel: OpenChannel };

/** Opens all channels of a request, or none; the function of the result starts them, once the reply is sent. */
export async function subscribe(
  subscriptions: Subscriptions,
  requests: readonly Subscribe[],
  openChannel: Opening,
): Promise<[SubscribeResult, () => void]> {
  const byKey = new Map(requests.map((request) => [keyOf(request), request]));
  const leave = subscriptions.places.claim(byKey.keys());
  if (!leave) throw refused('TOO_MANY_SUBSCRIPTIONS');
  const opened: Opened[] = [];
  const candidates: Subscription[] = [];
  try {
    for (const [key, request] of byKey) {
      const { channel, symbol, interval } = request;
      const subject = { channel, symbol, interval };
      const candidate = candidateFor(subscriptions, key, subject);
      candidates.push(candidate);
      opened.push({ key, subject, candidate, channel: await openChannel(request, candidate.sink) });
      if (subscriptions.isOver) throw refused('UNAVAILABLE', 'the connection is over');
    }
    if (candidates.some(({ sink }) => sink.ended.aborted))
      throw refused('UNAUTHENTICATED', 'the sign-in is over');
    admit(subscriptions, opened);
  } catch (error) {
    for (const candidate of candidates) candidate.close();
    throw error;
  } finally {
    leave();
  }
  const result = {
    subscriptions: opened.map(({ subject, channel }) => ({ ...subject, sequence: channel.sequence() })),
  };
  return [result, () => opened.forEach(({ channel }) => channel.begin())];
}

/** A subscription that is being opened. */
function candidateFor({ open, own, out }: Subscriptions, key: string, subject: Unsubscribe): Subscription {
  const candidate: Subscription = subscription(subject, out, () => {
    own.delete(candidate);
    if (open.get(key) === candidate) open.delete(key);
  });
  if (subject.channel === 'orders') own.add(candidate);
  return candidate;
}

/** A channel that the client subscribes to again begins anew. */
function admit({ open }: Subscriptions, opened: readonly Opened[]): void {
  for (const { key, candidate } of opened) {
    open.get(key)?.close();
    open.set(key, candidate);
  }
}

export function unsubscribe({ open }: Subscriptions, subjects: readonly Unsubscribe[]): void {
  for (const subject of subjects) open.get(keyOf(subject))?.close();
}

/** There is room in the outbox again. */
export function giveRoom({ open }: Subscriptions): void {
  for (const each of open.values()) each.room();
}

/** Ends what needs a sign-in, which is over. */
export function endOwn(subscriptions: Subscriptions, reason: 'token_expired' | 'session_ended'): void {
  const open = new Set(subscriptions.open.values());
  for (const each of subscriptions.own) {
    if (open.has(each)) each.end(reason);
    else each.close();
  }
}

export function closeAll(subscriptions: Subscriptions): void {
  subscriptions.isOver = true;
  for (const each of subscriptions.open.values()) each.close();
}

const keyOf = ({ channel, symbol, interval }: Unsubscribe): string => `${channel} ${symbol} ${interval}`;
