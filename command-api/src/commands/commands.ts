import {
  type AccountEvent,
  type AccountFact,
  accountStream,
  type Cause,
  type Event,
  type MarketEvent,
  marketStream,
  mintId,
  seal,
  timeOf,
} from '@brokerx/contracts';
import {
  AppenderClosed,
  AppendQueueFull,
  type EventStore,
  isTransient,
  Problem,
  type Recorded,
  type Runtime,
  type Telemetry,
  UnknownOutcome,
} from '@brokerx/infra';
import { withinTime } from '@brokerx/infra/runtime/waiting.ts';
import type { Account } from '../account/account.ts';
import { AccountBusy, type Accounts } from '../account/accounts.ts';
import { type KeyLog, recall } from '../idempotencyKeys.ts';
import type { Market } from '../market/market.ts';
import type { MarketDecision } from '../market/marketDecider.ts';
import { MarketBusy, type Markets } from '../market/markets.ts';
import type { Refusal } from '../refusal.ts';
import { momentaryRefusal } from './momentary.ts';
import { tryLater } from './refusals.ts';
import type { RequestKey } from './requestKey.ts';

/**
 * How a command is carried out: its key is looked up, the decision is taken and recorded, and the answer is built
 * from the recorded event, so that a repetition is answered from the store with the very same words. An outcome that
 * is not known in time is `UNAVAILABLE`, never a refusal: the same key then tells what became of it.
 */
export type CommandRequest = {
  /** Its name in traces and metrics, such as `PlaceOrder`. */
  command: string;
  /** `client:<id>` or `operator:<id>`. */
  actor: string;
  key: RequestKey;
  traceparent: string;
  /** Of what several requests do together; absent: this one alone. */
  correlationId?: string;
};

export type Answer<F> = { fact: F; time: string; position: number; replayed: boolean } | { refusal: Refusal };

/** What a decision says besides a fact to record: nothing new is needed, this is what stands already. */
export type Unchanged = { unchanged: AccountFact };
/** Several facts in one commit, engine inputs of one symbol at most; the first one is the answer. */
export type Several = { facts: readonly [AccountFact, ...AccountFact[]] };
export type DecideOnAccount = (account: Account, nowMs: number) => AccountFact | Several | Unchanged;

export type Commands = {
  onAccount(
    accountId: string,
    request: CommandRequest,
    decide: DecideOnAccount,
  ): Promise<Answer<AccountFact>>;
  onMarket(
    symbol: string,
    request: CommandRequest,
    decide: (market: Market | undefined, nowMs: number) => MarketDecision,
  ): Promise<Answer<MarketEvent>>;
};

/** Longer than any healthy append takes; the client's own time-out is usually 10 s. */
export const COMMAND_TIMEOUT_MS = 5_000;

type NotAppended = { refusal: Refusal } | { replay: number } | { fact: AccountFact };

export function commandsOn(options: {
  store: EventStore<Event>;
  accounts: Accounts;
  markets: Markets;
  runtime: Runtime;
  telemetry: Telemetry;
  /** Told how each command ended: `accepted`, `replayed`, a refusal's code, or `failed`. */
  onOutcome: (command: string, outcome: string) => void;
  /** Told what was recorded for the first time, durable by then, whether or not anybody still waits. */
  onRecorded: (event: AccountEvent) => void;
  /** Refusals that each account may have recorded in a minute, of orders and of everything else. */
  refusalsPerMinute: number;
}): Commands {
  const { store, accounts, markets, runtime, telemetry, onOutcome, onRecorded, refusalsPerMinute } = options;

  async function onAccount(
    accountId: string,
    request: CommandRequest,
    decide: DecideOnAccount,
  ): Promise<Answer<AccountFact>> {
    const nowMs = runtime.nowMs();
    const cause = causeOf(runtime, request, nowMs);
    const executed = await accounts.execute<NotAppended>(accountId, (account, place) => {
      if (account.status === 'none') {
        return { reply: refusal('ACCOUNT_NOT_FOUND', `account ${accountId}`), rests: 'absent' };
      }
      const known = lookUp(account.keys, request.key, nowMs);
      if (known && 'refusal' in known) {
        const reused = known.refusal.code === 'IDEMPOTENCY_KEY_REUSED';
        return { reply: known, rests: reused ? 'present' : 'absent' };
      }
      if (known) {
        return known.replay > place.durableRevision
          ? { reply: { refusal: IN_FLIGHT }, rests: 'memory' }
          : { reply: known, rests: 'present' };
      }
      const decided = decide(account, nowMs);
      if ('unchanged' in decided) return { reply: { fact: decided.unchanged }, rests: 'present' };
      const facts = 'facts' in decided ? decided.facts : ([decided] as const);
      const momentary = momentaryRefusal(account, facts[0], { nowMs, refusalsPerMinute });
      if (momentary) return { reply: { refusal: momentary }, rests: 'memory' };
      const events = seal(place.commitId, cause, facts) as AccountEvent[];
      const symbol = facts.map(symbolOf).find((name) => name !== null) ?? null;
      return { events, symbol };
    });
    if ('events' in executed) {
      const [event] = executed.events;
      if (!event) throw new Error('a commit has events');
      onRecorded(event);
      return { fact: event, time: event.time, position: executed.position, replayed: false };
    }
    const { reply } = executed;
    if ('refusal' in reply) return reply;
    if ('fact' in reply) {
      return { fact: reply.fact, time: cause.time, position: executed.position, replayed: false };
    }
    return replayed<AccountEvent>(store, accountStream(accountId), reply.replay);
  }

  async function onMarket(
    symbol: string,
    request: CommandRequest,
    decide: (market: Market | undefined, nowMs: number) => MarketDecision,
  ): Promise<Answer<MarketEvent>> {
    const nowMs = runtime.nowMs();
    const cause = causeOf(runtime, request, nowMs);
    type Reply = { refusal: Refusal } | { replay: number };
    const executed = await markets.execute<Reply>(symbol, (market, commitId) => {
      const known = market ? lookUp(market.keys, request.key, nowMs) : null;
      if (known) return { reply: known };
      const decided = decide(market, nowMs);
      if ('refusal' in decided) return { reply: decided };
      const [event] = seal(commitId, cause, [decided.fact]) as MarketEvent[];
      if (!event) throw new Error('one fact, one event');
      return { event };
    });
    if ('event' in executed) {
      const { event, position } = executed;
      return { fact: event, time: event.time, position, replayed: false };
    }
    if ('refusal' in executed.reply) return executed.reply;
    return replayed<MarketEvent>(store, marketStream(symbol), executed.reply.replay);
  }

  async function carryOut<F extends AccountFact | MarketEvent>(
    { command, ...request }: CommandRequest,
    work: (request: CommandRequest) => Promise<Answer<F>>,
  ): Promise<Answer<F>> {
    const { traceparent } = request;
    try {
      const answer = await telemetry.span(command, { traceparent }, (span) =>
        inTime(runtime, work({ ...request, command, traceparent: span })),
      );
      onOutcome(command, outcomeOf(answer));
      return answer;
    } catch (error) {
      onOutcome(command, error instanceof Problem ? error.code : 'failed');
      throw error;
    }
  }

  return {
    onAccount: (accountId, asked, decide) =>
      carryOut(asked, (request) => onAccount(accountId, request, decide)),
    onMarket: (symbol, asked, decide) => carryOut(asked, (request) => onMarket(symbol, request, decide)),
  };
}

function outcomeOf(answer: Answer<AccountFact | MarketEvent>): string {
  if ('refusal' in answer) return answer.refusal.code;
  if (answer.replayed) return 'replayed';
  const { type, data } = answer.fact;
  return type === 'OrderRefused.v1' || type === 'CommandRefused.v1' ? data.code : 'accepted';
}

/** The revision that answered the key, or why it may not be carried out; null: carry it out. */
function lookUp(
  keys: KeyLog,
  key: RequestKey,
  nowMs: number,
): { replay: number } | { refusal: Refusal } | null {
  const known = recall(keys, key, nowMs);
  if (known === 'unknown') return null;
  if ('code' in known) return { refusal: known };
  return known.hash === key.hash ? { replay: known.revision } : refusal('IDEMPOTENCY_KEY_REUSED', '');
}

/** It is decided and on its way to the disk, which takes milliseconds. */
const IN_FLIGHT: Refusal = { code: 'REQUEST_IN_FLIGHT', detail: '', retryAfterSeconds: 1 };

/** The first answer once more: its fact, and the position of the last event that was recorded with it. */
async function replayed<E extends AccountEvent | MarketEvent>(
  store: EventStore<Event>,
  stream: string,
  revision: number,
): Promise<Answer<E>> {
  const commit = await commitAt(store, stream, revision);
  const [first] = commit;
  if (!first) throw new Error(`${stream} has no revision ${revision}, though a key was answered there`);
  const fact = first.event as E;
  return { fact, time: fact.time, position: commit.at(-1)?.position ?? first.position, replayed: true };
}

/** Most commits have one event: a second one that is read tells. */
const FIRST_PAGE_EVENTS = 2;
const PAGE_EVENTS = 250;

/** The events of the commit that begins at this revision. */
async function commitAt(
  store: EventStore<Event>,
  stream: string,
  revision: number,
): Promise<Recorded<Event>[]> {
  const commit: Recorded<Event>[] = [];
  for (;;) {
    const limit = commit.length === 0 ? FIRST_PAGE_EVENTS : PAGE_EVENTS;
    const page = await store.readStream(stream, revision + commit.length, limit);
    const { commitId } = commit[0] ?? page[0] ?? {};
    const its = page.filter((recorded) => recorded.commitId === commitId);
    commit.push(...its);
    if (its.length < limit) return commit;
  }
}

function causeOf(
  runtime: Runtime,
  { actor, key, traceparent, correlationId }: CommandRequest,
  nowMs: number,
): Cause {
  const requestId = mintId(runtime);
  return {
    time: timeOf(nowMs),
    actor,
    correlationId: correlationId ?? requestId,
    causationId: requestId,
    traceparent,
    key: { id: key.id, hash: key.hash },
  };
}

const refusal = (code: Refusal['code'], detail: string): { refusal: Refusal } => ({
  refusal: { code, detail },
});

/** Engine inputs name the symbol whose engine takes them. */
function symbolOf(fact: AccountFact): string | null {
  switch (fact.type) {
    case 'OrderPlaced.v1':
    case 'OrderListPlaced.v1':
    case 'OrderCancelRequested.v1':
    case 'OrderAmendRequested.v1':
      return fact.data.symbol;
    default:
      return null;
  }
}

/** Waits for an outcome, but not for ever; what goes on afterwards goes on. */
async function inTime<T>(runtime: Runtime, outcome: Promise<T>): Promise<T> {
  try {
    return await withinTime(runtime, COMMAND_TIMEOUT_MS, outcome, () => {
      throw tryLater(runtime, 'UNAVAILABLE', {
        detail: 'the outcome is not known yet: repeat with the same key',
      });
    });
  } catch (error) {
    throw known(runtime, error);
  }
}

function known(runtime: Runtime, error: unknown): unknown {
  if (error instanceof AppendQueueFull) return tryLater(runtime, 'OVERLOADED', { cause: error });
  const passes =
    error instanceof AccountBusy ||
    error instanceof MarketBusy ||
    error instanceof AppenderClosed ||
    error instanceof UnknownOutcome ||
    isTransient(error);
  return passes ? tryLater(runtime, 'UNAVAILABLE', { cause: error }) : error;
}
