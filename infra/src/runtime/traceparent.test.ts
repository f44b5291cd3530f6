import { expect, test } from 'vitest';
import { realRuntime } from './runtime.ts';
import { childTraceparent, formatTraceparent, mintTraceparent, parseTraceparent } from './traceparent.ts';

// The example of the W3C recommendation.
const header = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const context = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', sampled: true };

test('a valid header is read and written alike', () => {
  expect(parseTraceparent(header)).toEqual(context);
  expect(formatTraceparent(context)).toBe(header);
});

test.for([
  ['absent', undefined],
  ['empty', ''],
  ['of an unknown version', header.replace(/^00/, 'ff')],
  ['with an all-zero trace id', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`],
  ['with an all-zero span id', `00-4bf92f3577b34da6a3ce929d0e0e4736-${'0'.repeat(16)}-01`],
  ['in upper case', header.toUpperCase()],
  ['too long', `${header}-00`],
  ['with a line break', `${header}\n`],
] as const)('a header that is %s is not taken', ([, value]) => {
  expect(parseTraceparent(value)).toBeNull();
});

test('a child keeps the trace and gets a span of its own; without a parent a trace begins', () => {
  const child = childTraceparent(realRuntime, header);
  expect(parseTraceparent(child)).toEqual({
    ...context,
    spanId: expect.stringMatching(/^(?!00f067aa0ba902b7)[0-9a-f]{16}$/),
  });
  const minted = [mintTraceparent(realRuntime), childTraceparent(realRuntime, 'rubbish')];
  for (const one of minted) expect(parseTraceparent(one)).toMatchObject({ sampled: true });
  expect(minted[0]).not.toBe(minted[1]);
});
