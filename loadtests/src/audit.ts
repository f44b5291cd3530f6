import { glob } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Api, brokerApi } from '@brokerx/client';
import { formatPosition, parsePosition } from '@brokerx/contracts';
import { Command } from 'commander';
import { exitCodeOf, type Findings, newFindings } from './audit/findings.ts';
import { auditHistory, type HistoryAudit } from './audit/history.ts';
import { auditJournals } from './audit/journals.ts';
import { parseRawEvent } from './audit/rawEvent.ts';
import { compareReadModels, parkedEvents, subjectsOf, withinRows } from './audit/shown/readModels.ts';
import { EXIT, print, progress, table } from './cli/report.ts';
import { usageExit } from './cli/usageExit.ts';
import { wholeNumber } from './cli/wholeNumber.ts';
import { type JournalEntry, readJournal } from './journal.ts';
import { type Person, signIn } from './people.ts';

/**
 * Audits a running installation from outside. It folds the whole history again with code of its own, and compares the
 * clients' journals and everything that the query API shows with the result.
 */
export type AuditOptions = {
  api: Api;
  operator: Person;
  journals?: Iterable<JournalEntry>;
  /** How long the system may take until everything accepted is answered, settled and projected. */
  settleMs?: number;
  readModels?: boolean;
  /** The most rows of ledgers, executions and candles that are compared: see `withinRows`. */
  rowsMax?: number;
};
export type AuditResult = {
  ok: boolean;
  exitCode: number;
  findings: Findings;
  history: HistoryAudit;
  /** Milliseconds until everything accepted before the audit was answered and settled. */
  settledMs: number;
  /** Milliseconds until the read models showed it, too. */
  projectedMs: number;
  /** Rows of ledgers, executions and candles: how many were compared, and how many there are. */
  rows: { compared: number; inAll: number };
  durationMs: number;
};

const SETTLE_MS = 60_000;
const POLL_MS = 100;
/** Reading so many rows takes about half a minute. */
const ROWS_MAX = 500_000;
/** Attempts to compare an account or symbol: on a live market it may change between the reading of events and of the view. */
const COMPARISONS_MAX = 15;

export async function auditInstallation(options: AuditOptions): Promise<AuditResult> {
  const { api, operator } = options;
  const begun = performance.now();
  const findings = newFindings();
  const history = auditHistory(findings);
  const target = await readNewEvents(api, operator, history);
  const deadline = begun + (options.settleMs ?? SETTLE_MS);
  while (hasUnanswered(history, target.position) && performance.now() < deadline) {
    await delay(POLL_MS);
    await readNewEvents(api, operator, history);
  }
  const settledMs = performance.now() - begun;
  let projectedMs = settledMs;
  const { listed, ...rows } = withinRows(history, options.rowsMax ?? ROWS_MAX);
  if (options.readModels !== false) {
    let differing: readonly string[] = subjectsOf(history);
    for (let comparison = 1; differing.length > 0; comparison++) {
      const minPosition = formatPosition({ storeId: target.storeId, position: history.position });
      const differences = await compareReadModels(api, history, differing, {
        token: operator.token,
        minPosition,
        listed,
      });
      projectedMs = performance.now() - begun;
      differing = [...differences.keys()];
      if (comparison === COMPARISONS_MAX || performance.now() > deadline) {
        for (const text of [...differences.values()].flat()) findings.add('mismatch', text);
        break;
      }
      if (differing.length === 0) break;
      await delay(POLL_MS);
      await readNewEvents(api, operator, history);
    }
  }
  if (options.readModels !== false) {
    const minPosition = formatPosition({ storeId: target.storeId, position: target.position });
    for (const text of await parkedEvents(api, { token: operator.token, minPosition }))
      findings.add('mismatch', text);
  }
  // Rows that were shown before their events were read must have events by now.
  if (history.awaiting > 0) await readNewEvents(api, operator, history);
  history.finish(target.position);
  if (options.journals) auditJournals(history, options.journals, findings);
  const exitCode = exitCodeOf(findings);
  return {
    ok: exitCode === 0,
    exitCode,
    findings,
    history,
    settledMs,
    projectedMs,
    rows: { compared: options.readModels === false ? 0 : rows.rows, inAll: rows.rowsInAll },
    durationMs: performance.now() - begun,
  };
}

const hasUnanswered = (history: HistoryAudit, upTo: number): boolean => {
  const { inputs, settlements, deposits } = history.unanswered(upTo);
  return inputs + settlements + deposits > 0;
};

const READ_ATTEMPTS_MAX = 20;
/** Reads the events after the last one that the history has. After a broken connection it goes on where it stopped. */
async function readNewEvents(
  api: Api,
  operator: Person,
  history: HistoryAudit,
): Promise<{ storeId: string; position: number }> {
  for (let attempt = 1; ; attempt++) {
    try {
      const token = await operator.token();
      for await (const line of api.lines(`/v1/events?after=${history.position}`, { token })) {
        if (line !== '') history.take(parseRawEvent(line));
      }
      return { storeId: await storeIdOf(api, token), position: history.position };
    } catch (error) {
      if (attempt === READ_ATTEMPTS_MAX) throw error;
      await delay(POLL_MS * attempt);
    }
  }
}

/** The id of the event store, which every reply of the query API names. */
async function storeIdOf(api: Api, token: string): Promise<string> {
  const reply = await api.raw('query', {
    path: '/v1/wallet',
    headers: { authorization: `Bearer ${token}` },
  });
  const parsed = parsePosition(reply.headers['x-brokerx-position'] ?? '');
  if (!parsed) throw new Error(`the query API does not say its position (${reply.status})`);
  return parsed.storeId;
}

/** The result as a table, with the findings below. */
export function auditTable(result: AuditResult): string {
  const { counts, accounts, position } = result.history;
  const rows: (readonly [string, string | number])[] = [
    ['events read', counts.events],
    ['up to position', position],
    ['accounts', accounts.size],
    ['orders placed', counts.orders],
    ['orders refused', counts.refusals],
    ['trades', counts.trades],
    ['settled after ms', Math.round(result.settledMs)],
    ['projected after ms', Math.round(result.projectedMs)],
    ['ledger, execution, candle rows', result.rows.inAll],
    ['of them compared', result.rows.compared],
    ['findings', result.findings.count()],
  ];
  const lines = result.findings.list.map(({ check, what }) => `  ${check}: ${what}`);
  return [table(['audit', 'value'], rows), ...lines].join('\n');
}

export const auditFigures = (result: AuditResult) => ({
  ok: result.ok,
  exit_code: result.exitCode,
  ...result.history.counts,
  accounts: result.history.accounts.size,
  position: result.history.position,
  settled_ms: Math.round(result.settledMs),
  projected_ms: Math.round(result.projectedMs),
  rows: result.rows.inAll,
  rows_compared: result.rows.compared,
  findings: result.findings.list,
});

async function main(): Promise<number> {
  const program = new Command('audit')
    .exitOverride(usageExit)
    .description('Checks a running BrokerX from outside: history, money, journals, read models.')
    .requiredOption('--operator-email <address>', 'an operator or analyst')
    .requiredOption('--operator-password <password>', '')
    .option('--command-url <url>', 'command-api', 'http://127.0.0.1:8001')
    .option('--query-url <url>', 'query-api', 'http://127.0.0.1:8002')
    .option('--journals <folder>', 'folder with clients’ journals (*.jsonl)')
    .option('--settle-ms <ms>', 'how long answers and settlement may take', wholeNumber(0), SETTLE_MS)
    .option(
      '--rows-max <n>',
      'rows of ledgers, executions and candles compared at most; accounts that do not fit in are left out',
      wholeNumber(0),
      ROWS_MAX,
    )
    .option('--json', 'one JSON object on the last line')
    .parse();
  const options = program.opts<{
    operatorEmail: string;
    operatorPassword: string;
    commandUrl: string;
    queryUrl: string;
    journals?: string;
    settleMs: number;
    rowsMax: number;
    json?: boolean;
  }>();
  const api = brokerApi({ commandUrl: options.commandUrl, queryUrl: options.queryUrl });
  try {
    progress('reading the history …');
    const result = await auditInstallation({
      api,
      operator: await signIn(api, options.operatorEmail, options.operatorPassword),
      settleMs: options.settleMs,
      rowsMax: options.rowsMax,
      ...(options.journals ? { journals: await journalsIn(options.journals) } : {}),
    });
    print(auditTable(result));
    if (options.json) print(JSON.stringify(auditFigures(result)));
    return result.exitCode;
  } finally {
    await api.close();
  }
}

async function journalsIn(folder: string): Promise<JournalEntry[]> {
  const entries: JournalEntry[] = [];
  for await (const file of glob('*.jsonl', { cwd: folder })) entries.push(...readJournal(join(folder, file)));
  if (entries.length === 0) throw new Error(`--journals: there is no command of a client in ${folder}`);
  return entries;
}

if (import.meta.main) {
  process.exitCode = await main().catch((error: unknown) => {
    progress(String(error));
    return EXIT.failed;
  });
}
