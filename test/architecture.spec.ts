import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

/** Who may import whom, from left to right; what stands together in a group does not know each other. */
const order = [
  ['config'],
  ['platform'],
  ['audit'],
  ['webhooks'],
  ['keys', 'encryption'],
  ['resources', 'accounts'],
  ['clients', 'dpop'],
  ['consents'],
  ['tokens'],
  ['authorize'],
  ['broker', 'xaa'],
  ['grants'],
  ['discovery', 'diagnostics', 'portal', 'admin'],
];
/** The composition root and the command line stand outside the order: they may import everything and nothing imports them. */
const roots = /^src\/([\w.-]+$|cli\/)/;
const moduleNames = order.flat();

const kinds = ['module', 'controller', 'dto', 'store', 'entity', 'job', 'grant', 'connector', 'page'];
const kindOfCli = 'command';
const privateKinds = /\.(store|entity|controller|job)\.js$/;
/** Belongs to no module's domain: each keeps its own settings in it. */
const publicStore = 'src/platform/postgres/settings.store.js';
const forbiddenWords = /(^|[-.])(services?|helpers?|utils?|utilities|common|shared|manager|base)([-.]|$)/;

interface Source {
  readonly file: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
  /** As written: packages, `#libs/…`, relative ones. */
  readonly imports: readonly string[];
}

/** One rule: where it looks, and what it finds wrong there, one line per offence. */
interface Rule {
  readonly title: string;
  readonly applies: (file: string) => boolean;
  readonly offences: (source: Source) => string[];
}

const isSpec = (file: string) => /\.spec\.tsx?$/.test(file);
const inSrc = (file: string) => file.startsWith('src/') && !isSpec(file);
const inLibs = (file: string) => file.startsWith('libs/') && !isSpec(file);
const inProduct = (file: string) => inSrc(file) || inLibs(file);
const inProtocolTests = (file: string) => file.startsWith('test/flows/') || file.startsWith('test/attacks/');
const moduleOf = (path: string) => /^src\/([\w-]+)\//.exec(path)?.[1];
const rankOf = (name: string) => order.findIndex((group) => group.includes(name));
const isPackage = (specifier: string, ...names: string[]) =>
  names.some((name) => specifier === name || specifier.startsWith(`${name}/`));

const rules: Rule[] = [
  {
    title: 'src modules import only from the left',
    applies: (file) => inSrc(file) && !roots.test(file),
    offences: (source) => {
      const own = moduleOf(source.file) ?? '';
      if (rankOf(own) < 0) return [`src/${own} is not in the order of modules`];
      return resolved(source).filter((path) => {
        if (roots.test(path)) return true;
        const other = moduleOf(path);
        return other !== undefined && other !== own && !(rankOf(other) >= 0 && rankOf(other) < rankOf(own));
      });
    },
  },
  {
    title: "another module's store, entity, controller and job are private",
    applies: inSrc,
    offences: (source) =>
      resolved(source).filter(
        (path) => privateKinds.test(path) && path !== publicStore && moduleOf(path) !== moduleOf(source.file),
      ),
  },
  {
    title: 'libs import libs and pure packages only',
    applies: inLibs,
    offences: (source) =>
      source.imports.filter((specifier) => {
        if (specifier.startsWith('.')) return !resolve(source.file, specifier).startsWith('libs/');
        return !(specifier.startsWith('#libs/') || pureForLibs.includes(specifier));
      }),
  },
  onlyIn('typeorm and pg', ['typeorm', 'pg'], /\.(store|entity)\.ts$|^src\/platform\/postgres\//),
  onlyIn('@nestjs/typeorm', ['@nestjs/typeorm'], /\.(store|module)\.ts$|^src\/platform\/postgres\//),
  onlyIn('ioredis', ['ioredis'], /^src\/platform\/(ephemeral|queue)\//),
  onlyIn('bullmq', ['bullmq', '@nestjs/bullmq'], /^src\/platform\/(queue\/|postgres\/migrate\.ts$)/),
  onlyIn('undici and http clients', ['undici', 'http-cache-semantics'], /^src\/platform\/http-client\//),
  nowhereBut('process.env', /^src\/config\//, (node) => isMember(node, 'process', 'env')),
  nowhereBut('Date.now() and new Date()', /^src\/platform\/clock\//, readsClock),
  // The command line speaks to the operator's own admin address, so the rules for outgoing requests do not concern it.
  nowhereBut('fetch', /^src\/(platform\/http-client\/|cli\/admin-api\.ts$)/, (node) => isGlobalCall(node, 'fetch')),
  nowhereBut(
    'dangerouslySetInnerHTML',
    /^src\/platform\/http\//,
    (node) => ts.isIdentifier(node) && node.text === 'dangerouslySetInnerHTML',
  ),
  {
    title: 'flows and attacks import from test/ only, as a stranger would',
    applies: inProtocolTests,
    offences: (source) =>
      source.imports.filter((specifier) => specifier.startsWith('#') || leavesTest(source.file, specifier)),
  },
  {
    title: 'files in src are of the closed set of kinds, in kebab case, without forbidden words',
    applies: (file) => file.startsWith('src/') || file.startsWith('libs/'),
    offences: ({ file }) => (isWellNamed(file) ? [] : [posix.basename(file)]),
  },
  {
    title: 'no file is over 400 lines',
    applies: () => true,
    offences: ({ text }) => {
      const lines = text.trimEnd().split('\n').length;
      return lines > 400 ? [`${lines} lines`] : [];
    },
  },
  {
    title: 'no constructor has a seventh dependency',
    applies: inProduct,
    offences: ({ tree }) =>
      nodesOf(tree)
        .filter(ts.isConstructorDeclaration)
        .filter((constructor) => constructor.parameters.length > 6)
        .map((constructor) => `${constructor.parent.name?.text ?? 'class'} takes ${constructor.parameters.length}`),
  },
  {
    title: 'a module begins with a docstring of at most twelve lines',
    applies: (file) => inSrc(file) && file.endsWith('.module.ts') && file !== 'src/app.module.ts',
    offences: ({ text }) => {
      const head = /(?:^|\n)\/\*\*\n((?: \*.*\n)+?) \*\/\n/.exec(text)?.[1];
      if (head === undefined) return ['has no docstring'];
      const lines = head.trimEnd().split('\n').length;
      return lines > 12 ? [`its docstring has ${lines} lines`] : [];
    },
  },
  {
    title: 'no barrels but the index of a lib',
    applies: (file) => /(^|\/)index\.tsx?$/.test(file),
    offences: ({ file }) => (/^libs\/[\w-]+\/index\.ts$/.test(file) ? [] : ['is a barrel']),
  },
];

/** No Nest, TypeORM, Redis, clock or network; what computes only. */
const pureForLibs = ['jose', 'ipaddr.js', 'node:crypto', 'node:buffer', 'node:util'];

describe('the architecture', () => {
  const sources = ['src', 'libs', 'test', 'examples'].flatMap((folder) => filesUnder(folder)).map(read);

  it.each(rules)('$title', (rule) => {
    expect(offencesOf(rule, sources)).toEqual([]);
  });

  it('names every module of src in its order', () => {
    const folders = readdirSync('src', { withFileTypes: true }).filter((entry) => entry.isDirectory());
    const strangers = folders
      .map((entry) => entry.name)
      .filter((name) => !moduleNames.includes(name) && name !== 'cli');
    expect(strangers).toEqual([]);
  });
});

describe('each rule of the architecture', () => {
  const offending: [rule: string, file: string, text: string, named: string][] = [
    ['from the left', 'src/keys/x.ts', "import { Clients } from '../clients/clients.js';", 'src/clients/clients.js'],
    [
      'from the left',
      'src/keys/x.ts',
      "import { E } from '../encryption/encryption.js';",
      'src/encryption/encryption.js',
    ],
    ['from the left', 'src/tokens/x.ts', "export { AppModule } from '../app.module.js';", 'src/app.module.js'],
    ['from the left', 'src/billing/x.ts', '', 'src/billing is not in the order of modules'],
    ['from the left', 'src/keys/x.ts', "const late = await import('../grants/x.js');", 'src/grants/x.js'],
    [
      'are private',
      'src/tokens/x.ts',
      "import { S } from '../clients/client.store.js';",
      'src/clients/client.store.js',
    ],
    ['libs import', 'libs/oauth/x.ts', "import { Injectable } from '@nestjs/common';", '@nestjs/common'],
    [
      'libs import',
      'libs/oauth/x.ts',
      "import { Clock } from '../../src/platform/clock/clock.js';",
      '../../src/platform/clock/clock.js',
    ],
    ['typeorm and pg', 'src/tokens/token-issuer.ts', "import { DataSource } from 'typeorm';", 'typeorm'],
    ['typeorm and pg', 'libs/oauth/x.ts', "import type { Pool } from 'pg';", 'pg'],
    [
      '@nestjs/typeorm',
      'src/tokens/token-issuer.ts',
      "import { InjectRepository } from '@nestjs/typeorm';",
      '@nestjs/typeorm',
    ],
    ['ioredis', 'src/dpop/x.ts', "import { Redis } from 'ioredis';", 'ioredis'],
    ['bullmq', 'src/audit/seal.job.ts', "import { Queue } from 'bullmq';", 'bullmq'],
    ['undici', 'src/clients/x.ts', "import { Agent } from 'undici';", 'undici'],
    ['process.env', 'src/keys/x.ts', "const a = process.env['A'];", 'line 1'],
    ['Date.now()', 'src/keys/x.ts', '\nconst now = Date.now();', 'line 2'],
    ['Date.now()', 'src/keys/x.ts', 'const now = new Date();', 'line 1'],
    ['fetch', 'src/keys/x.ts', "await fetch('https://a.example');", 'line 1'],
    ['fetch', 'src/keys/x.ts', "await globalThis.fetch('https://a.example');", 'line 1'],
    [
      'dangerouslySetInnerHTML',
      'src/portal/x.page.tsx',
      'const a = <p dangerouslySetInnerHTML={{ __html: b }} />;',
      'line 1',
    ],
    [
      'as a stranger',
      'test/flows/x.spec.ts',
      "import { Clients } from '../../src/clients/clients.js';",
      '../../src/clients/clients.js',
    ],
    ['as a stranger', 'test/attacks/x.spec.ts', "import { sha256 } from '#libs/oauth';", '#libs/oauth'],
    ['closed set of kinds', 'src/keys/key.service.ts', '', 'key.service.ts'],
    ['closed set of kinds', 'src/keys/key-utils.ts', '', 'key-utils.ts'],
    ['closed set of kinds', 'src/keys/SigningKeys.ts', '', 'SigningKeys.ts'],
    ['over 400 lines', 'src/keys/x.ts', 'a;\n'.repeat(401), '401 lines'],
    ['seventh dependency', 'src/keys/x.ts', 'class K { constructor(a, b, c, d, e, f, g) {} }', 'K takes 7'],
    ['docstring', 'src/keys/keys.module.ts', 'export class KeysModule {}', 'has no docstring'],
    [
      'docstring',
      'src/keys/keys.module.ts',
      `/**\n${' * x\n'.repeat(13)} */\nexport class KeysModule {}`,
      'its docstring has 13 lines',
    ],
    ['barrels', 'src/keys/index.ts', '', 'is a barrel'],
  ];

  it.each(offending)('"… %s …" finds what is wrong in %s', (title, file, text, named) => {
    const rule = rules.find((candidate) => candidate.title.includes(title));
    expect(rule && offencesOf(rule, [parse(file, text)])).toEqual([`${file}: ${named}`]);
  });

  it('has a source that offends it', () => {
    const untested = rules.filter((rule) => !offending.some(([title]) => rule.title.includes(title)));
    expect(untested.map((rule) => rule.title)).toEqual([]);
  });

  it('leaves alone what is allowed', () => {
    const allowed = [
      parse(
        'src/tokens/token-issuer.ts',
        "import { Clients } from '../clients/clients.js';\nconst at = new Date(expiresAt);",
      ),
      parse(
        'src/tokens/family.store.ts',
        "import { Entity } from 'typeorm';\nimport { FamilyEntity } from './family.entity.js';",
      ),
      parse('src/app.module.ts', "import { TokensModule } from './tokens/tokens.module.js';"),
      parse('libs/jwt/verify.ts', "import { jwtVerify } from 'jose';\nimport { OAuthError } from '#libs/oauth';"),
      parse('test/flows/x.spec.ts', "import { boot } from '../app.js';\nimport * as oauth from 'oauth4webapi';"),
      parse('src/platform/http/listeners.ts', 'const text = "fetch() and process.env in a string"; // Date.now()'),
    ];
    expect(rules.flatMap((rule) => offencesOf(rule, allowed))).toEqual([]);
  });
});

function offencesOf(rule: Rule, sources: readonly Source[]): string[] {
  return sources
    .filter((source) => rule.applies(source.file))
    .flatMap((source) => rule.offences(source).map((offence) => `${source.file}: ${offence}`));
}

function onlyIn(what: string, packages: string[], home: RegExp): Rule {
  return {
    title: `${what} are imported only where they belong`,
    applies: (file) => inProduct(file) && !home.test(file),
    offences: ({ imports }) => imports.filter((specifier) => isPackage(specifier, ...packages)),
  };
}

function nowhereBut(what: string, home: RegExp, offends: (node: ts.Node) => boolean): Rule {
  return {
    title: `${what} occurs only where it belongs`,
    applies: (file) => inProduct(file) && !home.test(file),
    offences: ({ tree }) =>
      nodesOf(tree)
        .filter(offends)
        .map((node) => `line ${tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1}`),
  };
}

function isMember(node: ts.Node, object: string, member: string): boolean {
  return (
    ts.isPropertyAccessExpression(node) &&
    node.name.text === member &&
    ts.isIdentifier(node.expression) &&
    node.expression.text === object
  );
}

function isGlobalCall(node: ts.Node, name: string): boolean {
  if (!ts.isCallExpression(node)) return false;
  return (
    (ts.isIdentifier(node.expression) && node.expression.text === name) || isMember(node.expression, 'globalThis', name)
  );
}

const isDate = (node: ts.Node) => ts.isIdentifier(node) && node.text === 'Date';

function readsClock(node: ts.Node): boolean {
  if (isMember(node, 'Date', 'now')) return true;
  if (ts.isNewExpression(node)) return isDate(node.expression) && !node.arguments?.length;
  return ts.isCallExpression(node) && isDate(node.expression);
}

function isWellNamed(file: string): boolean {
  const folders = posix.dirname(file).split('/');
  const name = posix
    .basename(file)
    .replace(/\.tsx?$/, '')
    .replace(/\.(spec|contract)$/, '');
  const [stem = '', kind, ...more] = name.split('.');
  const kebab = /^[a-z0-9]+(-[a-z0-9]+)*$/;
  if (more.length > 0 || ![...folders, stem].every((part) => kebab.test(part) && !forbiddenWords.test(part)))
    return false;
  if (kind === undefined) return true;
  return file.startsWith('src/cli/') ? kind === kindOfCli : file.startsWith('src/') && kinds.includes(kind);
}

function leavesTest(file: string, specifier: string): boolean {
  return specifier.startsWith('.') && !resolve(file, specifier).startsWith('test/');
}

const resolved = (source: Source) =>
  source.imports.filter((specifier) => specifier.startsWith('.')).map((specifier) => resolve(source.file, specifier));
const resolve = (file: string, specifier: string) => posix.join(dirname(file), specifier);

function nodesOf(tree: ts.SourceFile): ts.Node[] {
  const found: ts.Node[] = [];
  const visit = (node: ts.Node): void => {
    found.push(node);
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true })
    .map((name) => posix.join(folder, String(name).replaceAll('\\', '/')))
    .filter((name) => /\.tsx?$/.test(name));
}

function read(file: string): Source {
  return parse(file, readFileSync(join(process.cwd(), file), 'utf8'));
}

function parse(file: string, text: string): Source {
  return {
    file,
    text,
    tree: ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true),
    imports: ts.preProcessFile(text, true, true).importedFiles.map((imported) => imported.fileName),
  };
}
