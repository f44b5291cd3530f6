import { idSource } from '@brokerx/client';
import { mintId } from '@brokerx/contracts';
import type { CommandKind } from '../../journal.ts';
import type { Action } from '../scenarios/scenario.ts';
import type { Connections } from './connections.ts';
import { type Done, headerOf } from './httpConnection.ts';
import type { Finished, Outcomes, SentCommand } from './outcomes.ts';
import type { LoadUser } from './protocol.ts';
import type { Recorder } from './recorder.ts';
import type { Sockets } from './sockets.ts';
import type { Tokens } from './tokens.ts';

/** Makes the request of an action and sends it. */
export type Performer = {
  users: readonly LoadUser[];
  commands: (user: number) => Connections;
  queries: (user: number) => Connections;
  sockets: Sockets | undefined;
  tokens: Tokens;
  recorder: Recorder;
  outcomes: Outcomes;
  /** The n-th order's body, and the symbol that the n-th request looks at. */
  orderOf: (n: number) => string;
  symbolOf: (n: number) => string;
};

/** `n`: which request of the run it is. */
type Sent = { user: number; n: number; dueMs: number; finished: Finished };

export function perform(
  by: Performer,
  action: Action,
  sent: { user: number; n: number; dueMs: number; finished?: Finished },
): void {
  ACTIONS[action](by, { ...sent, finished: sent.finished });
}

const ORDERS_PER_BATCH = 20;
const JSON_BODY = 'content-type: application/json\r\n';

const ACTIONS: Record<Action, (by: Performer, sent: Sent) => void> = {
  place,
  batch,
  place_over_websocket: overWebSocket,
  cancel(by, sent) {
    const id = by.outcomes.takeResting(sent.user);
    // Where there is nothing to cancel yet, something is placed.
    if (id === undefined) place(by, sent);
    else sendCommand(by, commandOf('cancel', 'cancel', sent), `DELETE /v1/orders/${id}`, '', sent.finished);
  },
  deposit: (by, sent) =>
    sendCommand(
      by,
      commandOf('deposit', 'deposit', sent),
      'POST /v1/deposits',
      '{"amount":"1.00"}',
      sent.finished,
    ),
  sign_in: signIn,
  wallet: (by, sent) => look(by, 'wallet', '/v1/wallet', sent),
  holdings: (by, sent) => look(by, 'holdings', '/v1/holdings', sent),
  orders: (by, sent) => look(by, 'orders', '/v1/orders', sent),
  depth: (by, sent) => look(by, 'depth', `/v1/symbols/${by.symbolOf(sent.n)}/depth`, sent),
  ticker: (by, sent) => look(by, 'ticker', `/v1/symbols/${by.symbolOf(sent.n)}/ticker`, sent),
};

function place(by: Performer, sent: Sent): void {
  sendCommand(by, commandOf('place', 'place', sent), 'POST /v1/orders', by.orderOf(sent.n), sent.finished);
}

const commandOf = (action: Action, kind: CommandKind, { user, dueMs }: Sent): SentCommand => ({
  action,
  kind,
  user,
  dueMs,
  key: mintId(idSource),
});

function sendCommand(
  by: Performer,
  command: SentCommand,
  line: string,
  body: string,
  finished: Finished,
): void {
  const { user, key } = command;
  const to = by.commands(user);
  const head = `${line} HTTP/1.1\r\nhost: ${to.host}\r\n${by.tokens.authorization(user)}idempotency-key: ${key}\r\n`;
  const request =
    body === '' ? `${head}\r\n` : `${head}${JSON_BODY}content-length: ${body.length}\r\n\r\n${body}`;
  send(by, to, command, request, finished, (status, replyHead, text) => {
    by.outcomes.settle(command, status, text, () => headerOf(replyHead, 'x-brokerx-position') ?? '');
    finished?.(status);
  });
}

function send(
  { recorder }: Performer,
  to: Connections,
  { action, dueMs }: Pick<SentCommand, 'action' | 'dueMs'>,
  request: string,
  finished: Finished,
  done: Done,
): void {
  recorder.sent(action, dueMs);
  if (to.send(request, done)) return;
  recorder.unsent(action, dueMs);
  finished?.(0);
}

function batch(by: Performer, sent: Sent): void {
  const { user, n, dueMs, finished } = sent;
  const all = Array.from({ length: ORDERS_PER_BATCH }, () => commandOf('batch', 'place', sent));
  const items = all.map(
    ({ key }, index) => `{"idempotency_key":"${key}","order":${by.orderOf(n * ORDERS_PER_BATCH + index)}}`,
  );
  const body = `{"orders":[${items.join(',')}]}`;
  const to = by.commands(user);
  const request = `POST /v1/orders/batch HTTP/1.1\r\nhost: ${to.host}\r\n${by.tokens.authorization(user)}${JSON_BODY}content-length: ${body.length}\r\n\r\n${body}`;
  send(by, to, { action: 'batch', dueMs }, request, finished, (status, _head, text) => {
    const results = status === 207 ? (JSON.parse(text) as { items: BatchItem[] }).items : [];
    for (const [index, command] of all.entries()) {
      const item = results[index];
      if (item) {
        const about = JSON.stringify(item.order ?? item.problem);
        by.outcomes.settle(command, item.status, about, () => item.position ?? '');
      } else by.outcomes.settle(command, status, text, () => '');
    }
    finished?.(status);
  });
}
type BatchItem = { status: number; position?: string; order?: object; problem?: object };

function overWebSocket(by: Performer, sent: Sent): void {
  const { user, n, dueMs, finished } = sent;
  const command = commandOf('place_over_websocket', 'place', sent);
  by.recorder.sent(command.action, dueMs);
  const isSent = by.sockets?.place(user, command.key, by.orderOf(n), (status, text) => {
    by.outcomes.settle(command, status, text, () => /"position":"([^"]+)"/.exec(text)?.[1] ?? '');
    finished?.(status);
  });
  if (isSent) return;
  by.recorder.unsent(command.action, dueMs);
  finished?.(0);
}

function look(by: Performer, action: Action, path: string, { user, dueMs, finished }: Sent): void {
  const to = by.queries(user);
  const request = `GET ${path} HTTP/1.1\r\nhost: ${to.host}\r\n${by.tokens.authorization(user)}\r\n`;
  send(by, to, { action, dueMs }, request, finished, by.outcomes.looked(action, dueMs, finished));
}

function signIn(by: Performer, { user, dueMs, finished }: Sent): void {
  const { email = '', password = '' } = by.users[user] ?? {};
  const body = JSON.stringify({ email, password });
  const to = by.commands(user);
  const request = `POST /v1/sessions HTTP/1.1\r\nhost: ${to.host}\r\n${JSON_BODY}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  const action = 'sign_in';
  send(by, to, { action, dueMs }, request, finished, by.outcomes.looked(action, dueMs, finished));
}
