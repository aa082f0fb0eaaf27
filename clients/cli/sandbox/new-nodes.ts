import type { SandboxNode } from './layout.ts';
import { freePorts } from './ports.ts';

const organisations = ['aurora-bank', 'borealis-trade', 'cumulus-insurance', 'dune-logistics'];

/** Nodes of a new sandbox: a name, an organisation and three free ports each. */
export async function newNodes({
  nodes,
  basePort = 7_100,
  hostOf,
}: {
  readonly nodes: number;
  /** First port tried. */
  readonly basePort?: number;
  readonly hostOf?: (name: string) => string;
}): Promise<SandboxNode[]> {
  const ports = await freePorts(nodes * 3, basePort);
  return Array.from({ length: nodes }, (_, at) => ({
    name: `vn${at + 1}`,
    ...(hostOf && { host: hostOf(`vn${at + 1}`) }),
    organisation: organisations[at] ?? `organisation-${at + 1}`,
    ports: {
      node: ports[at * 3] as number,
      admin: ports[at * 3 + 1] as number,
      application: ports[at * 3 + 2] as number,
    },
  }));
}
