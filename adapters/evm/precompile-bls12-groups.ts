import {
  bls,
  g1Bytes,
  g2Bytes,
  inSubgroup1,
  inSubgroup2,
  readG1,
  readG2,
  scratch1,
  scratch2,
  writeG1,
  writeG2,
} from './bls12-381.ts';
import { batch, g1Size, g2Size, scalarSize } from './pairing-curve.ts';
import type { Precompile } from './precompile.ts';

const { module } = bls;
const sum1 = bls.allocate(g1Size);
const sum2 = bls.allocate(g2Size);

/** Sum of two points of the first group; they need not be in the subgroup (EIP-2537). */
export const blsG1Add: Precompile = {
  gas: () => 375,
  run(input) {
    if (input.length !== 2 * g1Bytes) return undefined;
    if (!readG1(scratch1, input, 0) || !readG1(sum1, input, g1Bytes)) return undefined;
    module._mclBnG1_add(scratch1, scratch1, sum1);
    return writeG1(scratch1);
  },
};

/** Sum of two points of the second group; they need not be in the subgroup (EIP-2537). */
export const blsG2Add: Precompile = {
  gas: () => 600,
  run(input) {
    if (input.length !== 2 * g2Bytes) return undefined;
    if (!readG2(scratch2, input, 0) || !readG2(sum2, input, g2Bytes)) return undefined;
    module._mclBnG2_add(scratch2, scratch2, sum2);
    return writeG2(scratch2);
  },
};

// Thousandths of the price of that many single multiplications (EIP-2537); the last holds beyond.
const discounts1 = [
  1000, 949, 848, 797, 764, 750, 738, 728, 719, 712, 705, 698, 692, 687, 682, 677, 673, 669, 665,
  661, 658, 654, 651, 648, 645, 642, 640, 637, 635, 632, 630, 627, 625, 623, 621, 619, 617, 615,
  613, 611, 609, 608, 606, 604, 603, 601, 599, 598, 596, 595, 593, 592, 591, 589, 588, 586, 585,
  584, 582, 581, 580, 579, 577, 576, 575, 574, 573, 572, 570, 569, 568, 567, 566, 565, 564, 563,
  562, 561, 560, 559, 558, 557, 556, 555, 554, 553, 552, 551, 550, 549, 548, 547, 547, 546, 545,
  544, 543, 542, 541, 540, 540, 539, 538, 537, 536, 536, 535, 534, 533, 532, 532, 531, 530, 529,
  528, 528, 527, 526, 525, 525, 524, 523, 522, 522, 521, 520, 520, 519,
];
const discounts2 = [
  1000, 1000, 923, 884, 855, 832, 812, 796, 782, 770, 759, 749, 740, 732, 724, 717, 711, 704, 699,
  693, 688, 683, 679, 674, 670, 666, 663, 659, 655, 652, 649, 646, 643, 640, 637, 634, 632, 629,
  627, 624, 622, 620, 618, 615, 613, 611, 609, 607, 606, 604, 602, 600, 598, 597, 595, 593, 592,
  590, 589, 587, 586, 584, 583, 582, 580, 579, 578, 576, 575, 574, 573, 571, 570, 569, 568, 567,
  566, 565, 563, 562, 561, 560, 559, 558, 557, 556, 555, 554, 553, 552, 552, 551, 550, 549, 548,
  547, 546, 545, 545, 544, 543, 542, 541, 541, 540, 539, 538, 537, 537, 536, 535, 535, 534, 533,
  532, 532, 531, 530, 530, 529, 528, 528, 527, 526, 526, 525, 524, 524,
];

/** Price of `count` multiplications of `single` gas each. */
function multiplicationGas(count: number, single: number, discounts: readonly number[]): number {
  if (count === 0) return 0;
  const discount = discounts[Math.min(count, discounts.length) - 1] as number;
  return Math.floor((count * single * discount) / 1000);
}

const scalarBytes = 32;
const term1 = g1Bytes + scalarBytes;
const term2 = g2Bytes + scalarBytes;

/** Sum of multiples of points of the first group (EIP-2537). */
export const blsG1Multiply: Precompile = {
  gas: (input) => multiplicationGas(Math.floor(input.length / term1), 12_000, discounts1),
  run(input) {
    if (input.length === 0 || input.length % term1 !== 0) return undefined;
    module._mclBnG1_clear(sum1);
    const terms = input.length / term1;
    for (let first = 0; first < terms; first += batch) {
      const count = Math.min(batch, terms - first);
      for (let i = 0; i < count; i++) {
        const at = (first + i) * term1;
        const point = bls.g1Points + i * g1Size;
        if (!readG1(point, input, at) || !inSubgroup1(point)) return undefined;
        bls.setScalar(bls.scalars + i * scalarSize, input.subarray(at + g1Bytes, at + term1));
      }
      module._mclBnG1_mulVec(scratch1, bls.g1Points, bls.scalars, count);
      module._mclBnG1_add(sum1, sum1, scratch1);
    }
    return writeG1(sum1);
  },
};

/** Sum of multiples of points of the second group (EIP-2537). */
export const blsG2Multiply: Precompile = {
  gas: (input) => multiplicationGas(Math.floor(input.length / term2), 22_500, discounts2),
  run(input) {
    if (input.length === 0 || input.length % term2 !== 0) return undefined;
    module._mclBnG2_clear(sum2);
    const terms = input.length / term2;
    for (let first = 0; first < terms; first += batch) {
      const count = Math.min(batch, terms - first);
      for (let i = 0; i < count; i++) {
        const at = (first + i) * term2;
        const point = bls.g2Points + i * g2Size;
        if (!readG2(point, input, at) || !inSubgroup2(point)) return undefined;
        bls.setScalar(bls.scalars + i * scalarSize, input.subarray(at + g2Bytes, at + term2));
      }
      module._mclBnG2_mulVec(scratch2, bls.g2Points, bls.scalars, count);
      module._mclBnG2_add(sum2, sum2, scratch2);
    }
    return writeG2(sum2);
  },
};
