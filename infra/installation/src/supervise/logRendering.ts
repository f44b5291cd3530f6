import { styleText } from 'node:util';

/** A line of a service's log for a person: time, level, service, message, then the other fields. */
export function renderLine(service: string, line: string, color: boolean): string {
  const parsed = parse(line);
  const paint = (style: Parameters<typeof styleText>[0], text: string) =>
    color ? styleText(style, text, { validateStream: false }) : text;
  const name = paint('cyan', service.padEnd(SERVICE_WIDTH));
  if (parsed === null) return `${' '.repeat(TIME_WIDTH)} ${' '.repeat(LEVEL_WIDTH)} ${name} ${line}`;
  const { time, level, msg, service: from, instance: _, err, ...rest } = parsed;
  const clock = typeof time === 'string' ? time.slice(11, 11 + TIME_WIDTH) : '';
  const levelName = String(level ?? '');
  const style = LEVEL_STYLES[levelName] ?? 'white';
  const fields = Object.entries(rest).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  // An error that passes by itself is shown by its reason, any other one with its place in the code.
  const isPassing = levelName === 'warn' || levelName === 'info';
  const trouble = err === undefined ? '' : isPassing ? `: ${reasonOf(err)}` : `\n${errorText(err)}`;
  const serviceName = typeof from === 'string' ? paint('cyan', from.padEnd(SERVICE_WIDTH)) : name;
  const tail = fields.length > 0 ? ` ${paint('dim', fields.join(' '))}` : '';
  return `${paint('dim', clock.padEnd(TIME_WIDTH))} ${paint(style, levelName.padEnd(LEVEL_WIDTH))} ${serviceName} ${String(msg ?? '')}${isPassing ? trouble + tail : tail + trouble}`;
}

/** A line that is no log line (a crash, a warning of Node) as one, so that what collects logs takes it. */
export function asJsonLine(service: string, line: string): string {
  return parse(line) === null ? JSON.stringify({ level: 'error', service, msg: line }) : line;
}

const TIME_WIDTH = '12:00:00.000'.length;
const LEVEL_WIDTH = 'error'.length;
const SERVICE_WIDTH = 'matching-engine'.length;
const LEVEL_STYLES: Readonly<Record<string, 'red' | 'yellow' | 'green' | 'dim'>> = {
  fatal: 'red',
  error: 'red',
  warn: 'yellow',
  info: 'green',
  debug: 'dim',
  trace: 'dim',
};

function reasonOf(err: unknown): string {
  const { message } = (err ?? {}) as { message?: unknown };
  return String(message || JSON.stringify(err)).split('\n', 1)[0] ?? '';
}

function errorText(err: unknown): string {
  const { stack, message } = (err ?? {}) as { stack?: unknown; message?: unknown };
  return String(stack ?? message ?? JSON.stringify(err));
}

function parse(line: string): Record<string, unknown> | null {
  if (!line.startsWith('{')) return null;
  try {
    const value: unknown = JSON.parse(line);
    return value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
