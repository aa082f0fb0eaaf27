import { utf8 } from '@concordat/std';

const source = `
  const records = () => ccf.kv.records;
  export function put(request) {
    records().set(ccf.strToBuf(request.params.id), request.body.arrayBuffer());
    return { statusCode: 204 };
  }
  export function get(request) {
    const record = records().get(ccf.strToBuf(request.params.id));
    return record === undefined ? { statusCode: 404 } : { body: record };
  }
`;

const endpoint = (js_function: string, mode: string, isReused: boolean) => ({
  js_module: 'records.js',
  js_function,
  mode,
  authn_policies: ['user_cert'],
  ...(isReused && { interpreter_reuse: { key: 'records' } }),
});

/**
 * CCF's basic application: records by key in a private map.
 * @param isReused whether requests share their module instances (`interpreter_reuse`)
 */
export const recordsApplication = (isReused: boolean): Uint8Array =>
  utf8(
    JSON.stringify({
      metadata: {
        endpoints: {
          '/records/{id}': {
            put: endpoint('put', 'readwrite', isReused),
            get: endpoint('get', 'readonly', isReused),
          },
        },
      },
      modules: [{ name: 'records.js', module: source }],
    }),
  );
