import type {
  AuditClass,
  AuditReport,
  ClassVerdict,
  Defect,
  NodeReport,
  Observations,
  ProposalReport,
} from '@concordat/auditor';
import { votingPolicyText } from '@concordat/governance';
import { auditorsOf, epochsOf, sharedKeysOf, timeOf } from './audit-keys-text.ts';
import { formatCount, paint, renderTable, type Terminal } from './terminal.ts';

const titles: Readonly<Record<AuditClass, string>> = {
  chain: 'Chain, signatures and history',
  governance: 'Governance, executed anew',
  nodes: 'Nodes and certificates',
  leaders: 'Leaders',
  evidence: 'Evidence',
  keys: 'Epochs and session keys',
  clocks: 'Clocks',
  receipts: 'Receipts',
  execution: 'Execution, done anew',
};

/** An audit as it would be handed over: header, verdict of each class, proposals, observations. */
export function auditText(terminal: Terminal, found: AuditReport, directory: string): string {
  const report = printable(found);
  return [
    heading(terminal, 'Audit of a ledger'),
    headerOf(report, directory),
    heading(terminal, 'Organisations'),
    organisationsOf(report),
    heading(terminal, 'Nodes'),
    nodesOf(report),
    ...report.classes.flatMap((verdict) => sectionOf(terminal, verdict, report)),
    heading(terminal, 'Epochs'),
    epochsOf(report),
    heading(terminal, 'Shared keys, and who can read together'),
    sharedKeysOf(report),
    heading(terminal, 'Auditors and recovery copies'),
    auditorsOf(report),
    heading(terminal, 'Proposals'),
    proposalsOf(report),
    heading(terminal, 'Observations (unusual, no defects)'),
    observationsOf(report.observations),
    `\n${conclusion(terminal, report)}\n`,
  ].join('');
}

/** Names in a forged ledger may hold what would steer a terminal. */
const printable = (report: AuditReport): AuditReport =>
  JSON.parse(JSON.stringify(report), (_key, value: unknown) =>
    typeof value === 'string' ? value.replace(/\p{Cc}/gu, '?') : value,
  ) as AuditReport;

const heading = (terminal: Terminal, text: string): string =>
  `\n${paint(terminal, 'bold', text)}\n`;

/** A table without its header row. */
const facts = (rows: readonly (readonly string[])[]): string =>
  renderTable(['', ''], rows).split('\n').slice(2).join('\n');

function headerOf(report: AuditReport, directory: string): string {
  const { network, first, last } = report;
  const opened = report.epochs.filter((epoch) => epoch.contents);
  return facts([
    ['ledger', directory],
    [
      'network',
      network ? `${network.name}, ${network.networkId}` : 'unknown: its genesis was refused',
    ],
    ['certificate', network?.certificate ?? '-'],
    ['constitution', network?.constitutionDigest ?? '-'],
    [
      'blocks',
      `${formatCount(report.blocks)} in ${report.chunks} files, ${formatCount(report.bytes)} bytes`,
    ],
    [
      'transactions',
      `${formatCount(report.transactions)}, ${first?.transactionId ?? '-'} to ${last?.transactionId ?? '-'}`,
    ],
    ['time', first && last ? `${timeOf(first.timeMs)} to ${timeOf(last.timeMs)}` : '-'],
    ['history root', last?.historyRoot ?? '-'],
    [
      'epochs',
      `${report.epochs.length}, contents ${openedOf(opened.length, report.epochs.length)}`,
    ],
    [
      'proposals',
      `${report.proposals.length}, with ${report.proposals.reduce((sum, { votes }) => sum + votes.length, 0)} votes`,
    ],
  ]);
}

const openedOf = (opened: number, all: number): string => {
  if (opened === 0) return 'not opened: no key for them';
  if (opened === all) return 'opened and verified';
  return `of ${opened} opened and verified, of the others no key was given`;
};

const organisationsOf = ({ organisations }: AuditReport): string =>
  renderTable(
    ['name', 'kind', 'since block', 'until block'],
    organisations.map(({ name, kind, since, until }) => {
      return [
        name,
        kind.join(', '),
        formatCount(since),
        until === undefined ? '' : formatCount(until),
      ];
    }),
  );

function nodesOf({ nodes, leaders }: AuditReport): string {
  const led = new Map(leaders.map((leader) => [leader.nodeId, leader]));
  return renderTable(
    [
      'node',
      'name',
      'organisation',
      'status',
      'joined',
      'trusted',
      'retired',
      'blocks led (views)',
      'platform',
    ],
    nodes.map((node) => {
      const { heights } = node;
      const leader = led.get(node.nodeId);
      return [
        node.nodeId.slice(0, 16),
        node.name,
        node.organisation,
        statusOf(node),
        heightOf(heights.learning),
        heightOf(heights.trusted),
        heightOf(heights.retired),
        leader ? `${formatCount(leader.blocks)} (${leader.views})` : '',
        node.platform ?? '',
      ];
    }),
  );
}

const statusOf = ({ status, retired }: NodeReport): string => retired ?? status;
const heightOf = (height: number | undefined): string =>
  height === undefined ? '' : formatCount(height);

function sectionOf(terminal: Terminal, verdict: ClassVerdict, report: AuditReport): string[] {
  const { class: of, first, defects } = verdict;
  const mark = first ? paint(terminal, 'red', '✗ defect') : paint(terminal, 'green', '✓ holds');
  const lines = [heading(terminal, `${titles[of]}: `).trimEnd(), ` ${mark}\n`];
  const counts = Object.entries(verdict.examined).map(([what, count]) => {
    return `${formatCount(count)} ${wordsOf(what)}`;
  });
  lines.push(`  ${counts.length > 0 ? `examined: ${counts.join(', ')}` : nothing(of)}\n`);
  if (first) lines.push(defectOf(first, defects));
  if (of === 'receipts') lines.push(receiptsOf(report));
  if (of === 'execution') lines.push(executionOf(report));
  return lines;
}

function nothing(of: AuditClass): string {
  if (of === 'receipts') return 'none were given (--receipt file)';
  if (of === 'execution') return 'nothing was executed anew (--re-execute image)';
  return 'nothing of it is in the ledger';
}

/** `administrativeBlocks` as words. */
const wordsOf = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

function defectOf({ code, cause, height, file, message }: Defect, defects: number): string {
  const place = [height > 0 && `block ${formatCount(height)}`, file].filter(Boolean).join(', ');
  const why = cause === undefined ? code : `${code} (${cause})`;
  const more = defects > 1 ? `\n  and ${formatCount(defects - 1)} more of this class` : '';
  return `  ${why}${place ? ` at ${place}` : ''}\n  ${message}${more}\n`;
}

function executionOf({ reexecution }: AuditReport): string {
  if (!reexecution) return '';
  const { image, measurement, adapters, stoppedAt } = reexecution;
  const which = adapters.length > 0 ? adapters.join(', ') : 'no adapter';
  const end = stoppedAt === undefined ? '' : `; stopped before block ${formatCount(stoppedAt)}`;
  return `  with image ${image} (${measurement.slice(0, 16)}), which executes ${which} anew${end}\n`;
}

const receiptsOf = ({ receipts }: AuditReport): string =>
  receipts
    .map(({ name, located, transactionId = '', height, why = '' }) =>
      located
        ? `  ${name}: transaction ${transactionId} is in block ${height}\n`
        : `  ${name}: ${transactionId} ${why}\n`,
    )
    .join('');

function proposalsOf({ proposals, organisations }: AuditReport): string {
  if (proposals.length === 0) return '  none\n';
  const names = new Map(organisations.map(({ actorId, name }) => [String(actorId), name]));
  return renderTable(
    ['proposal', 'by', 'changes', 'opened', 'decided', 'state', 'votes', 'policy when opened'],
    proposals.map((proposal) => [
      proposal.proposalId.slice(0, 16),
      proposal.proposer,
      changesOf(proposal),
      heightOf(proposal.openedHeight),
      heightOf(proposal.closedHeight),
      proposal.failure ? `failed: ${proposal.failure}` : proposal.state,
      votesOf(proposal),
      policyOf(proposal, names),
    ]),
  );
}

/** What one action is about, in a word or two. */
const subjects = [
  'name',
  'auditor',
  'kind',
  'actorId',
  'nodeId',
  'measurement',
  'platform',
] as const;

function changesOf({ actions }: ProposalReport): string {
  const told = actions.slice(0, 3).map(({ name, args }) => {
    const given = args as Readonly<Record<string, unknown>>;
    const subject = subjects.map((key) => given[key]).find((value) => typeof value === 'string');
    if (subject === undefined) return name;
    return `${name} ${String(subject).replace(/^([0-9a-f]{16})[0-9a-f]{48}$/, '$1')}`;
  });
  return actions.length > 3 ? `${told.join(', ')} and ${actions.length - 3} more` : told.join(', ');
}

function votesOf({ votes, members }: ProposalReport): string {
  const told = ({ member, rule, changes }: ProposalReport['votes'][number]): string => {
    const how = [rule && `rule ${rule}`, changes > 0 && `changed ${changes}x`].filter(Boolean);
    return how.length > 0 ? `${member} (${how.join(', ')})` : member;
  };
  const names = (accept: boolean): string =>
    votes
      .filter((vote) => vote.accept === accept)
      .map(told)
      .join(' ');
  const [yes, no] = [names(true), names(false)];
  const counted = [yes && `yes: ${yes}`, no && `no: ${no}`].filter(Boolean).join('; ');
  return `${counted || 'none'} (of ${members})`;
}

const policyOf = ({ requirements }: ProposalReport, names: ReadonlyMap<string, string>): string =>
  [
    ...new Set(
      requirements.map(({ policy }) =>
        votingPolicyText(policy, (actorId) => names.get(actorId) ?? actorId.slice(0, 8)),
      ),
    ),
  ].join(', ');

function observationsOf(observations: readonly Observations[]): string {
  if (observations.length === 0) return '  none\n';
  return observations
    .map(({ kind, count, first }) => {
      const told = first
        .slice(0, 3)
        .map(({ height, message }) => `    block ${formatCount(height)}: ${message}\n`);
      const more = count > told.length ? `    and ${formatCount(count - told.length)} more\n` : '';
      return `  ${kind.replaceAll('-', ' ')} (${formatCount(count)})\n${told.join('')}${more}`;
    })
    .join('');
}

function conclusion(terminal: Terminal, { ok, classes, last }: AuditReport): string {
  if (ok) {
    const root = last ? ` up to block ${formatCount(last.height)}` : '';
    return paint(terminal, 'green', `No defect was found${root}.`);
  }
  const broken = classes.filter(({ first }) => first).map((of) => titles[of.class]);
  const stopped = classes.some((of) => of.class === 'chain' && of.first);
  const end = stopped ? ' Nothing after the break of the chain was examined.' : '';
  return paint(terminal, 'red', `Defects: ${broken.join('; ')}.${end}`);
}
