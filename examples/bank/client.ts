/**
 * A customer in TypeScript: `npx node client.ts <url of a node> <actor> <own account> <other account>`
 * pays one cent and prints the transaction, proved, and the balance after it. Routes, bodies and
 * answers have the application's types.
 */
import { readFile } from 'node:fs/promises';
import { createClient } from '@concordat/app';
import { AdminClient, ApplicationClient, readIdentity } from '@concordat/sdk';
import type app from './app.ts';

const [url = '', actor = '', from = '', to = ''] = process.argv.slice(2);
const sandbox = '.concordat/sandbox';
const { nodes } = JSON.parse(await readFile(`${sandbox}/sandbox.json`, 'utf8')) as {
  readonly nodes: readonly { readonly ports: { readonly application: number; admin: number } }[];
};
const port = Number(new URL(url).port);
const node = nodes.find(({ ports }) => ports.application === port);
const who = {
  networkCertificate: await readFile(`${sandbox}/network.pem`, 'utf8'),
  identity: await readIdentity({
    certificateFile: `${sandbox}/actors/${actor}/certificate.pem`,
    keyFile: `${sandbox}/actors/${actor}/key.pem`,
  }),
};
const application = new ApplicationClient({ ...who, address: new URL(url).host });
const admin = new AdminClient({ ...who, address: `127.0.0.1:${node?.ports.admin}` });
const bank = createClient<typeof app>(application);
try {
  const payment = { from, to, amount: 1, reference: 'a cent' };
  const { transactionId = '' } = await bank.call('POST /transfers', { body: payment });
  // Verified with the network's certificate before it is returned.
  const receipt = await admin.receipt(transactionId);
  const fresh = { consistency: 'linearizable' } as const;
  const { body } = await bank.call('GET /accounts/{id}', { params: { id: from } }, fresh);
  console.log(`transaction ${transactionId}, claims ${receipt.leaf_components.claims_digest}`);
  console.log(`balance ${body.balance}`);
} finally {
  application.close();
  admin.close();
}
