import type { RecordPosition } from '../core/record.ts'
import type { StartMode } from '../core/startMode.ts'
import type { ResolvedSettings } from '../runtime/settings/resolvedSettings.ts'
import type { LoadedJob } from './loadJob.ts'

/** What `run` was asked for. */
export interface RunRequest {
  readonly loaded: LoadedJob
  readonly settings: ResolvedSettings
  /** False: a bounded run. */
  readonly follow: boolean
  readonly reset: StartMode | null
  /** Topics that were made anew and go on at their committed offsets. */
  readonly acceptTopics: readonly string[]
  /** Start although there is state that no step claims. */
  readonly allowDropped: boolean
  /** Inputs that the job had and goes on without. */
  readonly dropInputs: readonly string[]
  /** Where what cannot be read is passed. Shared log only. */
  readonly skips: readonly RecordPosition[]
  /** Clear the log first. Held log only. */
  readonly fresh: boolean
  /** Size of the generated sample; null: the bundled one. Held log only. */
  readonly records: number | null
  /** Worker processes on this machine; 1: this one does the work. Shared log only. */
  readonly parallelism: number
  /** A stop is followed by a start: the consumer group keeps the partitions for it. Shared log only. */
  readonly restarting: boolean
  /** False: --yes was given. */
  readonly ask: boolean
}
