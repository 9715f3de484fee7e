/** `tidemark/testing`: what jobs are tested with. */
export { ManualClock } from './world/manualClock.ts'
export { MemoryLog, type CommitSummary, type MemoryLogOptions } from './world/memoryLog.ts'
export { MemoryTables, type MemoryTablesOptions, type ReadBehaviour, type ReadBound } from './world/memoryTables.ts'
export type { MemoryTopicOptions } from './world/memoryTopic.ts'
export { runJob, type DeadLetterContent, type JobRun, type TopicContent } from './kit/runJob.ts'
export { seededRandom } from './world/seededRandom.ts'
export { ABORT, EOF, PAUSE, type SourceMark } from './kit/sourceMark.ts'
export { faultKinds, type CallClass, type Fault, type FaultKind } from './simulation/faults.ts'
export type { Outcome, OrderedOutput, PositionOf, PositionResult } from './simulation/outcome.ts'
export { simulate, type Seeds, type SimulateOptions, type SimulationReport } from './simulation/simulate.ts'
export { SimulationFailure } from './simulation/simulationFailure.ts'
export { TestLogger, type LogLine } from './kit/testLogger.ts'
export { TestProcess, type CrashPoint, type TestProcessOptions } from './world/testProcess.ts'
export {
  record,
  testTopic,
  type TestItem,
  type TestRecordFields,
  type TestTopic,
  type TestTopics,
} from './kit/testSource.ts'
export { TestWorld, type ProcessEnd, type TestWorldOptions, type WorldRunOptions } from './world/testWorld.ts'
