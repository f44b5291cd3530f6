import {
  type AccountEvent,
  type AccountFact,
  accountStream,
  type Cause,
  type Event,
  type MarketEvent,
  marketStream,
  mintId,
  requestIdOf,
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
import { type KeyLog, recall, shortHash } from '../idempotencyKeys.ts';
import type { Market } from '../market/market.ts';
import type { MarketDecision } from '../market/marketDecider.ts';
import { MarketBusy, type Markets } from '../market/markets.ts';
import type { Refusal } from '../refusal.ts';
import { momentaryRefusal } from './momentary.ts';
import { tryLater } from './refusals.ts';
import type { RequestKey } from './requestKey.ts';

/**
 * Carries out commands: looks up the key, decides, records the decision, and builds the answer from the recorded event.
 * A repetition is answered from the store, in the same words. A command whose outcome is unknown in time is answered
 * `UNAVAILABLE`, never refused: repeating it with the same key tells the outcome.
 */
export type CommandRequest = {
  /** The command's name in traces and metrics, such as `PlaceOrder`. */
  command: string;
  /** `client:<id>` or `operator:<id>`. */
  actor: string;
  key: RequestKey;
  traceparent: string;
  /** Shared by the requests of one batch. Defaults to this request's own id. */
  correlationId?: string;
};

export type Answer<F> = { fact: F; time: string; position: number; replayed: boolean } | { refusal: Refusal };

/** The decision needs no new fact: this recorded one is the answer. */
export type Unchanged = { unchanged: AccountFact };
/** The decision records several facts in one commit, engine inputs of one symbol at most; the first fact is the answer. */
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
  /** Called once per command with its outcome: `accepted`, `replayed`, a refusal's code, or `failed`. */
  onOutcome: (command: string, outcome: string) => void;
  /** Called once per new durable event, even if the caller has timed out. */
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
      const earlier = lookUp(account.keys, request.key, nowMs);
      if (earlier && 'refusal' in earlier) {
        const reused = earlier.refusal.code === 'IDEMPOTENCY_KEY_REUSED';
        return { reply: earlier, rests: reused ? 'present' : 'absent' };
      }
      if (earlier) {
        return earlier.replay > place.durableRevision
          ? { reply: { refusal: IN_FLIGHT }, rests: 'memory' }
          : { reply: earlier, rests: 'present' };
      }
      const decision = decide(account, nowMs);
      if ('unchanged' in decision) return { reply: { fact: decision.unchanged }, rests: 'present' };
      const facts = 'facts' in decision ? decision.facts : ([decision] as const);
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
    return replayed<AccountEvent>(store, accountStream(accountId), reply.replay, request.key);
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
      const earlier = market ? lookUp(market.keys, request.key, nowMs) : null;
      if (earlier) return { reply: earlier };
      const decision = decide(market, nowMs);
      if ('refusal' in decision) return { reply: decision };
      const [event] = seal(commitId, cause, [decision.fact]) as MarketEvent[];
      if (!event) throw new Error('one fact, one event');
      return { event };
    });
    if ('event' in executed) {
      const { event, position } = executed;
      return { fact: event, time: event.time, position, replayed: false };
    }
    if ('refusal' in executed.reply) return executed.reply;
    return replayed<MarketEvent>(store, marketStream(symbol), executed.reply.replay, request.key);
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
    onAccount: (accountId, request, decide) =>
      carryOut(request, (traced) => onAccount(accountId, traced, decide)),
    onMarket: (symbol, request, decide) => carryOut(request, (traced) => onMarket(symbol, traced, decide)),
  };
}

function outcomeOf(answer: Answer<AccountFact | MarketEvent>): string {
  if ('refusal' in answer) return answer.refusal.code;
  if (answer.replayed) return 'replayed';
  const { type, data } = answer.fact;
  return type === 'OrderRefused.v1' || type === 'CommandRefused.v1' ? data.code : 'accepted';
}

/** The revision that answered the key, or the refusal of the key; null: the command is new, carry it out. */
function lookUp(
  keys: KeyLog,
  key: RequestKey,
  nowMs: number,
): { replay: number } | { refusal: Refusal } | null {
  const recalled = recall(keys, key, nowMs);
  if (recalled === 'unknown') return null;
  if ('code' in recalled) return { refusal: recalled };
  return recalled.hash === shortHash(key.hash) ? { replay: recalled.revision } : REUSED;
}

const REUSED = refusal('IDEMPOTENCY_KEY_REUSED', '');

/** The command is decided and on its way to the disk, which takes milliseconds. */
const IN_FLIGHT: Refusal = { code: 'REQUEST_IN_FLIGHT', detail: '', retryAfterSeconds: 1 };

/**
 * Repeats the first answer: its fact, and the position of the last event of the same commit. The event knows the whole hash of
 * its request, of which only a part is remembered.
 */
async function replayed<E extends AccountEvent | MarketEvent>(
  store: EventStore<Event>,
  stream: string,
  revision: number,
  key: RequestKey,
): Promise<Answer<E>> {
  const commit = await commitAt(store, stream, revision);
  const [first] = commit;
  if (!first) throw new Error(`${stream} has no revision ${revision}, though a key was answered there`);
  if (first.event.key?.hash !== key.hash) return REUSED;
  const fact = first.event as E;
  return { fact, time: fact.time, position: commit.at(-1)?.position ?? first.position, replayed: true };
}

/** Most commits have one event: a second event on the page shows whether this one goes on. */
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
    const events = page.filter((recorded) => recorded.commitId === commitId);
    commit.push(...events);
    if (events.length < limit) return commit;
  }
}

function causeOf(
  runtime: Runtime,
  { actor, key, traceparent, correlationId }: CommandRequest,
  nowMs: number,
): Cause {
  const requestId = requestIdOf(traceparent) ?? mintId(runtime);
  return {
    time: timeOf(nowMs),
    actor,
    correlationId: correlationId ?? requestId,
    causationId: requestId,
    traceparent,
    key: { id: key.id, hash: key.hash },
  };
}

function refusal(code: Refusal['code'], detail: string): { refusal: Refusal } {
  return { refusal: { code, detail } };
}

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

/** Waits for an outcome for a bounded time. The work itself goes on after that. */
async function inTime<T>(runtime: Runtime, outcome: Promise<T>): Promise<T> {
  try {
    return await withinTime(runtime, COMMAND_TIMEOUT_MS, outcome, () => {
      throw tryLater(runtime, 'UNAVAILABLE', {
        detail: 'the outcome is not known yet: repeat with the same key',
      });
    });
  } catch (error) {
    throw problemOfError(runtime, error);
  }
}

/** The problem that an error which passes by itself is answered with; any other error stays as it is. */
function problemOfError(runtime: Runtime, error: unknown): unknown {
  if (error instanceof AppendQueueFull) return tryLater(runtime, 'OVERLOADED', { cause: error });
  const passes =
    error instanceof AccountBusy ||
    error instanceof MarketBusy ||
    error instanceof AppenderClosed ||
    error instanceof UnknownOutcome ||
    isTransient(error);
  return passes ? tryLater(runtime, 'UNAVAILABLE', { cause: error }) : error;
}
