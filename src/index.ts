/** The public interface of Tidemark: what a job file imports from 'tidemark'. */

// Defining and running jobs
export {
  defineJob,
  type Job,
  type JobDefinition,
  type ExplainInput,
  type ExplanationBlock,
  type JobSummary,
  type OutputExample,
  type Sample,
  type SampleOptions,
  type SampleRecord,
  type SummaryInput,
  type Tally,
  type TextStyle,
} from './runtime/plan/defineJob.ts'
export { runMain } from './cli/runMain.ts'
export type { RestartPolicy } from './runtime/task/restart.ts'

// Operators
export { asyncLookup, type AsyncLookupOptions, type LookedUp, type LookupFunction } from '../operators/asyncLookup.ts'
export { cassandraRow } from '../operators/cassandraRow.ts'
export { decodeJson, type DecodeJsonOptions, type JsonKey } from '../operators/decodeJson.ts'
export { filterValue } from '../operators/filterValue.ts'
export { fromKafka, type FromKafkaOptions } from '../operators/fromKafka.ts'
export { mapValue } from '../operators/mapValue.ts'
export { mapWithState } from '../operators/mapWithState.ts'
export { sha256Hash } from '../operators/sha256Hash.ts'
export { sideOutput } from '../operators/sideOutput.ts'
export {
  toKafka,
  toKafkaTransactional,
  type ToKafkaOptions,
  type ToKafkaTransactionalOptions,
} from '../operators/toKafka.ts'

// Settings of a job
export { setting, type SettingSpec, type SettingSpecs, type SettingsOf } from './core/setting.ts'
export { bytes, choice, durationMs, either, flag, hostPorts, integer, text } from './core/settingCodecs.ts'

// What flows through a pipeline
export { StreamRecord, type Header, type RecordPosition } from './core/record.ts'
export { DeadLetter } from './core/deadLetter.ts'
export {
  committedOffsets,
  earliest,
  fromOffsets,
  fromTimestamp,
  latest,
  startMode,
  type StartMode,
} from './core/startMode.ts'
export type { PipelineContext, SideOutput } from './core/context.ts'
export type { LookupClient, LookupOutcome, LookupTurn } from './core/ports/lookup.ts'
export type { Guarantee } from './core/ports/outputs.ts'
export { TidemarkError, errorCodes, type ErrorCode, type ErrorKind } from './core/errors.ts'

// For operators of one's own
export { operate, type Operation } from './core/operate.ts'
export { refuseTo, type RefuseRecord } from './core/stepOptions.ts'
export {
  operatorContext,
  type FollowSpec,
  type FollowerSink,
  type OperatorContext,
  type Step,
  type StepSpec,
} from './core/context.ts'
export {
  judgeEpoch,
  recordOf,
  type FollowedEpoch,
  type FollowedSink,
  type Follower,
  type FollowerRecord,
  type RefusedRow,
} from './core/ports/follower.ts'
export { Port, type Resource } from './core/ports/port.ts'
export type { KeyedState, StateCodec } from './core/ports/keyedState.ts'

// Systems of a job's own
export {
  defineSystem,
  provided,
  type System,
  type SystemDefinition,
  type SystemEnvironment,
} from './core/ports/system.ts'
export type { Finding } from './core/finding.ts'

// Bytes and values
export { JsonNumber } from './codecs/json/jsonNumber.ts'
export { jsonRecord, present } from './codecs/json/jsonCodecs.ts'
export { parseJson } from './codecs/json/parseJson.ts'
export { memberSource } from './codecs/json/memberSource.ts'
export { visible } from './core/visible.ts'
export { sha256Hex } from './codecs/sha256.ts'
export { columnTexts, compareWithRow, type Row, type RowComparison } from './tables/row.ts'
export { requestedKey, rowLookupPort, type RowLookup, type RowRequest } from './tables/rowLookup.ts'
export type { TableSchema } from './tables/tableSchema.ts'
