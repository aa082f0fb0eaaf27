import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, realpathSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { ApplicationClient, readIdentity } from '@concordat/sdk';
import { newProject } from '../app/new-project.ts';
import { SandboxLayout } from '../sandbox/layout.ts';
import { isRunning, sleep } from '../sandbox/node-process.ts';

const main = join(import.meta.dirname, '../main.ts');
const patienceMs = 180_000;

/** One `concordat app dev`, and what it has printed. */
class Dev {
  readonly process: ChildProcess;
  output = '';

  constructor(directory: string, ...options: readonly string[]) {
    const args = [main, 'app', 'dev', directory, ...options];
    this.process = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
  }

  /** Waits for words; what was printed before them is not looked at again. */
  async says(words: RegExp): Promise<string> {
    const deadline = performance.now() + patienceMs;
    for (;;) {
      const found = words.exec(this.output);
      if (found) {
        this.output = this.output.slice(found.index + found[0].length);
        return found[0];
      }
      const over = this.process.exitCode !== null || performance.now() > deadline;
      if (over) assert.fail(`waited for ${words}, and was told:\n${this.output}`);
      await sleep(20);
    }
  }

  async stop(): Promise<number | null> {
    this.process.kill('SIGINT');
    return stopped(this);
  }
}

suite('an application under development', { concurrency: false }, () => {
  // A space in the path, as in many home directories.
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'concordat dev ')));
  const directory = join(root, 'my counter');
  const path = (name: string): string => join(directory, name);
  const layout = new SandboxLayout(path('.concordat/sandbox'));
  let dev: Dev;
  const started: Dev[] = [];

  const start = (...options: readonly string[]): Dev => {
    const one = new Dev(directory, ...options);
    started.push(one);
    return one;
  };
  const edit = async (name: string, change: (text: string) => string): Promise<void> =>
    writeFile(path(name), change(await readFile(path(name), 'utf8')));
  const call = async (actor: string, request: string, json?: unknown): Promise<unknown> => {
    const record = await layout.read();
    const client = new ApplicationClient({
      address: `127.0.0.1:${record?.nodes[0]?.ports.application}`,
      networkCertificate: record?.networkCertificate ?? '',
      identity: await readIdentity(layout.identity(actor)),
    });
    const answer = await client
      .request(request, json === undefined ? {} : { json })
      .finally(() => client.close());
    return answer.json;
  };

  before(async () => {
    await newProject(directory, 'counter');
    dev = start('--port', '7700');
    await dev.says(/Ready in/);
  });

  after(async () => {
    for (const one of started) await one.stop();
    await rm(root, { recursive: true, force: true });
  });

  test('it is deployed, and told with URL, endpoints, callers and a line for curl', async () => {
    await dev.says(/URL +https:\/\/127\.0\.0\.1:77\d\d/);
    await dev.says(/GET \/counters\n.*GET \/counters\/\{name\}/);
    await dev.says(/alice +\S.*certificate\.pem.*alice\.curl/);
    await dev.says(/curl -K .*alice\.curl'? https:\/\/127\.0\.0\.1:\d+\/counters\n/);
    assert.deepEqual(await call('alice', '/counters/a', { by: 2 }), {
      name: 'a',
      count: 2,
      lastBy: 'alice',
    });
  });

  test('a save is deployed, and the data stays', async () => {
    await edit('app.ts', (text) => text.replace('lastBy: caller.name };', "lastBy: 'x' };"));
    await dev.says(/app\.ts: reloaded in \d/);
    assert.deepEqual(await call('bob', '/counters/a', { by: 3 }), {
      name: 'a',
      count: 5,
      lastBy: 'x',
    });
    await edit('app.ts', (text) => text.replace("lastBy: 'x' };", 'lastBy: caller.name };'));
    await dev.says(/app\.ts: reloaded in \d/);
  });

  test('faults of types, syntax and definition are told by their place, and harm nothing', async () => {
    const good = await readFile(path('app.ts'), 'utf8');
    const faulty = async (text: string, told: RegExp): Promise<void> => {
      await writeFile(path('app.ts'), text);
      await dev.says(/faults?; the version before goes on/);
      await dev.says(told);
      assert.deepEqual(await call('alice', '/counters/a'), { name: 'a', count: 5, lastBy: 'bob' });
    };
    await faulty(good.replace('body.by;', "body.by + '';"), /app\.ts:\d+:\d+ {2}.*\(TS\d+\)/);
    await faulty(`${good}}`, /app\.ts:\d+:\d+ {2}Unexpected "}"/);
    await faulty(good.replace('min: 1,', 'min: JSON.parse("{"),'), /app\.ts:\d+:\d+ {2}.*JSON/);
    await faulty(
      good.replace("'GET /counters'", "'GET /commit'"),
      /PATH_INVALID|answers this path/,
    );
    await rm(path('app.ts'));
    await dev.says(/app\.ts is gone/);
    await writeFile(path('app.ts'), good);
    await dev.says(/app\.ts: nothing to deploy in/);
  });

  test('a fault in a test is told, and the application runs', async () => {
    await edit('test/counter.test.ts', (text) => `${text}\nconst none: number = 'one';\n`);
    await dev.says(/counter\.test\.ts: nothing to deploy/);
    await dev.says(/one fault in files beside the application\n +test\/counter\.test\.ts:\d+:7/);
  });

  test('an actor added to package.json may call without a restart', async () => {
    await edit('package.json', (text) => text.replace('"bob": []', '"bob": [], "carol": ["x"]'));
    await dev.says(/carol may call now/);
    assert.deepEqual(await call('carol', '/counters/c', { by: 1 }), {
      name: 'c',
      count: 1,
      lastBy: 'carol',
    });
    await edit('package.json', (text) => text.replace('"carol": ["x"]', '"carol": ["y"]'));
    await dev.says(/carol may call now/);
    await call('carol', '/counters/c', { by: 1 });
    await edit('package.json', (text) => text.replace('"carol"', '"Not a name"'));
    await dev.says(/NOT_AN_APPLICATION.*"Not a name"/);
  });

  test('a second one for the same directory is refused with what to do', async () => {
    await edit('package.json', (text) => text.replace('"Not a name"', '"carol"'));
    const second = start();
    await second.says(/SANDBOX_RUNNING: "concordat app dev" runs for .* already/);
    assert.equal(await stopped(second), 1);
  });

  test('Ctrl-C leaves no process, and the next start has data and ports as they were', async () => {
    const processes = await layout.readProcesses();
    assert.equal(await dev.stop(), 0);
    for (const { pid } of processes) assert.equal(isRunning(pid), false);
    await dev.says(/Stopped\. The data stays/);
    dev = start();
    await dev.says(/Ready in/);
    assert.deepEqual(await call('alice', '/counters/a'), { name: 'a', count: 5, lastBy: 'bob' });
    await dev.stop();
  });

  test('a port that another program took is named', async () => {
    const port = (await layout.read())?.nodes[0]?.ports.application as number;
    const server = createServer().listen(port, '127.0.0.1');
    await once(server, 'listening');
    const refused = start();
    await refused.says(new RegExp(`PORT_TAKEN: port ${port} of vn1`));
    assert.equal(await stopped(refused), 1);
    server.close();
  });

  test('a node that ends by itself ends the command, with its log named and nothing left', async () => {
    await edit('app.ts', (text) => `${text}}`);
    const hit = start();
    // What was deployed before this start is there.
    await hit.says(/one fault; the version before goes on\n +app\.ts:\d+:1 {2}Unexpected "}"/);
    await hit.says(/Follows your edits/);
    assert.deepEqual(await call('alice', '/counters/a'), { name: 'a', count: 5, lastBy: 'bob' });
    const processes = await layout.readProcesses();
    process.kill(processes.find(({ name }) => name === 'vn1')?.pid as number, 'SIGKILL');
    await hit.says(/NODE_FAILED: vn1 has ended; its log: .*vn1\.log/);
    assert.equal(await stopped(hit), 1);
    assert.deepEqual(await layout.readProcesses(), []);
  });

  test('a network that is interrupted while it comes up stops in good order', async () => {
    const early = start('--fresh');
    await early.says(/enclave images built/);
    early.process.kill('SIGTERM');
    assert.equal(await stopped(early), 130);
    assert.deepEqual(await layout.readProcesses(), []);
  });
});

async function stopped({ process: child }: Dev): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child.exitCode;
}
