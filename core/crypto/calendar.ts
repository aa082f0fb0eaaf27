/** An instant in the proleptic Gregorian calendar, UTC; month and day count from 1. */
export interface UtcTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

const dayMs = 86_400_000;
/** Days from 1 March of year 0 to 1 January 1970. */
const epochDay = 719_468;

const isLeap = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);

function daysOfMonth(year: number, month: number): number {
  if (month === 2) return isLeap(year) ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

/** Days before a month of a year that starts in March: 31, 30, 31, 30, 31, 31, 30, 31, ... */
const daysBefore = (monthFromMarch: number): number => Math.floor((153 * monthFromMarch + 2) / 5);

/** Milliseconds since the Unix epoch; undefined when there is no such instant in years 1-9999. */
export function msOfUtc(time: UtcTime): number | undefined {
  const { year, month, day, hour, minute, second } = time;
  const exists =
    year >= 1 &&
    year <= 9999 &&
    month >= 1 &&
    month <= 12 &&
    day >= 1 &&
    day <= daysOfMonth(year, month) &&
    hour <= 23 &&
    minute <= 59 &&
    second <= 59;
  if (!exists) return undefined;
  // A year that starts in March has its leap day at the end.
  const march = month > 2 ? year : year - 1;
  const leapDays = Math.floor(march / 4) - Math.floor(march / 100) + Math.floor(march / 400);
  const days = march * 365 + leapDays + daysBefore((month + 9) % 12) + day - 1 - epochDay;
  return days * dayMs + ((hour * 60 + minute) * 60 + second) * 1000;
}

/** The instant of milliseconds since the Unix epoch, cut to the second; for years 1-9999. */
export function utcOfMs(ms: number): UtcTime {
  const sinceMarch0 = Math.floor(ms / dayMs) + epochDay;
  const ofDay = Math.floor((ms - Math.floor(ms / dayMs) * dayMs) / 1000);
  // 400 years are 146,097 days; inside them the leap days are taken out to divide by 365.
  const era = Math.floor(sinceMarch0 / 146_097);
  const inEra = sinceMarch0 - era * 146_097;
  const leapDays =
    Math.floor(inEra / 1460) - Math.floor(inEra / 36_524) + Math.floor(inEra / 146_096);
  const march = Math.floor((inEra - leapDays) / 365);
  const inYear = inEra - (march * 365 + Math.floor(march / 4) - Math.floor(march / 100));
  const monthFromMarch = Math.floor((5 * inYear + 2) / 153);
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  return {
    year: era * 400 + march + (month <= 2 ? 1 : 0),
    month,
    day: inYear - daysBefore(monthFromMarch) + 1,
    hour: Math.floor(ofDay / 3600),
    minute: Math.floor(ofDay / 60) % 60,
    second: ofDay % 60,
  };
}
