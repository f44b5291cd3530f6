import { registerHooks } from 'node:module';

/** Preloaded into a process: which packages it loads, as one JSON line on standard error when it ends. */
const loaded = new Set<string>();
registerHooks({
  load(url, context, next) {
    const name = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1];
    if (name) loaded.add(name);
    return next(url, context);
  },
});
process.on('exit', () => process.stderr.write(`\n${JSON.stringify([...loaded].sort())}\n`));
