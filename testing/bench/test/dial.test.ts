import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { angleOf, drawDial, fullScaleFor, sparkline } from '../dial.ts';

describe('the speedometer', () => {
  it('turns the needle from left to right and never beyond the scale', () => {
    assert.equal(angleOf(0, 4_000), Math.PI);
    assert.equal(angleOf(2_000, 4_000), Math.PI / 2);
    assert.equal(angleOf(9_000, 4_000), 0);
    assert.equal(angleOf(-1, 4_000), Math.PI);
  });

  it('draws lines of one width', () => {
    const reading = { perSecond: 3_000, average: 2_500, fullScale: 4_000, mark: 1_600 };
    const widths = new Set(drawDial(reading).map((line) => line.length));
    assert.deepEqual([...widths], [46]);
    assert.notDeepEqual(drawDial(reading), drawDial({ ...reading, perSecond: 100 }));
  });

  it('doubles its scale until a value fits', () => {
    assert.equal(fullScaleFor(1), 4_000);
    assert.equal(fullScaleFor(4_001), 8_000);
    assert.equal(fullScaleFor(30_000), 32_000);
  });

  it('shows the newest values as bars of the tallest', () => {
    assert.equal(sparkline([0, 5, 10], 2), '▄█');
    assert.equal(sparkline([], 5), '');
  });
});
