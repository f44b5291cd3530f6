import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FreshClone, freshClone, INSTALL_MS, scripts } from '../../test/freshClone.ts';

let clone: FreshClone;
beforeAll(async () => {
  clone = freshClone();
  await clone.help('replay');
}, INSTALL_MS);
afterAll(() => clone.remove());

// What `npm test` does is `check`, and then a tool.
test.for(Object.keys(scripts).filter((script) => script !== 'test'))(
  'npm run %s -- --help tells how it is used, and installs nothing more',
  { timeout: INSTALL_MS },
  async (script) => {
    const { stdout, stderr } = await clone.help(script);
    expect(stdout).toMatch(/usage|options|--help/i);
    expect(stderr).not.toContain('installing');
  },
);
