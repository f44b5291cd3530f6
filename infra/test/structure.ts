import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { type Node, parseSync, Visitor } from 'oxc-parser';

/**
 * The repository's TypeScript as its own syntax tells it: who imports whom, what is exported, how long functions are.
 * Tests hold the architecture against it.
 */
export type SourceFile = {
  /** From the root of the repository, such as `contracts/src/base/ids.ts`. */
  path: string;
  imports: readonly Import[];
  /** Values that others may import; `default` for the default export. Types cost nothing and are left out. */
  exports: readonly string[];
  functions: readonly { name: string; lines: number }[];
};

export type Import = {
  /** The file, for one of this repository's; the package otherwise, such as `pg` or `node:fs`. */
  target: string;
  /** `*` for a whole module, re-exported or imported, at once or later. */
  names: readonly string[];
  isTypeOnly: boolean;
};

const root = resolve(import.meta.dirname, '../..');

/** Every file of TypeScript that git tracks. */
export const trackedTypeScript: readonly string[] = execFileSync('git', ['ls-files', '*.ts'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((path) => path !== '' && !path.endsWith('.d.ts'));

export const isTest = (path: string): boolean =>
  /\.test\.ts$|\.contract\.ts$|^[^/]+(\/installation)?\/(test|bench|sim)\/|\/src\/testing\//.test(path);

let parsed: ReadonlyMap<string, SourceFile> | undefined;

/** By path; parsed once for all tests of a file. */
export function sourceFiles(): ReadonlyMap<string, SourceFile> {
  parsed ??= new Map(trackedTypeScript.map((path) => [path, sourceFile(path)]));
  return parsed;
}

function sourceFile(path: string): SourceFile {
  const text = readFileSync(join(root, path), 'utf8');
  const { module, program, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`);
  const found: Import[] = [];
  for (const { moduleRequest, entries } of module.staticImports) {
    found.push({
      target: targetOf(path, moduleRequest.value),
      names: entries.map(({ importName }) => nameOf(importName)),
      isTypeOnly: entries.length > 0 && entries.every(({ isType }) => isType),
    });
  }
  const exports: string[] = [];
  for (const { entries } of module.staticExports) {
    for (const { moduleRequest, importName, exportName, isType } of entries) {
      if (moduleRequest) {
        found.push({
          target: targetOf(path, moduleRequest.value),
          names: [nameOf(importName)],
          isTypeOnly: isType,
        });
      } else if (!isType) exports.push(exportName.kind === 'Default' ? 'default' : (exportName.name ?? ''));
    }
  }
  for (const { moduleRequest } of module.dynamicImports) {
    const literal = /^['"](.*)['"]$/.exec(text.slice(moduleRequest.start, moduleRequest.end))?.[1];
    if (literal) found.push({ target: targetOf(path, literal), names: ['*'], isTypeOnly: false });
  }
  return { path, imports: found, exports, functions: functionsOf(program, text) };
}

const nameOf = ({ kind, name }: { kind: string; name?: string | null }): string => {
  if (kind === 'Name') return name ?? '*';
  return kind === 'Default' ? 'default' : '*';
};

const PACKAGES: Readonly<Record<string, string>> = {
  '@brokerx/installation': 'infra/installation',
};

/** `@brokerx/infra/x.ts` and `./x.ts` are files; anything else is a package by its name. */
function targetOf(path: string, specifier: string): string {
  if (specifier.startsWith('.')) return relative(root, resolve(root, dirname(path), specifier));
  const [, name = '', file] = /^(@brokerx\/[\w-]+)(?:\/(.*))?$/.exec(specifier) ?? [];
  if (name === '')
    return specifier
      .split('/')
      .slice(0, specifier.startsWith('@') ? 2 : 1)
      .join('/');
  const folder = PACKAGES[name] ?? name.slice('@brokerx/'.length);
  return `${folder}/src/${file ?? 'index.ts'}`;
}

/** Functions of all kinds with the lines that they take, the ones inside counted to their outer one, too. */
function functionsOf(program: Node, text: string): { name: string; lines: number }[] {
  const lineStarts = [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)];
  const lineOf = (offset: number) => lineStarts.findLastIndex((start) => start <= offset);
  const found: { name: string; lines: number }[] = [];
  const note = (name: string, { start, end }: { start: number; end: number }) =>
    void found.push({ name, lines: lineOf(end) - lineOf(start) + 1 });
  const names: string[] = [];
  new Visitor({
    VariableDeclarator: (node) => void names.push(node.id.type === 'Identifier' ? node.id.name : ''),
    'VariableDeclarator:exit': () => void names.pop(),
    FunctionDeclaration: (node) => note(node.id?.name ?? 'default', node),
    FunctionExpression: (node) => note(node.id?.name ?? names.at(-1) ?? '', node),
    ArrowFunctionExpression: (node) => note(names.at(-1) ?? '', node),
  }).visit(program as never);
  return found;
}
