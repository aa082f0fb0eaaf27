import { bls, type Group, g1, g2 } from './bls12-381.ts';
import { batch, scalarSize } from './pairing-curve.ts';
import type { Precompile } from './precompile.ts';

/** Sum of two points; they need not be in the subgroup. */
const addition = (group: Group, price: number): Precompile => ({
  gas: () => price,
  run(input) {
    const { pointBytes, result, sum } = group;
    if (input.length !== 2 * pointBytes) return undefined;
    if (!group.read(result, input, 0) || !group.read(sum, input, pointBytes)) return undefined;
    group.add(result, result, sum);
    return group.write(result);
  },
});

/** Sum of two points of the first group (EIP-2537). */
export const blsG1Add: Precompile = addition(g1, 375);

/** Sum of two points of the second group (EIP-2537). */
export const blsG2Add: Precompile = addition(g2, 600);

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

/** Sum of multiples of points, `single` gas for one alone. */
function sumOfMultiples(group: Group, single: number, discounts: readonly number[]): Precompile {
  const { pointBytes, size, points, result, sum } = group;
  const termBytes = pointBytes + scalarBytes;
  return {
    gas: (input) => multiplicationGas(Math.floor(input.length / termBytes), single, discounts),
    run(input) {
      if (input.length === 0 || input.length % termBytes !== 0) return undefined;
      group.clear(sum);
      const terms = input.length / termBytes;
      for (let first = 0; first < terms; first += batch) {
        const count = Math.min(batch, terms - first);
        for (let i = 0; i < count; i++) {
          const at = (first + i) * termBytes;
          const point = points + i * size;
          if (!group.read(point, input, at) || !group.isInSubgroup(point)) return undefined;
          bls.setScalar(
            bls.scalars + i * scalarSize,
            input.subarray(at + pointBytes, at + termBytes),
          );
        }
        group.multiply(result, points, bls.scalars, count);
        group.add(sum, sum, result);
      }
      return group.write(sum);
    },
  };
}

/** Sum of multiples of points of the first group (EIP-2537). */
export const blsG1Multiply: Precompile = sumOfMultiples(g1, 12_000, discounts1);

/** Sum of multiples of points of the second group (EIP-2537). */
export const blsG2Multiply: Precompile = sumOfMultiples(g2, 22_500, discounts2);
