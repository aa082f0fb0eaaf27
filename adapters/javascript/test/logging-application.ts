import { utf8 } from '@concordat/std';

const source = `
import { table } from './lib/tables.js';

export function put(request) {
  const { id, msg } = request.body.json();
  if (typeof msg !== 'string' || msg === '') return { statusCode: 400, body: { error: 'no message' } };
  table(request).set(ccf.strToBuf(String(id)), ccf.strToBuf(msg));
  return { body: true };
}

export function get(request) {
  const value = table(request).get(ccf.strToBuf(request.query.replace(/^id=/, '')));
  if (value === undefined) return { statusCode: 404, body: { error: 'no such record' } };
  return { body: { msg: ccf.bufToStr(value) } };
}

export function remove(request) {
  const key = ccf.strToBuf(request.query.replace(/^id=/, ''));
  const had = table(request).has(key);
  table(request).delete(key);
  return { body: had };
}

export function count(request) {
  return { body: table(request).size };
}

export function list(request) {
  const found = {};
  table(request).forEach((value, key) => { found[ccf.bufToStr(key)] = ccf.bufToStr(value); });
  return { body: found };
}
`;

const tables = `
export const table = (request) =>
  request.path.includes('/public') ? ccf.kv['public:records'] : ccf.kv['records'];
`;

const endpoint = (js_function: string, mode: string, more: object = {}) => ({
  js_module: 'logging.js',
  js_function,
  mode,
  authn_policies: ['user_cert'],
  forwarding_required: mode === 'readonly' ? 'sometimes' : 'always',
  openapi: {},
  ...more,
});

const byMethod = {
  get: endpoint('get', 'readonly'),
  post: endpoint('put', 'readwrite'),
  delete: endpoint('remove', 'readwrite'),
};

/** An application in the form of CCF's logging sample: messages by id, private and public. */
export const loggingBundle = {
  metadata: {
    endpoints: {
      '/log/private': byMethod,
      '/log/public': byMethod,
      '/log/private/count': { get: endpoint('count', 'readonly') },
      '/log/public/count': { get: endpoint('count', 'readonly') },
      '/log/private/all': {
        get: endpoint('list', 'readonly', {
          authn_policies: [{ all_of: ['user_cert', 'any_cert'] }],
        }),
      },
      '/log/members': { get: endpoint('count', 'readonly', { authn_policies: ['member_cert'] }) },
    },
  },
  modules: [
    { name: 'logging.js', module: source },
    { name: 'lib/tables.js', module: tables },
  ],
};

/** A bundle as bytes. */
export const bytesOfBundle = (bundle: unknown): Uint8Array => utf8(JSON.stringify(bundle));
