import assert from 'node:assert/strict';
import {
  chmod,
  chown,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { bundleAt } from '../app/build.ts';
import { programOfBundle } from '../app/bundle-files.ts';
import { linkFramework, repository } from '../app/framework-links.ts';
import { newProject, templates } from '../app/new-project.ts';
import { readProject } from '../app/project.ts';
import { changesIn } from '../app/source-watch.ts';
import { describeFault, readFaults, typeFaults } from '../app/type-check.ts';
import { CliError, type CliErrorCode } from '../errors.ts';
import { sleep } from '../sandbox/node-process.ts';

const root = await realpath(await mkdtemp(join(tmpdir(), 'concordat app ')));
after(() => rm(root, { recursive: true }));

let count = 0;
async function directoryWith(files: Readonly<Record<string, string>>): Promise<string> {
  const directory = join(root, `app ${++count}`);
  for (const [name, text] of Object.entries(files)) {
    const path = join(directory, name);
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, text);
  }
  return directory;
}

const manifest = (concordat: unknown) => JSON.stringify({ name: 'one', concordat });
const hasCode =
  (code: CliErrorCode, pattern = /./) =>
  (error: unknown) =>
    error instanceof CliError && error.code === code && pattern.test(error.message);

test('an application is its package.json: its entry and who calls it', async () => {
  const directory = await directoryWith({
    'package.json': manifest({ application: 'src/a.ts', actors: { alice: [], bob: ['audit'] } }),
    'src/a.ts': '',
  });
  assert.deepEqual(await readProject(directory), {
    directory,
    name: 'one',
    entry: join(directory, 'src/a.ts'),
    actors: [
      { name: 'alice', roles: [] },
      { name: 'bob', roles: ['audit'] },
    ],
  });
});

test('what is no application is refused with what to do', async () => {
  const refused = async (files: Readonly<Record<string, string>>, pattern: RegExp) => {
    const directory = await directoryWith({ 'app.ts': '', ...files });
    await assert.rejects(readProject(directory), hasCode('NOT_AN_APPLICATION', pattern));
  };
  await assert.rejects(
    readProject(join(root, 'nowhere')),
    hasCode('NOT_AN_APPLICATION', /no application in .*nowhere.*app new/),
  );
  await refused({ 'package.json': '{"name":"other"}' }, /it has no "concordat"/);
  await refused({ 'package.json': '{"name":' }, /is not JSON/);
  await refused({ 'package.json': '[]' }, /it has no "concordat"/);
  await refused({ 'package.json': manifest({ entry: 'app.ts' }) }, /not "entry"/);
  await refused({ 'package.json': manifest({ application: 'x.ts' }) }, /no such file/);
  await refused({ 'package.json': manifest({ application: 7 }) }, /no path/);
  await refused({ 'package.json': manifest({ actors: { 'A b': [] } }) }, /an actor "A b"/);
  await refused({ 'package.json': manifest({ actors: { '../a': [] } }) }, /an actor/);
  await refused({ 'package.json': manifest({ actors: { a: ['Audit'] } }) }, /role names/);
  await refused({ 'package.json': manifest({ actors: ['a'] }) }, /no \{"name"/);
});

test('an entry outside of the directory is refused', async () => {
  const other = await directoryWith({ 'app.ts': '' });
  const directory = await directoryWith({
    'package.json': manifest({ application: join(other, 'app.ts') }),
  });
  await assert.rejects(readProject(directory), hasCode('NOT_AN_APPLICATION', /outside/));
});

test('the framework is linked into an application, and what is no link stays', async () => {
  const directory = await directoryWith({ 'node_modules/@concordat/app/own.ts': '' });
  await mkdir(join(directory, 'node_modules/.bin'), { recursive: true });
  await symlink('/nowhere', join(directory, 'node_modules/.bin/concordat'));
  await linkFramework(directory);
  const target = (place: string) => realpath(join(directory, 'node_modules', place));
  assert.equal(await target('@concordat/app'), join(directory, 'node_modules/@concordat/app'));
  assert.equal(await target('@concordat/sdk'), join(repository, 'clients/sdk'));
  assert.equal(
    await readlink(join(directory, 'node_modules/.bin/concordat')),
    join(repository, 'clients/cli/concordat.mjs'),
  );
});

test('a new application needs a directory of its own and a template there is', async () => {
  const taken = await directoryWith({ 'thesis.tex': 'years' });
  await assert.rejects(newProject(taken, 'counter'), hasCode('DIRECTORY_NOT_EMPTY', /thesis.tex/));
  await assert.rejects(newProject(join(taken, 'thesis.tex'), 'counter'), hasCode('USAGE', /file/));
  await assert.rejects(newProject(join(root, 'x'), 'casino'), hasCode('USAGE', /counter, bank/));
});

test('the compiler’s faults are told as file:line, those of other directories not at all', () => {
  const output = [
    "app.ts(14,5): error TS2322: Type 'string' is not assignable to type 'number'.",
    '  Indented lines tell more.',
    '    The last one tells why.',
    "../framework/x.ts(1,1): error TS1005: ';' expected.",
    'src/(odd) name.ts(2,3): error TS7006: implicit any.',
  ].join('\n');
  assert.deepEqual(readFaults(output, root).map(describeFault), [
    'app.ts:14:5  The last one tells why. (TS2322)',
    'src/(odd) name.ts:2:3  implicit any. (TS7006)',
  ]);
  assert.equal(describeFault({ message: 'all of it' }), 'all of it');
});

test('types are checked by the application’s own configuration, or not at all', async () => {
  const source = 'export const count: number = "one";\n';
  const configuration = { compilerOptions: { strict: true, noEmit: true }, include: ['*.ts'] };
  const directory = await directoryWith({ 'app.ts': source });
  assert.deepEqual(await typeFaults(directory), []);
  await writeFile(join(directory, 'tsconfig.json'), JSON.stringify(configuration));
  const [fault] = await typeFaults(directory);
  assert.match(describeFault(fault ?? { message: '' }), /^app\.ts:1:14 {2}.*TS2322/);
});

test('a bundle is built of an application’s directory, or read where there is one', async () => {
  const directory = join(root, 'deployed');
  await newProject(directory, 'counter');
  const bundle = await bundleAt(directory);
  assert.deepEqual(Object.keys(bundle.metadata.endpoints), ['/counters', '/counters/{name}']);
  const moved = join(root, 'elsewhere');
  await cp(directory, moved, { recursive: true });
  assert.deepEqual(programOfBundle(await bundleAt(moved)), programOfBundle(bundle));
  const text = await readFile(join(directory, 'app.ts'), 'utf8');
  await writeFile(join(directory, 'app.ts'), text.replace('body.by;', 'body.bi;'));
  await assert.rejects(
    bundleAt(directory),
    hasCode('APPLICATION_FAULTY', /\n {2}app\.ts:\d+:\d+ {2}Property 'bi' does not exist/),
  );
  await assert.rejects(bundleAt(root), hasCode('NOT_AN_APPLICATION', /app new/));
  await assert.rejects(bundleAt(join(root, 'nowhere')), hasCode('NOT_AN_APPLICATION'));
  const ccf = await directoryWith({
    'package.json': '{}',
    'app.json': '{"endpoints":{}}',
    'src/a.js': 'export {};',
  });
  assert.deepEqual((await bundleAt(ccf)).modules, [{ name: 'a.js', module: 'export {};' }]);
});

test('every template is a whole application that its own tests and types find right', async () => {
  for (const template of templates) {
    const directory = join(root, `of ${template}`);
    const files = await newProject(directory, template);
    assert.ok(files.includes('app.ts') && files.includes('.gitignore'), files.join());
    assert.ok(!files.some((file) => file.endsWith('.e2e.ts')), files.join());
    assert.deepEqual(await typeFaults(directory), []);
    const { name, actors } = await readProject(directory);
    assert.deepEqual([name, actors.length >= 2], [`of-${template}`, true]);
  }
});

test('saves are noticed, however an editor writes', async () => {
  const directory = await directoryWith({ 'app.ts': '1', 'notes.md': '', '.concordat/x.ts': '' });
  const controller = new AbortController();
  const seen: string[] = [];
  const watching = (async () => {
    for await (const changed of changesIn(directory, controller.signal)) seen.push(...changed);
  })();
  let last = 'app.ts';
  const expectNext = async (act: () => Promise<unknown>, changed: string) => {
    const before = seen.length;
    await act();
    await until(() => seen.slice(before).includes(changed), changed);
    // A save in several steps may be told again when the machine was busy in between.
    const others = seen.slice(before).filter((one) => one !== changed && one !== last);
    assert.deepEqual(others, []);
    last = changed;
  };
  const path = (name: string) => join(directory, name);
  await seenFirst(path('app.ts'), () => seen.length > 0);
  await expectNext(() => writeFile(path('app.ts'), '22'), 'app.ts');
  await expectNext(async () => {
    await writeFile(path('swap~'), '333');
    await rename(path('swap~'), path('app.ts'));
  }, 'app.ts');
  await expectNext(async () => {
    await mkdir(path('src'));
    await writeFile(path('src/more.ts'), '');
  }, 'src/more.ts');
  await expectNext(() => writeFile(path('src/more.ts'), '4'), 'src/more.ts');
  await expectNext(async () => {
    await writeFile(path('notes.md'), 'no source');
    await writeFile(path('.concordat/x.ts'), 'no source');
    await rm(path('src'), { recursive: true });
  }, 'src/more.ts');
  controller.abort();
  await watching;
});

async function until(is: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 120_000;
  while (!is()) {
    assert.ok(performance.now() < deadline, `nobody told of ${what}`);
    await sleep(20);
  }
}

/** Writes a file until that is noticed: from then on it is watched. */
async function seenFirst(path: string, isSeen: () => boolean): Promise<void> {
  for (let at = 0; !isSeen() && at < 1_000; at++) {
    await writeFile(path, `first ${at}`);
    await sleep(100);
  }
  assert.ok(isSeen(), `${path} is not watched`);
}

/** Root may read everything: as root, does something as a user that may not. */
async function asOrdinaryUser(directory: string, act: () => Promise<void>): Promise<void> {
  const [own, nobody] = [process.getuid?.(), 65_534];
  if (own !== 0) return act();
  await chmod(root, 0o711);
  for (const path of ['', ...(await readdir(directory, { recursive: true }))]) {
    await chown(join(directory, path), nobody, nobody);
  }
  process.seteuid?.(nobody);
  return act().finally(() => process.seteuid?.(own));
}

test('a directory that may not be read ends no watch', async () => {
  const directory = await directoryWith({ 'app.ts': '', 'shut/x.ts': '' });
  await asOrdinaryUser(directory, async () => {
    await chmod(join(directory, 'shut'), 0o000);
    await assert.rejects(readdir(join(directory, 'shut')), { code: 'EACCES' });
    const controller = new AbortController();
    const changes = changesIn(directory, controller.signal);
    const seen: string[] = [];
    const next = changes.next().then(({ value = [] }) => seen.push(...value));
    await seenFirst(join(directory, 'app.ts'), () => seen.length > 0);
    await next;
    assert.deepEqual(seen, ['app.ts']);
    controller.abort();
    await changes.return(undefined);
    await chmod(join(directory, 'shut'), 0o700);
  });
});
