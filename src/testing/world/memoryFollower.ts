import { sleep } from '../../core/ports/clock.ts'
import { TidemarkError } from '../../core/errors.ts'
import {
  judgeEpoch,
  recordOf,
  type FollowedEpoch,
  type FollowedSink,
  type Follower,
  type FollowerRecord,
  type RefusedRow,
} from '../../core/ports/follower.ts'
import { Port } from '../../core/ports/port.ts'
import type { OutputRecord } from '../../core/record.ts'
import type { TestProcess } from './testProcess.ts'

/** A row as it stands in a target. */
export interface TargetRow {
  readonly row: Buffer
  readonly timestampMicros: number
  readonly epoch: number
}

export interface MemoryTargetOptions {
  /**
   * `record` (default): rows and record in one transaction, as in a database. `timestamps`: no record, one row after the
   * other under its timestamp, as in a table of last writes: a process may die in between.
   */
  readonly keeps?: 'record' | 'timestamps'
}

interface SinkContent {
  readonly rows: readonly TargetRow[]
  readonly record: FollowerRecord | null
  /** By epoch, until it is ticked off. */
  readonly refused: ReadonlyMap<number, readonly RefusedRow[]>
}

const nothing: SinkContent = { rows: [], record: null, refused: new Map() }

/**
 * A system that followers write to, in memory: it stays when a process dies. What it is like can be changed at any moment:
 * down, refusing, slow, set back to an earlier state.
 */
export class MemoryTarget {
  readonly keepsRecord: boolean
  /** Nothing is answered while it is. */
  down = false
  /** Until a write is answered. */
  latencyMs = 0
  /** Why a row is not taken; null: it is. */
  refuses: (row: Buffer) => string | null = () => null
  readonly #sinks = new Map<string, SinkContent>()
  /** Of each sink: what it was before each of its epochs. */
  readonly #history = new Map<string, SinkContent[]>()

  constructor({ keeps = 'record' }: MemoryTargetOptions = {}) {
    this.keepsRecord = keeps === 'record'
  }

  /** What can be seen of one sink of one task. */
  rows(sink: FollowedSink): readonly TargetRow[] {
    return this.content(sink).rows
  }

  /** Of all tasks of a job's sink, by task. */
  rowsOf(job: string, uid: string): readonly TargetRow[] {
    return this.sinks
      .filter(({ sink }) => sink.job === job && sink.sink === uid)
      .toSorted((a, b) => a.sink.partition - b.sink.partition)
      .flatMap(({ rows }) => rows)
  }

  /** All that it has. */
  get sinks(): readonly { readonly sink: FollowedSink; readonly rows: readonly TargetRow[] }[] {
    return [...this.#sinks].map(([key, { rows }]) => {
      const [job, group, partition, sink] = JSON.parse(key) as [string, string, number, string]
      return { sink: { job, group, partition, sink }, rows }
    })
  }

  /** Forgets the last epochs of a sink, as a replica that lagged behind does when it takes over. */
  rollBack(sink: FollowedSink, epochs: number): void {
    const history = this.#history.get(keyOf(sink)) ?? []
    const before = history.splice(Math.max(0, history.length - epochs))[0]
    if (before !== undefined) this.#sinks.set(keyOf(sink), before)
  }

  content(sink: FollowedSink): SinkContent {
    return this.#sinks.get(keyOf(sink)) ?? nothing
  }

  /** Replaces what it has of a sink, as one transaction. */
  store(sink: FollowedSink, content: SinkContent): void {
    const key = keyOf(sink)
    this.#history.set(key, [...(this.#history.get(key) ?? []), this.content(sink)])
    this.#sinks.set(key, content)
  }

  /** A row under its timestamp: written again, it is the same row. */
  upsert(sink: FollowedSink, row: TargetRow): void {
    const content = this.content(sink)
    const others = content.rows.filter(({ timestampMicros }) => timestampMicros !== row.timestampMicros)
    const rows = [...others, row].sort((a, b) => a.timestampMicros - b.timestampMicros)
    this.#sinks.set(keyOf(sink), { ...content, rows })
  }
}

/** Under which the worlds in memory have their target. */
export const memoryTargetPort: Port<MemoryFollower> = new Port<MemoryFollower>('memory target')

/** A target in memory as one process writes to it. */
export class MemoryFollower implements Follower {
  readonly name = 'memory target'
  readonly record?: (sink: FollowedSink) => Promise<FollowerRecord | null>
  readonly #target: MemoryTarget
  readonly #process: TestProcess

  constructor(target: MemoryTarget, process: TestProcess) {
    this.#target = target
    this.#process = process
    if (target.keepsRecord) this.record = (sink) => this.#call('target.record', () => target.content(sink).record)
  }

  /** It connects when it writes, so that a job can start while the target is down. */
  connect(): Promise<void> {
    return Promise.resolve()
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  async write(sink: FollowedSink, epoch: FollowedEpoch): Promise<readonly RefusedRow[]> {
    if (this.#target.keepsRecord) return this.#call('target.write', () => this.#transact(sink, epoch))
    const { taken, refused } = this.#judge(epoch)
    for (const row of taken) {
      await this.#call('target.write', () => {
        this.#target.upsert(sink, row)
      })
    }
    return refused
  }

  #transact(sink: FollowedSink, epoch: FollowedEpoch): readonly RefusedRow[] {
    const { rows, record, refused: earlier } = this.#target.content(sink)
    if (judgeEpoch(record, sink, epoch) === 'done') return earlier.get(epoch.epoch) ?? []
    const { taken, refused } = this.#judge(epoch)
    const kept = [...earlier].filter(([of]) => of > (epoch.tickedOff ?? -1))
    this.#target.store(sink, {
      rows: [...rows, ...taken],
      record: recordOf(epoch),
      refused: new Map([...kept, [epoch.epoch, refused]]),
    })
    return refused
  }

  #judge({ rows, baseMicros, epoch }: FollowedEpoch): {
    readonly taken: readonly TargetRow[]
    readonly refused: readonly RefusedRow[]
  } {
    const taken: TargetRow[] = []
    const refused: RefusedRow[] = []
    for (const [index, row] of rows.entries()) {
      const why = this.#target.refuses(row)
      if (why === null) taken.push({ row, timestampMicros: baseMicros + index, epoch })
      else refused.push({ index, error: new TidemarkError('row-refused', why) })
    }
    return { taken, refused }
  }

  #call<T>(name: string, act: () => T): Promise<T> {
    const { latencyMs } = this.#target
    const answer = (): T => {
      if (this.#target.down) throw new TidemarkError('system-unreachable', 'The memory target is down.')
      return act()
    }
    if (latencyMs === 0) return this.#process.call(name, answer)
    return this.#process.call(name, () => sleep(this.#process.clock, latencyMs).then(answer))
  }
}

function keyOf({ job, group, partition, sink }: FollowedSink): string {
  return JSON.stringify([job, group, partition, sink])
}

/** A record as a row that a simulation can tell the origin of. */
export function recordAsRow({ key, value, headers }: Pick<OutputRecord, 'key' | 'value' | 'headers'>): Buffer {
  const text = (bytes: Buffer | null): string | null => bytes?.toString('base64') ?? null
  return Buffer.from(JSON.stringify([text(key), text(value), headers.map(([name, bytes]) => [name, text(bytes)])]))
}

/** Undoes `recordAsRow`. */
export function recordOfRow(row: Buffer): Pick<OutputRecord, 'key' | 'value' | 'headers'> {
  type Text = string | null
  const bytes = (text: Text): Buffer | null => (text === null ? null : Buffer.from(text, 'base64'))
  const [key, value, headers] = JSON.parse(row.toString()) as [Text, Text, [string, Text][]]
  return { key: bytes(key), value: bytes(value), headers: headers.map(([name, text]) => [name, bytes(text)]) }
}
