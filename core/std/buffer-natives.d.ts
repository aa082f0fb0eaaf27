/**
 * Native conversions that every Buffer of Node has and `@types/node` leaves out. They skip the
 * argument handling of `toString` and `write`, which costs more than the conversion of one word.
 */
interface Buffer {
  hexSlice(start: number, end: number): string;
  latin1Slice(start: number, end: number): string;
  hexWrite(text: string, offset: number, length: number): number;
  latin1Write(text: string, offset: number, length: number): number;
}
