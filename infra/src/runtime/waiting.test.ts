import { expect, test } from 'vitest';
import { virtualTime } from '../../test/virtualTime.ts';
import { aborted, withinTime } from './waiting.ts';

test('work that ends in time gives its result, and its failure', async () => {
  const { runtime } = virtualTime().process();
  const late = () => 'late';
  expect(await withinTime(runtime, 100, Promise.resolve('done'), late)).toBe('done');
  await expect(withinTime(runtime, 100, Promise.reject(new Error('refused')), late)).rejects.toThrow(
    'refused',
  );
});

test('when the time is up, `late` decides: it returns or throws', async () => {
  const time = virtualTime();
  const { runtime } = time.process();
  const never = Promise.withResolvers<string>().promise;
  const returned = withinTime(runtime, 100, never, () => 'late');
  const thrown = withinTime(runtime, 100, never, () => {
    throw new Error('no reply within 100 ms');
  });
  const failure = expect(thrown).rejects.toThrow('no reply within 100 ms');
  await time.advance(100);
  expect(await returned).toBe('late');
  await failure;
});

test('a signal that was aborted before is not waited for', async () => {
  const stop = new AbortController();
  const before = aborted(stop.signal);
  stop.abort();
  await before;
  await aborted(stop.signal);
});
