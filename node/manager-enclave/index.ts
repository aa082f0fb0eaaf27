export { runManager } from './run-manager.ts';
