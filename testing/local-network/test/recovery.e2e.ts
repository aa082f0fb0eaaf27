import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  auditLedger,
  type KeyRecord,
  makeRecoveryGift,
  openCopy,
  readKeyRecord,
  requireOffer,
} from '@concordat/auditor';
import { frontOffice, type NodeStatus, nodeTuple } from '@concordat/cli';
import { createEncryptionKey, type EncryptionKey } from '@concordat/crypto';
import { decodeRecoveryShare } from '@concordat/keys';
import {
  AdminClient,
  ApplicationClient,
  type KeyValueClient,
  openKeyValueClient,
} from '@concordat/sdk';
import { toHex } from '@concordat/std';
import {
  LocalNetwork,
  type LocalNode,
  loseAllBut,
  type Remains,
  recoveredNode,
  waitUntil,
} from '../index.ts';
import {
  administrativeTransactions,
  epochKeysOf,
  flip,
  flipSealed,
  isClosed,
  keys,
  refusal,
  to,
  transfers,
  valueAt,
  writeAll,
} from './lost-network.ts';

const main = join(import.meta.dirname, '../../../clients/cli/main.ts');
const entropy = (bytes: number): Uint8Array => randomBytes(bytes);

let network: LocalNetwork;
let remains: Remains;
let record: KeyRecord;
let node: LocalNode;
/** The second member's node in the recovered network. */
let joined: LocalNode;
let writtenMs = 0;
let members: string[] = [];
/** What each member keeps outside: copies of its shares, and the key they are sealed to. */
const copies = new Map<string, { readonly key: EncryptionKey; readonly files: string[] }>();

before(async () => {
  network = await LocalNetwork.start();
  members = network.nodes.map(({ organisation }) => organisation);
  await keysShared();
  for (const member of network.nodes) {
    const admin = await network.admin(member);
    await takeCopies(admin, member.organisation).finally(() => admin.close());
  }
  writtenMs = await writeAll(network);
  await network.level();
  remains = await loseAllBut(network, network.node('vn2'));
  const networkCertificate = readFileSync(remains.certificateFile, 'utf8');
  record = await readKeyRecord({ directory: remains.ledger, networkCertificate });
});

after(() => network?.end());

/** Waits until every member holds a share of every key, two of which read. */
async function keysShared(): Promise<void> {
  const admin = await network.admin(network.node('vn1'));
  const isShared = async (): Promise<boolean> => {
    const state = await admin.sharedKeys();
    const newest = state.keys.map(({ sharings }) => sharings.at(-1));
    const shared = newest.every((one) => one?.threshold === 2 && one.holders.length === 3);
    return shared && state.keys.length > 1 && state.ceremony === undefined;
  };
  await waitUntil(isShared, { what: 'shares with every member' });
  admin.close();
}

/** A member takes copies of its shares from its own node. */
async function takeCopies(client: AdminClient, member: string): Promise<void> {
  const key = createEncryptionKey(randomBytes(32));
  const request = { publicKey: toHex(key.publicKey), again: false };
  const { copies: given, missing } = await client.exportKeys(request);
  assert.deepEqual(missing, []);
  copies.set(member, { key, files: given.map(({ file }) => file) });
}

async function admin(at: LocalNode, actor: string): Promise<AdminClient> {
  const { networkCertificate = '' } = await at.waitFor((s) => s.networkCertificate !== undefined);
  const identity = await network.identity(actor);
  return new AdminClient({ address: `127.0.0.1:${at.ports.admin}`, networkCertificate, identity });
}

async function keyvalue(at: LocalNode): Promise<KeyValueClient> {
  const networkCertificate = at.status?.networkCertificate ?? '';
  const identity = await network.identity(frontOffice);
  const address = `127.0.0.1:${at.ports.application}`;
  return openKeyValueClient({ address, networkCertificate, identity });
}

async function offerTo(client: AdminClient) {
  const nonce = randomBytes(32).toString('hex');
  const offer = await client.recoveryOffer(nonce);
  requireOffer(offer, { nonce, record, nowMs: Date.now() });
  return offer;
}

/** A member's tool: checks the offer, makes shares from the member's copies. */
async function giftOf(client: AdminClient, member: string, signedBy = member) {
  const { key, files } = copies.get(member) as { key: EncryptionKey; files: string[] };
  const { signingKey, certificateDer } = await network.identity(signedBy);
  assert.ok(signingKey);
  const opened = files.map((file) => openCopy(record, decodeRecoveryShare(file), { key }));
  const createdAtSeconds = Math.floor(Date.now() / 1000);
  const signer = { key: signingKey, certificateDer, createdAtSeconds };
  const offer = await offerTo(client);
  return makeRecoveryGift({ offer, record, copies: opened, signer, entropy });
}

async function submit(member: string) {
  const client = await admin(node, member);
  return client.giveRecoveryShares(await giftOf(client, member)).finally(() => client.close());
}

/** Runs `concordat recover` as a member, on its own machine as it were. */
function command(name: 'submit' | 'status', member: string): string {
  const { layout } = network.sandbox;
  const { certificateFile, keyFile } = layout.identity(member);
  const place = (file: string): string => join(network.directory, `${member}-${file}`);
  writeFileSync(place('network.pem'), node.status?.networkCertificate ?? '');
  const { key, files } = copies.get(member) as { key: EncryptionKey; files: string[] };
  writeFileSync(place('key.pem'), key.toPkcs8Pem(), { mode: 0o600 });
  const shares = files.map((text, at) => {
    writeFileSync(place(`copy-${at}.json`), text);
    return ['--share', place(`copy-${at}.json`)];
  });
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      ...[main, 'recover', name, '--address', `127.0.0.1:${node.ports.admin}`],
      ...['--network-certificate', place('network.pem')],
      ...['--certificate', certificateFile, '--key', keyFile],
      ...(name === 'status' ? [] : ['--share-key', place('key.pem'), ...shares.flat()]),
      ...(name === 'status' ? [] : ['--ledger', remains.ledger]),
      ...(name === 'status' ? [] : ['--former-network-certificate', remains.certificateFile]),
    ],
    { encoding: 'utf8' },
  );
  assert.equal(status, 0, stdout + stderr);
  return stdout;
}

/** Paths of the chunk files of a copy of the ledger, by height. */
function damagedCopy(name: string, damage: (chunks: string[]) => void): string {
  const directory = join(network.directory, name);
  cpSync(remains.ledger, directory, { recursive: true });
  const chunks = readdirSync(directory)
    .filter((file) => file.endsWith('.chunk'))
    .sort((a, b) => Number(/\d+/.exec(a)) - Number(/\d+/.exec(b)))
    .map((file) => join(directory, file));
  damage(chunks);
  return directory;
}

async function refusedLedger(name: string, ledger: string): Promise<string> {
  const { certificateFile } = remains;
  const [organisation = ''] = members;
  const refusing = await recoveredNode(
    network,
    { name, organisation },
    { ledger, certificateFile },
  );
  refusing.start();
  try {
    return await refusing.refused();
  } finally {
    await refusing.kill();
  }
}

test('a ledger that was changed is refused with height and reason', async () => {
  const flipped = damagedCopy('flipped', ([first = '']) => {
    // The height in the header of the second block.
    const second = 16 + 4 + readFileSync(first).readUInt32BE(16);
    flip(first, second + 4 + 20);
  });
  assert.match(await refusedLedger('flipped-vn', flipped), /^LEDGER_CORRUPT: block 2: /);
  const begun = damagedCopy('begun', ([first = '']) => {
    const bytes = readFileSync(first);
    const second = 16 + 4 + bytes.readUInt32BE(16);
    // The chunk says it begins at block 1, and the first frame is that of block 2.
    writeFileSync(first, Buffer.concat([bytes.subarray(0, 16), bytes.subarray(second)]));
  });
  assert.match(await refusedLedger('begun-vn', begun), /^LEDGER_CORRUPT: block 1: /);
});

test('what is sealed is found changed once it can be read, and the node says where', async () => {
  let height = 0;
  const ledger = damagedCopy('sealed', ([first = '']) => {
    height = flipSealed(first);
  });
  const [first = '', second = ''] = members;
  const who = { name: 'sealed-vn', organisation: first };
  node = await recoveredNode(network, who, { ...remains, ledger });
  node.start();
  await submit(first);
  await submit(second);
  const client = await admin(node, first);
  const failed = async (): Promise<string | undefined> => (await client.recovery()).failure;
  const failure = await waitUntil(failed, { what: 'the failure' });
  assert.match(failure, new RegExp(`^LEDGER_CORRUPT: block ${height}: .*does not open`));
  assert.ok(await isClosed(node.ports.application), 'no application is served');
  client.close();
  await node.kill();
});

test('the ledger of another network than the pinned one is refused', async () => {
  const other = await network.sandbox.identity(frontOffice);
  const certificateFile = join(network.directory, 'other.pem');
  writeFileSync(certificateFile, other.certificatePem);
  const [organisation = ''] = members;
  const beginning = { ledger: remains.ledger, certificateFile };
  const refusing = await recoveredNode(network, { name: 'other-vn', organisation }, beginning);
  refusing.start();
  assert.match(await refusing.refused(), /^LEDGER_CORRUPT: block 1: .*another network/);
  await refusing.kill();
});

/** Starts `concordat recover start` with an ordinary configuration; what it prints, and its end. */
async function started(name: string, ledger: string) {
  const [organisation = ''] = members;
  const { certificateFile: pinned } = remains;
  const beginning = { joins: network.node('vn1'), certificateFile: pinned };
  const { dataDirectory } = await recoveredNode(network, { name, organisation }, beginning);
  const { certificateFile } = network.sandbox.layout.identity(organisation);
  const config = join(network.directory, 'recovered', `${name}.json`);
  const child = spawn(process.execPath, [
    ...[main, 'recover', 'start', '--config', config, '--ledger', ledger],
    ...['--former-network-certificate', pinned, '--certificate', certificateFile],
  ]);
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      printed += text;
    });
  }
  const status = new Promise((resolve) => child.once('close', resolve));
  return { child, printed: () => printed, status, dataDirectory };
}

test('recover start tells what it does, why it cannot go on, and ends its host with itself', async () => {
  const refused = await started('cli-refused', join(network.directory, 'flipped'));
  assert.equal(await refused.status, 1, refused.printed());
  assert.match(refused.printed(), /the ledger is not recovered: LEDGER_CORRUPT: block 2: /);
  const nowhere = await started('cli-nowhere', join(network.directory, 'nowhere'));
  assert.equal(await nowhere.status, 1, nowhere.printed());
  assert.match(nowhere.printed(), /the host ended; DISK_ERROR: read the former ledger/);
  const { child, printed, status, dataDirectory } = await started('cli-vn', remains.ledger);
  await waitUntil(() => /0 of 2/.test(printed()), { what: 'the command to wait for shares' });
  assert.match(printed(), /verifying the former ledger[\s\S]*New network [0-9a-f]{64}/);
  const certificate = readFileSync(join(dataDirectory, 'network-certificate.pem'), 'utf8');
  assert.match(certificate, /BEGIN CERTIFICATE/);
  child.kill('SIGINT');
  assert.equal(await status, 0, printed());
  const log = readFileSync(join(dataDirectory, 'recovery.log'), 'utf8');
  assert.match(log, /host.stopped/);
});

test('a recovering node says how far the ledger goes and whose shares it lacks', async () => {
  const [organisation = ''] = members;
  node = await recoveredNode(network, { name: 'new-vn1', organisation }, remains);
  node.start();
  const waiting = /up to block \d+, transaction \d+\.\d+ .*0 of 2.*could come from/;
  const { reason, networkId } = await node.waitFor(
    ({ phase, reason = '' }) => phase === 'recovering' && waiting.test(reason),
  );
  for (const member of members) assert.ok(reason?.includes(member), reason);
  assert.notEqual(networkId, record.networkId);
  const client = await admin(node, organisation);
  const { stage, former } = await client.recovery();
  assert.equal(stage, 'shares');
  assert.equal(former.networkId, record.networkId);
  assert.equal(former.lastHeight, record.count.last?.height);
  assert.equal(former.historyRoot, record.count.last?.historyRoot);
  client.close();
});

test('one member alone recovers nothing, however often it gives its shares', async () => {
  const [first = '', second = ''] = members;
  assert.equal((await submit(first)).stage, 'shares');
  const { stage, missing = [] } = await submit(first);
  assert.equal(stage, 'shares');
  for (const { given, needed } of missing) assert.deepEqual([given, needed], [[first], 2]);
  const client = await admin(node, first);
  // The shares of another member, under one's own name or over one's own connection.
  await assert.rejects(
    client.giveRecoveryShares(await giftOf(client, second, first)),
    refusal('RECOVERY_SHARES_REFUSED', 'UNKNOWN_SHARING'),
  );
  await assert.rejects(
    client.giveRecoveryShares(await giftOf(client, second)),
    refusal('RECOVERY_SHARES_REFUSED', 'OTHER_ACTOR'),
  );
  const gift = await giftOf(client, first);
  const [other] = [randomBytes(400).toString('base64')];
  await assert.rejects(
    client.giveRecoveryShares({ ...gift, sealed: other }),
    refusal('RECOVERY_SHARES_REFUSED', 'OTHER_SHARES'),
  );
  await assert.rejects(
    client.giveRecoveryShares({ message: 'AAAA', sealed: other }),
    refusal('MALFORMED_MESSAGE'),
  );
  await assert.rejects(
    client.propose([{ name: 'open_network', args: {} }]),
    refusal('NETWORK_NOT_RESTORED'),
  );
  client.close();
  assert.ok(await isClosed(node.ports.application), 'no application is served');
});

test('an attempt that is cut short begins again from nothing, as another network', async () => {
  const [first = ''] = members;
  const before = node.status;
  node.signal('manager', 'SIGKILL');
  const isAnew = ({ phase, networkId, reason = '' }: NodeStatus): boolean =>
    phase === 'recovering' && networkId !== before?.networkId && reason.includes('0 of 2');
  await node.waitFor(isAnew, { what: 'another attempt' });
  assert.equal((await submit(first)).stage, 'shares');
});

test('with a second member the state is restored, and still nobody is served', async () => {
  const [first = '', second = ''] = members;
  const printed = command('submit', second);
  assert.match(printed, /Stage: (the state is being restored|restored)/);
  const client = await admin(node, first);
  const restored = async () => (await client.recovery()).stage === 'restored';
  await waitUntil(restored, { what: 'the restored state' });
  const told = await node.logged('recovery.restored');
  const bytes = readdirSync(remains.ledger)
    .map((file) => readFileSync(join(remains.ledger, file)).length)
    .reduce((sum, length) => sum + length, 0);
  const perSecond = (Number(told.transactions) / Number(told.tookMs)) * 1000;
  const megabytes = bytes / 1000 / Number(told.tookMs);
  console.log(
    `restored ${told.transactions} transactions of ${bytes} bytes in ${told.tookMs} ms:`,
    `${Math.round(perSecond)} tx/s, ${megabytes.toFixed(1)} MB/s;`,
    `written at ${Math.round((keys / writtenMs) * 1000)} tx/s`,
  );
  assert.ok(await isClosed(node.ports.application), 'no application is served');
  client.close();
});

test('a node that is stopped before the vote comes back as it was: restored and closed', async () => {
  const before = node.status?.networkId;
  await node.stop();
  node.start();
  const isBack = ({ phase, reason = '' }: NodeStatus): boolean =>
    phase === 'recovering' && /not voted/.test(reason);
  const { networkId } = await node.waitFor(isBack, { what: 'its return' });
  assert.equal(networkId, before);
  assert.ok(await isClosed(node.ports.application), 'no application is served');
  assert.match(command('status', members[0] ?? ''), /411 transactions|Stage: restored/);
});

test('a member has one vote on opening the network; a majority opens it', async () => {
  const [first = '', second = ''] = members;
  const founder = await admin(node, first);
  const { proposalId } = await founder.propose([{ name: 'open_network', args: {} }]);
  assert.equal((await founder.vote(proposalId, true)).state, 'open');
  assert.ok(await isClosed(node.ports.application), 'no application is served');
  // Its share alone would read all that two members let its enclave read.
  const { publicKey } = createEncryptionKey(randomBytes(32));
  const request = { publicKey: toHex(publicKey), again: true };
  await assert.rejects(founder.exportKeys(request), refusal('KEY_NOT_SHARED'));
  const other = await admin(node, second);
  assert.equal((await other.vote(proposalId, true)).state, 'accepted');
  await node.running();
  assert.equal((await other.recovery()).stage, 'open');
  founder.close();
  other.close();
});

test('every acknowledged transaction is there, and the network goes on', async () => {
  const client = await keyvalue(node);
  for (let at = 0; at < keys; at++) {
    assert.deepEqual(Buffer.from((await client.promises.get(`key ${at}`)) ?? []), valueAt(at));
  }
  await client.promises.put('after', Buffer.from('recovered'));
  client.close();
  const application = new ApplicationClient({
    address: `127.0.0.1:${node.ports.application}`,
    networkCertificate: node.status?.networkCertificate ?? '',
    identity: await network.identity(frontOffice),
  });
  for (let at = 0; at < transfers; at++) {
    const balance = await application.jsonRpc('eth_getBalance', [to(at), 'latest']);
    assert.equal(BigInt(String(balance)), 1_000n + BigInt(at));
  }
  application.close();
});

test("a second member's new node joins by vote and has the whole state", async () => {
  const [first = '', second = ''] = members;
  const { networkCertificate = '' } = node.status ?? {};
  const certificateFile = join(network.directory, 'new-network.pem');
  writeFileSync(certificateFile, networkCertificate);
  const who = { name: 'new-vn2', organisation: second };
  const joiner = await recoveredNode(network, who, { joins: node, certificateFile });
  joiner.start();
  const status = await joiner.waitFor(
    ({ phase, reason = '' }) => phase === 'joining' && reason.startsWith('NODE_NOT_ADMITTED'),
  );
  const owner = await network.identity(second);
  const founder = await admin(node, first);
  const other = await admin(node, second);
  const actions = [{ name: 'add_node', args: nodeTuple(owner, status) }] as const;
  const { proposalId } = await other.propose(actions);
  await other.vote(proposalId, true);
  assert.equal((await founder.vote(proposalId, true)).state, 'accepted');
  await joiner.running();
  joined = joiner;
  const client = await keyvalue(joiner);
  const last = await client.promises.get(`key ${keys - 1}`);
  assert.deepEqual(Buffer.from(last ?? []), valueAt(keys - 1));
  assert.equal(String(await client.promises.get('after')), 'recovered');
  client.close();
  founder.close();
  other.close();
});

test('an audit of the new ledger from its files finds nothing against it', async () => {
  const networkCertificate = node.status?.networkCertificate ?? '';
  const report = await auditLedger({ directory: node.ledgerDirectory, networkCertificate });
  assert.deepEqual(
    report.classes.flatMap(({ first }) => first ?? []),
    [],
  );
  assert.equal(report.ok, true);
  const named = report.observations.find(({ kind }) => kind === 'recovered-from');
  assert.match(named?.first[0]?.message ?? '', new RegExp(record.networkId));
});

test('a recovered network that is lost as well is recovered from its own ledger alone', async () => {
  const [first = '', second = ''] = members;
  const clients = [await admin(node, first), await admin(joined, second)] as const;
  const isShared = async (): Promise<boolean> => {
    const { keys: all, ceremony } = await clients[0].sharedKeys();
    const newest = all.map(({ sharings }) => sharings.at(-1));
    return newest.every((one) => one?.threshold === 2) && ceremony === undefined;
  };
  await waitUntil(isShared, { what: 'shares with both members' });
  await takeCopies(clients[0], first);
  await takeCopies(clients[1], second);
  const { networkCertificate } = await clients[0].network();
  for (const client of clients) client.close();
  await joined.kill();
  await node.kill();
  const certificateFile = join(network.directory, 'new-network.pem');
  remains = { ledger: node.ledgerDirectory, certificateFile };
  record = await readKeyRecord({ directory: remains.ledger, networkCertificate });
  const own = [first, second].flatMap((member) => copies.get(member) ?? []);
  const epochKeys = await epochKeysOf(record, own);
  const examined = { directory: remains.ledger, networkCertificate, epochKeys };
  const anew = await auditLedger({ ...examined, reexecuteWith: network.images.worker });
  assert.equal(anew.ok, true, JSON.stringify(anew.classes));
  assert.ok((anew.reexecution?.executed ?? 0) > transfers, JSON.stringify(anew.reexecution));
  node = await recoveredNode(network, { name: 'third-vn', organisation: second }, remains);
  node.start();
  await node.waitFor(({ reason = '' }) => reason.includes('0 of 2'), {});
  await submit(second);
  assert.notEqual((await submit(first)).stage, 'shares');
  const told = await node.logged('recovery.restored');
  assert.equal(
    told.transactions,
    record.count.transactions - administrativeTransactions(remains.ledger),
  );
});
