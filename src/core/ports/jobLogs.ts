import type { TidemarkError } from '../errors.ts'
import type { OutputRecord } from '../record.ts'
import type { JobLog, JobLogSpec } from './jobLog.ts'
import { Port, type Resource } from './port.ts'

/** A directory of this process's own among those of the job, held until the process ends. */
export interface ProcessDirectory {
  readonly number: number
  /** An id by which the process in this directory is known again after its death. */
  lastingId(): Promise<string>
}

/** What a job's log knows of the process that opens it. */
export interface LogProcess {
  /** Host and process id, for whoever meets this process in its group. */
  readonly name: string
  /** Where this process answers questions about itself; null: nowhere. */
  readonly controlAddress: string | null
  /** The directory for local state in `place`; rejects where there can be none. */
  directory(place: string): Promise<ProcessDirectory>
  /** How far the local state of each task is, by changelog offset. */
  localStores(): ReadonlyMap<number, number>
}

/** A job's log, and what its local state has to know of it. */
export interface OpenedJobLog {
  readonly log: JobLog
  /** Name of the directory for local state below `data.dir`. */
  readonly place: string
  /** True where several processes share the log, each with a directory of its own. */
  readonly shared: boolean
  /** Deletions stay in the changelog so long. */
  readonly changelogRetentionMs: number
}

/** What a new log begins with. */
export interface LogSample {
  /** In order; may be generated as it is read. */
  readonly records: Iterable<OutputRecord>
  /** Parsed table definitions with their rows. */
  readonly tables: readonly unknown[]
}

/** A log that one process holds, on this machine. What only such a log can do. */
export interface HeldLog {
  /** Of the data directory: absolute, and no link. */
  readonly path: string
  isEmpty(): boolean
  /** What `clear` deletes, each with its kind and its size. */
  contents(): Promise<readonly string[]>
  /** Deletes all topics, tables and local state. Gives what was left because it is not Tidemark's. */
  clear(): Promise<readonly string[]>
  /** Fills an empty log with all of a sample or nothing. */
  loadSample(sample: LogSample): Promise<void>
  /** Answers commands of other processes from now on. */
  serve(): Promise<void>
}

/** Where jobs have their logs. `connect` takes what a running job needs for itself alone. */
export interface JobLogs extends Resource {
  open(spec: JobLogSpec, process: LogProcess): Promise<OpenedJobLog>
  /** After `connect`; null where processes share the log. */
  readonly held: HeldLog | null
  /** Rejects with `group-in-use` while a process works from the positions of the group. Absent in a held log. */
  refuseLiveGroup?(groupId: string): Promise<void>
  /** As in `JobEnvironment`. */
  onFailure?(failed: (error: TidemarkError) => void): () => void
}

/** Under it a world has the commit log of its jobs: their topics, transactions and changelogs. */
export const jobLogPort: Port<JobLogs> = new Port<JobLogs>('log')
