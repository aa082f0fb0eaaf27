import { createJavascriptAdapter, encodeRequest } from '@concordat/javascript';
import { utf8 } from '@concordat/std';
import { adapterSuite } from '../index.ts';

const json = (value: unknown) => utf8(JSON.stringify(value));

const source = `
const map = (request) => ccf.kv[request.params.map];
const key = (request) => ccf.strToBuf(request.params.key);
export function put(request) {
  const value = request.body.text();
  if (value === 'refuse me') return { statusCode: 403, body: 'no' };
  if (value === 'throw') { map(request).set(key(request), ccf.strToBuf(value)); throw new Error('thrown'); }
  if (value === 'timeless') ccf.rpc.setClaimsDigest(ccf.crypto.digest('SHA-256', ccf.strToBuf(value)));
  map(request).set(key(request), ccf.strToBuf(value));
  return { statusCode: 201, headers: { 'x-size': String(map(request).size) }, body: value };
}
export function remove(request) {
  map(request).delete(key(request));
  return { statusCode: 204 };
}
export function get(request) {
  const value = map(request).get(key(request));
  return value === undefined ? { statusCode: 404 } : { body: value };
}
export function list(request) {
  const found = [];
  map(request).forEach((value, key) => found.push([ccf.bufToStr(key), ccf.bufToStr(value)]));
  return { body: { found, last: ccf.consensus.getLastCommittedTxId() } };
}
`;

const endpoint = (js_function: string, mode: string) => ({
  js_module: 'maps.js',
  js_function,
  mode,
  authn_policies: ['any_cert'],
});

const genesisData = json({
  metadata: {
    endpoints: {
      '/{map}/{key}': {
        get: endpoint('get', 'readonly'),
        put: endpoint('put', 'readwrite'),
        delete: endpoint('remove', 'readwrite'),
      },
      '/{map}': { get: endpoint('list', 'readonly') },
    },
  },
  modules: [{ name: 'maps.js', module: source }],
});

const request = (method: string, url: string, body = '') =>
  encodeRequest({ method, url, headers: [['host', 'here']], body: utf8(body) });

adapterSuite({
  name: 'JavaScript',
  create: createJavascriptAdapter,
  config: { maxRequestMs: 500 },
  invalidConfigs: [7, [], { maxRequestMs: 0 }, { maxAnswerBytes: '8' }, { x: 1 }],
  genesisData,
  kept: [
    request('PUT', '/fruit/a', 'apple'),
    request('PUT', '/public:fruit/a', 'pear'),
    request('PUT', '/fruit/b', 'timeless'),
    request('DELETE', '/fruit/a'),
    request('PUT', '/app/fruit/c', 'cherry'),
  ],
  dropped: [
    request('GET', '/fruit/b'),
    request('PUT', '/fruit/d', 'refuse me'),
    request('PUT', '/fruit/d', 'throw'),
    request('DELETE', '/fruit/nothing'),
    request('PUT', '/nothing/of/the/kind', 'x'),
    utf8('no request at all'),
  ],
  queries: ['/fruit/a', '/fruit/b', '/fruit', '/public:fruit', '/none', '/app/commit'].map(
    (path) => ({ method: 'GET', path }),
  ),
});
