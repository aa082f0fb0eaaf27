/** What an application does that wants out, or breaks things; each a function of the request. */
const attacks = `
const found = (value) => ({ body: String(value) });
const tried = (...actions) => {
  const results = [];
  for (const action of actions) {
    try { results.push('GOT ' + String(action())); }
    catch (error) { results.push(error instanceof Error ? error.constructor.name : 'FOREIGN ' + typeof error); }
  }
  return { body: results };
};

export const globals = () => ({ body: Object.getOwnPropertyNames(globalThis).filter((name) =>
  ['process', 'require', 'module', 'Buffer', 'global', 'setTimeout', 'fetch', 'WebAssembly',
   'SharedArrayBuffer', 'Atomics', 'queueMicrotask', 'structuredClone', 'performance'].includes(name)) });

export const codeFromText = () => tried(
  () => (0, eval)('1'), () => new Function('return 1')(),
  () => (() => {}).constructor('return process')(),
  () => (async () => {}).constructor('return process')(),
  () => (function* () {}).constructor('return process')(),
  () => ccf.kv.x.get.constructor('return process')(),
  () => ccf.strToBuf('x').constructor.constructor('return process')());

const reachable = (request) => {
  const seen = new Set();
  const pending = [request, request.body, ccf, ccf.kv.x, ccf.strToBuf('x'), ccf.crypto.digest('SHA-256', ccf.strToBuf('')),
    ccf.crypto.generateEcdsaKeyPair('secp256r1'), request.headers, request.caller, request.params,
    ccf.consensus.getLastCommittedTxId(), globalThis, import.meta];
  for (const bad of [() => ccf.strToBuf(1), () => ccf.bufToStr('x'), () => ccf.kv.x.get('x'),
    () => ccf.crypto.sign({ name: 'ECDSA' }, 'no key', ccf.strToBuf('')), () => ccf.crypto.jwkToPem({ kty: 'EC' }),
    () => ccf.kv[''].get(ccf.strToBuf('x')), () => (function deep() { deep(); })(), () => null.x, () => ccf.kv.x.set(1, 2),
    () => ccf.crypto.digest('SHA-256', { get byteLength() { throw 1; } }), () => ccf.kv.x.get(Object.create(ArrayBuffer.prototype)),
    () => ccf.crypto.wrapKey(ccf.strToBuf('x'), ccf.strToBuf('x'), { name: 'AES-KWP' })]) {
    try { bad(); } catch (error) { pending.push(error); }
  }
  while (pending.length > 0) {
    const value = pending.pop();
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null || seen.has(value)) continue;
    seen.add(value);
    try { pending.push(Object.getPrototypeOf(value)); } catch {}
    for (const name of Reflect.ownKeys(value)) {
      const { value: inner, get, set } = Object.getOwnPropertyDescriptor(value, name);
      pending.push(inner, get, set);
    }
  }
  return seen;
};

export const foreignObjects = (request) => {
  const seen = reachable(request);
  const [functions, objects] = [new Set(), new Set()];
  for (const value of seen) {
    let root = value;
    for (let next = root; next !== null; next = Object.getPrototypeOf(next)) root = next;
    if (root === value && value !== Object.prototype && Reflect.ownKeys(value).includes('hasOwnProperty')) objects.add(value);
    if (typeof value === 'function' && value.name === 'Function' && value !== Function) functions.add(value);
  }
  return { body: { seen: seen.size, foreignRoots: objects.size, foreignFunctions: functions.size } };
};

export const stackFrames = () => {
  const frames = [];
  try { Error.prepareStackTrace = (_, sites) => { frames.push(...sites); }; } catch (error) { return found('frozen ' + error.constructor.name); }
  try { ccf.kv.x.get(1); } catch (error) { error.stack; }
  return found(frames.map((site) => [typeof site.getThis(), typeof site.getFunction()]).join());
};

export const tamper = () => tried(
  () => { Object.prototype.polluted = 1; }, () => { Array.prototype.push = () => 'evil'; },
  () => { JSON.stringify = () => 'evil'; }, () => { globalThis.left = 'behind'; }, () => { ccf.kv = {}; },
  () => { ccf.kv.x.get = () => 'evil'; }, () => { Promise.prototype.then = () => {}; },
  () => { Object.defineProperty(Object.prototype, 'toString', { value: () => 'evil' }); },
  () => { ccf.crypto.digest = () => 'evil'; }, () => { Object.prototype.toString = () => 'evil'; },
  () => { Object.setPrototypeOf(Array.prototype, { evil: 1 }); }, () => { (function* () {})().__proto__.next = 1; },
  () => { Reflect.getPrototypeOf([].values()).next = () => ({ done: true }); });

let kept = 0;
export const counter = () => found(++kept);
export const ownOverrides = () => {
  class Point { toString() { return 'point'; } }
  const error = new Error('a'); error.message = 'b'; error.name = 'Mine';
  const plain = {}; plain.toString = () => 'own'; plain.constructor = 1;
  function Old() {} Old.prototype.toString = () => 'old'; Old.prototype.constructor = Old;
  return { body: [String(new Point()), String(error), String(plain), String(new Old()), String({})] };
};

export const loop = () => { for (;;); };
export const loopAfterWrite = () => { ccf.kv.x.set(ccf.strToBuf('a'), ccf.strToBuf('b')); for (;;) ccf.kv.x.size; };
export const loopOverState = () => { for (;;) { ccf.kv.x.size; ccf.kv.x.get(ccf.strToBuf('a')); ccf.crypto.digest('SHA-256', new ArrayBuffer(1000)); } };
export const regex = () => found(/^(a+)+$/.test('a'.repeat(60) + 'b'));
export const microtasks = () => { const next = () => { Promise.resolve().then(next); }; next(); return new Promise(() => {}); };
export const promiseChain = () => { const next = () => Promise.resolve().then(next); return next(); };
export const garbage = () => { let last; for (;;) last = { before: [1, 2, 3] }; };
export const litter = () => { for (let at = 0; at < 40; at++) new Uint8Array(2e6).fill(1); return found('littered'); };
export const never = () => new Promise(() => {});
export const recursion = () => { const deep = () => deep() + 1; return found(deep()); };
export const recursionIntoHost = () => { const deep = () => { ccf.kv.x.has(ccf.strToBuf('x')); return deep() + 1; }; return found(deep()); };
export const heap = () => { const all = []; for (;;) all.push({ at: all.length }); };
export const buffers = () => { const all = []; for (;;) all.push(new Uint8Array(1e8).fill(1)); };
export const hugeArray = () => { const all = []; for (;;) { const text = 'ab'.repeat(1e8); all.push(text, text.split('')); } };
export const hugeAnswer = () => found('x'.repeat(3e6));
export const hugeWrite = () => { ccf.kv.x.set(ccf.strToBuf('a'), new ArrayBuffer(2e6)); return {}; };
export const nothing = () => undefined;
export const oddAnswer = () => ({ statusCode: 'x' });
export const oddStatus = () => ({ statusCode: 99 });
export const splitHeader = () => ({ headers: { 'x-a': 'b\\r\\nset-cookie: c' } });
export const framing = () => ({ headers: { 'Content-Length': '0' }, body: 'x' });
export const cyclic = () => { const body = {}; body.self = body; return { body }; };
export const throwsText = () => { throw 'text'; };
export const throwsTrap = () => { throw new Proxy(new Error('x'), { get() { for (;;); } }); };
export const asyncOk = async () => { await null; return { body: await Promise.resolve('later') }; };
export const asyncThrow = async () => { await null; throw new TypeError('later'); };
export const answerGetter = () => ({ get body() { return 'x'; }, get statusCode() { throw new Error('trap'); } });
export const ok = () => ({ body: 'ok' });
`;

/** Names of the attacks. */
export const attackNames: readonly string[] = [...attacks.matchAll(/^export const (\w+)/gm)].map(
  (match) => match[1] as string,
);

const endpoint = (name: string, mode: string) => ({
  js_module: 'hostile.js',
  js_function: name,
  mode,
  authn_policies: ['any_cert'],
});

/** Each attack at `/{name}` (fresh modules), and at `/shared/{name}` with shared ones. */
export const hostileBundle = {
  metadata: {
    endpoints: Object.fromEntries(
      attackNames.flatMap((name) => [
        [`/${name}`, { get: endpoint(name, 'readonly'), post: endpoint(name, 'readwrite') }],
        [
          `/shared/${name}`,
          { get: { ...endpoint(name, 'readonly'), interpreter_reuse: { key: 'all' } } },
        ],
      ]),
    ),
  },
  modules: [{ name: 'hostile.js', module: attacks }],
};
