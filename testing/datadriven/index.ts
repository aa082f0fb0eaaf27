export { DatadrivenError, type DatadrivenErrorCode } from './errors.ts';
export { replayScenarios } from './replay-scenarios.ts';
export { runScenario } from './run-scenario.ts';
export { checkStory, differenceOf, type Execute, rewriteStory } from './run-story.ts';
export { parseScenario, type ScenarioLine } from './scenario-file.ts';
export { formatStory, parseStory, type Step, type Story } from './story.ts';
export { createStoryTeller } from './story-commands.ts';
export { tellStory } from './tell-stories.ts';
