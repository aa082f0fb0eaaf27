import type { Call } from './frames.ts';
import { bytesOfState } from './past-state.ts';

/** Reads in one frame; a read that ends the process makes the others of its frame run again. */
const maxReadsTogether = 100;
/** About the bytes of one frame, unless a read alone has more: a process ends at one too long. */
const maxBytesTogether = 4 * 1024 * 1024;

/** Cuts reads that came together into those that go to the process in one frame each. */
export function* readGroups<Read extends { readonly call: Call }>(
  reads: readonly Read[],
): Iterable<readonly Read[]> {
  let group: Read[] = [];
  let bytes = 0;
  for (const read of reads) {
    const size = bytesOfCall(read.call);
    const isFull = group.length === maxReadsTogether || bytes + size > maxBytesTogether;
    if (isFull && group.length > 0) {
      yield group;
      [group, bytes] = [[], 0];
    }
    group.push(read);
    bytes += size;
  }
  if (group.length > 0) yield group;
}

const bytesOfCall = ({ request, caller, params, state }: Call): number =>
  request.length + caller.length + params.length + (state ? bytesOfState(state) : 0);
