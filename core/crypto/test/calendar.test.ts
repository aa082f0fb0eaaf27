import assert from 'node:assert/strict';
import { test } from 'node:test';
import { msOfUtc, utcOfMs } from '../calendar.ts';

test('every day of the years 1-9999 that certificates can name is that of the platform', () => {
  const day = 86_400_000;
  for (let ms = Date.UTC(1600, 0); ms < Date.UTC(2500, 0); ms += day) {
    const date = new Date(ms);
    const time = utcOfMs(ms);
    assert.ok(
      time.year === date.getUTCFullYear() &&
        time.month === date.getUTCMonth() + 1 &&
        time.day === date.getUTCDate(),
      date.toISOString(),
    );
    assert.equal(msOfUtc(time), ms);
  }
  for (const [year, month, date] of [
    [1, 1, 1],
    [1000, 3, 1],
    [9999, 12, 31],
  ] as const) {
    const ms = new Date(0).setUTCFullYear(year, month - 1, date);
    const time = { year, month, day: date, hour: 0, minute: 0, second: 0 };
    assert.equal(msOfUtc(time), ms);
    assert.deepEqual(utcOfMs(ms), time);
  }
});

test('the time of day is cut to the second, before the epoch too', () => {
  assert.deepEqual(utcOfMs(Date.UTC(2026, 10, 22, 23, 59, 59, 999)), {
    year: 2026,
    month: 11,
    day: 22,
    hour: 23,
    minute: 59,
    second: 59,
  });
  assert.deepEqual(utcOfMs(-1), {
    year: 1969,
    month: 12,
    day: 31,
    hour: 23,
    minute: 59,
    second: 59,
  });
});

test('days and times that do not exist have no instant', () => {
  const time = { year: 2026, month: 2, day: 28, hour: 23, minute: 59, second: 59 };
  assert.equal(msOfUtc(time), Date.UTC(2026, 1, 28, 23, 59, 59));
  const others = [
    { day: 29 },
    { day: 0 },
    { month: 0 },
    { month: 13 },
    { hour: 24 },
    { minute: 60 },
    { second: 60 },
    { year: 0 },
    { year: 10_000 },
    { year: 1900, day: 29 },
    { month: 4, day: 31 },
  ];
  for (const other of others) assert.equal(msOfUtc({ ...time, ...other }), undefined);
  assert.ok(msOfUtc({ ...time, year: 2000, day: 29 }));
});
