import { hash } from 'node:crypto';
import { bls, g1 } from './bls12-381.ts';
import { g1Size, g2Size, isBelow, isZero, scalarSize } from './pairing-curve.ts';
import type { Precompile } from './precompile.ts';

const { module } = bls;
const fp = 48;
const commitment = bls.allocate(g1Size);
const proof = bls.allocate(g1Size);
const negativeGenerator1 = bls.allocate(g1Size);
const square = bls.allocate(fp);
const four = bls.allocate(fp);

const hex = (digits: string): Uint8Array => Buffer.from(digits, 'hex');

/** Order of the groups: what a blob's field elements are below. */
const order = hex('73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001');

/** 4,096 field elements a blob, then the order: what a valid proof is answered with. */
const answer = hex(`${'1000'.padStart(64, '0')}${Buffer.from(order).toString('hex')}`);

/** (p - 1) / 2: a greater y is the one a set sign bit means. */
const middle = hex(
  '0d0088f51cbff34d258dd3db21a5d66bb23ba5c279c2895fb39869507b587b12' +
    '0f55ffff58a9ffffdcff7fffffffd555',
);

/** The second group's generator by the ceremony's secret: all of the setup that a check needs. */
const secretPoint = bls.allocate(g2Size);
/** The second group's generator, negated. */
const negativeGenerator = bls.allocate(g2Size);

function prepare(): void {
  bls.setG2(
    secretPoint,
    [
      hex(
        '185cbfee53492714734429b7b38608e23926c911cceceac9a36851477ba4c60b' +
          '087041de621000edc98edada20c1def2',
      ),
      hex(
        '15bfd7dd8cdeb128843bc287230af38926187075cbfbefa81009a2ce615ac53d' +
          '2914e5870cb452d2afaaab24f3499f72',
      ),
    ],
    [
      hex(
        '014353bdb96b626dd7d5ee8599d1fca2131569490e28de18e82451a496a9c979' +
          '4ce26d105941f383ee689bfbbb832a99',
      ),
      hex(
        '1666c54b0a32529503432fcae0181b4bef79de09fc63671fda5ed1ba9bfa0789' +
          '9495346f3d7ac9cd23048ef30d0a154f',
      ),
    ],
  );
  bls.setG2(
    negativeGenerator,
    [
      hex(
        '024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d177' +
          '0bac0326a805bbefd48056c8c121bdb8',
      ),
      hex(
        '13e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049' +
          '334cf11213945d57e5ac7d055d042b7e',
      ),
    ],
    [
      hex(
        '0ce5d527727d6e118cc9cdc6da2e351aadfd9baa8cbdd3a76d429a695160d12c' +
          '923ac9cc3baca289e193548608b82801',
      ),
      hex(
        '0606c4a02ea734cc32acd2b02bc28b99cb3e287e85a763af267492ab572e99ab' +
          '3f370d275cec1da1aaa9075ff05f79be',
      ),
    ],
  );
  module._mclBnG2_neg(negativeGenerator, negativeGenerator);
  bls.setG1(
    negativeGenerator1,
    hex(
      '17f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac58' +
        '6c55e83ff97a1aeffb3af00adb22c6bb',
    ),
    hex(
      '08b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3ed' +
        'd03cc744a2888ae40caa232946c5e7e1',
    ),
  );
  module._mclBnFp_setInt32(four, 4);
}

prepare();
module._mclBnG1_neg(negativeGenerator1, negativeGenerator1);
const generatorLines = bls.prepared(negativeGenerator);
const secretLines = bls.prepared(secretPoint);

/** Reads a point of 48 bytes, x and three flags; false when it is not in the subgroup. */
function readCompressed(at: number, bytes: Uint8Array): boolean {
  const flags = (bytes[0] as number) & 0xe0;
  const x = new Uint8Array(bytes);
  x[0] = (bytes[0] as number) & 0x1f;
  if ((flags & 0x80) === 0) return false;
  if ((flags & 0x40) !== 0) {
    module._mclBnG1_clear(at);
    return (flags & 0x20) === 0 && isZero(x);
  }
  if (!bls.setField(at, x)) return false;
  const root = at + fp;
  module._mclBnFp_sqr(square, at);
  module._mclBnFp_mul(square, square, at);
  module._mclBnFp_add(square, square, four);
  if (module._mclBnFp_squareRoot(root, square) !== 0) return false;
  const isGreater = Buffer.compare(bls.field(root), middle) > 0;
  if (isGreater !== ((flags & 0x20) !== 0)) module._mclBnFp_neg(root, root);
  module._mclBnFp_setInt32(at + 2 * fp, 1);
  return g1.isInSubgroup(at);
}

/** Whether a proof shows that the committed polynomial has the value y at z. */
function isProved(z: Uint8Array, y: Uint8Array): boolean {
  // e(C + z proof - y G1, -G2) e(proof, s G2) = 1, which needs no multiple in the second group.
  const { g1Points, scalars } = bls;
  bls.copy(g1Points, proof, g1Size);
  bls.copy(g1Points + g1Size, negativeGenerator1, g1Size);
  bls.setScalar(scalars, z);
  bls.setScalar(scalars + scalarSize, y);
  module._mclBnG1_mulVec(g1.result, g1Points, scalars, 2);
  module._mclBnG1_add(g1.result, g1.result, commitment);
  const hasFirst = module._mclBnG1_isZero(g1.result) === 0;
  const hasSecond = module._mclBnG1_isZero(proof) === 0;
  bls.startPairing();
  if (hasFirst && hasSecond) bls.multiplyPrepared(g1.result, generatorLines, proof, secretLines);
  else if (hasFirst) bls.multiplyOnePrepared(g1.result, generatorLines);
  else if (hasSecond) bls.multiplyOnePrepared(proof, secretLines);
  return bls.isOne();
}

/** Point evaluation of a blob's polynomial by its KZG commitment (EIP-4844). */
export const kzgPointEvaluation: Precompile = {
  gas: () => 50_000,
  run(input) {
    if (input.length !== 192) return undefined;
    const [z, y] = [input.subarray(32, 64), input.subarray(64, 96)];
    if (!isBelow(z, order) || !isBelow(y, order)) return undefined;
    const point = input.subarray(96, 144);
    const versioned = hash('sha256', point, 'buffer');
    versioned[0] = 1;
    if (Buffer.compare(versioned, input.subarray(0, 32)) !== 0) return undefined;
    if (!readCompressed(commitment, point)) return undefined;
    if (!readCompressed(proof, input.subarray(144, 192))) return undefined;
    return isProved(z, y) ? answer : undefined;
  },
};
