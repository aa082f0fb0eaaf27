/** A worker enclave for the host's tests: reports its start record, and stays. */
import { connect } from 'node:net';
import {
  decodeControlToEnclave,
  decodeWorkerStart,
  encodeControlToHost,
  FrameConnection,
  parseEnclaveArguments,
  workerControlSocket,
  workerSocket,
} from '@concordat/bridge';

const { bridgeDirectory, worker } = parseEnclaveArguments(process.argv.slice(2));

const control = new FrameConnection(
  connect(workerControlSocket(bridgeDirectory, worker as number)),
  {
    onFrame: (frame) => {
      const message = decodeControlToEnclave(frame);
      if (message.kind === 'shutdown') process.exit(0);
      if (message.kind !== 'start') return;
      const fields = { event: 'test.worker-started', ...decodeWorkerStart(message.json) };
      control.send(encodeControlToHost({ kind: 'log', line: Buffer.from(JSON.stringify(fields)) }));
      reachManager();
    },
    onClose: () => process.exit(7),
  },
);

/** The manager may not have its socket up yet. */
function reachManager(): void {
  const socket = connect(workerSocket(bridgeDirectory, worker as number));
  socket.on('connect', () => socket.write(`hello from worker ${worker}`));
  socket.on('error', () => setTimeout(reachManager, 20));
}
