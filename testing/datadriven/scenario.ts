import { replayScenarios } from './replay-scenarios.ts';

process.exitCode = replayScenarios(process.argv.slice(2), console.log);
