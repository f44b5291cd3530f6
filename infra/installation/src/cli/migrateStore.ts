import {
  type Migration,
  migrateStore,
  type Progress,
} from '@brokerx/infra/eventStore/migration/storeMigration.ts';
import { EXIT_USAGE } from '@brokerx/infra/runtime/config.ts';
import { mayFail } from '@brokerx/infra/runtime/mayFail.ts';
import { realRuntime } from '@brokerx/infra/runtime/runtime.ts';
import { EXIT_FAILED, EXIT_INTERRUPTED } from '@brokerx/infra/runtime/shutdown.ts';
import type { Command } from 'commander';
import { isStoreAddress, type OpenedStore, openStoreAt } from './storeAddress.ts';

/** Milliseconds between two lines of progress: in a file, and on a screen, where each overwrites the one before. */
const LINE_MS = 10_000;
const SCREEN_MS = 500;

export function addMigrateStore(program: Command): void {
  program
    .command('migrate-store')
    .description('Copy one event store into another, and compare them.')
    .requiredOption('--from <url>', 'the store that is copied')
    .requiredOption(
      '--to <url>',
      'the store that it is copied into: empty, or an interrupted copy of the same',
    )
    .option('--json', 'when done, print one JSON object on standard output', false)
    .addHelpText(
      'after',
      `
A store is postgres://…, esdb://… or esdb+discover://…, or the data folder of \`brokerx start\` (such as .brokerx), whose
database is then started for it. Stop what writes to either store first; the source is not changed. Interrupted, it
goes on where it was when it is run again. Commits, events and their places in streams stay the same; positions and the
store's id are the target's own: cursors, position tokens and snapshots of the old store are refused, and read models
are built anew at the next start with the new store (EVENTSTORE_URL, or DATABASE_URL).

Exit codes: 0 copied and found to be the same, 1 failed, 2 used wrongly, 130 interrupted.`,
    )
    .action(migrate);
}

type Options = { from: string; to: string; json: boolean };

async function migrate({ from, to, json }: Options): Promise<void> {
  for (const [flag, url] of [
    ['--from', from],
    ['--to', to],
  ] as const) {
    if (!isStoreAddress(url)) {
      fail(
        `${flag} must begin with postgres://, esdb:// or esdb+discover://, or be the data folder of an installation`,
        EXIT_USAGE,
      );
    }
  }
  const interrupted = new AbortController();
  // Not `once`, because npm passes the same Ctrl-C on a second time.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort());
  const openedStores: OpenedStore[] = [];
  const progress = progressLines();
  try {
    const source = await openStoreAt(from, { mayCreate: false });
    openedStores.push(source);
    const target = await openStoreAt(to, { mayCreate: true });
    openedStores.push(target);
    const migration = await migrateStore({
      from: source.store,
      to: target.store,
      runtime: realRuntime,
      signal: interrupted.signal,
      onProgress: progress.show,
    });
    progress.end();
    const ids = { from: source.store.id, to: target.store.id };
    process.stdout.write(
      json ? `${JSON.stringify({ ok: true, ...ids, ...migration })}\n` : summaryOf(migration),
    );
    await closeAll(openedStores);
  } catch (error) {
    progress.end();
    await closeAll(openedStores);
    if (interrupted.signal.aborted) fail('interrupted: run it again to go on', EXIT_INTERRUPTED);
    fail(error instanceof Error ? error.message : String(error), EXIT_FAILED);
  }
}

async function closeAll(stores: readonly OpenedStore[]): Promise<void> {
  for (const { close } of stores.toReversed()) await mayFail(close(), 'the process ends next');
}

function summaryOf({ events, commits, eventsBefore, streams }: Migration): string {
  const count = (n: number) => n.toLocaleString('en-US');
  const before = eventsBefore > 0 ? ` (${count(eventsBefore)} were there already)` : '';
  return `${count(events)} events in ${count(commits)} commits copied${before}; ${count(streams)} streams are the same in both stores.\n`;
}

/** Shows progress: on a screen in one line that is overwritten, elsewhere by a line every ten seconds. */
function progressLines() {
  const isScreen = process.stderr.isTTY === true;
  let step: Progress['step'] | null = null;
  let stepStart = { ms: 0, events: 0, share: 0 };
  let shownMs = Number.NEGATIVE_INFINITY;
  return {
    show(progress: Progress) {
      const nowMs = realRuntime.monotonicMs();
      if (progress.step !== step) {
        step = progress.step;
        stepStart = { ms: nowMs, events: progress.events, share: progress.share };
      }
      if (nowMs - shownMs < (isScreen ? SCREEN_MS : LINE_MS)) return;
      shownMs = nowMs;
      process.stderr.write(
        isScreen
          ? `\r\u001b[K${lineOf(progress, stepStart, nowMs)}`
          : `${lineOf(progress, stepStart, nowMs)}\n`,
      );
    },
    end() {
      if (isScreen) process.stderr.write('\r\u001b[K');
    },
  };
}

function lineOf(
  { step, events, share }: Progress,
  stepStart: { ms: number; events: number; share: number },
  nowMs: number,
): string {
  const seconds = (nowMs - stepStart.ms) / 1_000;
  const line = `${step}: ${events.toLocaleString('en-US')} events, ${Math.floor(share * 100)} %`;
  if (seconds < 1 || share <= stepStart.share) return line;
  const rate = Math.round((events - stepStart.events) / seconds);
  const secondsLeft = Math.ceil(((1 - share) * seconds) / (share - stepStart.share));
  return `${line}, ${rate.toLocaleString('en-US')} events/s, about ${secondsLeft} s left`;
}

function fail(message: string, exitCode: number): never {
  process.stderr.write(`brokerx: ${message}\n`);
  process.exit(exitCode);
}
