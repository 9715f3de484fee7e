import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import type { StateCodec } from '../../src/core/ports/keyedState.ts'
import type { CommitMetadata } from '../../src/core/ports/task.ts'
import type { TaskLog } from '../../src/core/ports/taskLog.ts'
import type { TaskState } from '../../src/core/ports/taskState.ts'
import { lineageEntry } from '../../src/state/changelogRecords.ts'
import { MemoryStateDisk, MemoryStateStore } from '../../src/state/memoryStateStore.ts'
import type { RestoreOutcome } from '../../src/state/restore.ts'
import { openTaskState } from '../../src/state/taskState.ts'
import { ManualClock } from '../../src/testing/world/manualClock.ts'
import { openMemoryJobLog } from '../../src/testing/world/memoryJobLog.ts'
import { MemoryLog } from '../../src/testing/world/memoryLog.ts'
import { TestProcess } from '../../src/testing/world/testProcess.ts'
import { commitMetadata } from '../support/commitMetadata.ts'
import { at } from '../support/positions.ts'

const numbers: StateCodec<number> = {
  encode: (value) => Buffer.from(String(value)),
  decode: (bytes) => Number(bytes.toString()),
}

/** What a write of an epoch does to a key; null deletes it. */
interface Write {
  readonly key: string
  readonly value: number | null
}

/** One task, run by hand as the runtime runs it, with a process that can be replaced at any step. */
class Task {
  readonly log = new MemoryLog()
  readonly restores: RestoreOutcome[] = []
  readonly #clock = new ManualClock()
  #disk = new MemoryStateDisk()
  #attempts = 0
  committed: CommitMetadata | null = null
  taskLog: TaskLog | null = null
  state: TaskState | null = null

  /** A new process: it finds the disk, or an empty one, and recovers. */
  async start(diskLost = false): Promise<void> {
    if (diskLost) this.#disk = new MemoryStateDisk()
    this.log.ensureTopic('input')
    const jobLog = await openMemoryJobLog(
      this.log,
      {
        job: 'job',
        group: 'source',
        groupId: 'group',
        inputs: [{ kind: 'topics', topics: ['input'] }],
        outputs: [],
        transactionalIdPrefix: 'job',
        copartitioned: true,
      },
      new TestProcess({ clock: this.#clock }),
    )
    await jobLog.join({
      assigned: (log) => (this.taskLog = log),
      rebalancing: () => Promise.resolve(),
      revoked: () => Promise.resolve(),
      failed: () => undefined,
    })
    await this.#log().commitLog.fence()
    this.state = await openTaskState(new MemoryStateStore(this.#disk), this.#clock, {
      restored: (outcome) => this.restores.push(outcome),
    })
    if (this.committed === null) await this.#commit(0, [lineageEntry({ lineage: 'l', generation: 0 })])
    await this.state.restore(this.#log().changelog, this.committed)
  }

  /** One epoch attempt; `after` says how far it gets. */
  async epoch(writes: readonly Write[], until: 'abort' | 'commit' | 'apply'): Promise<void> {
    const state = this.#state()
    const attempt = state.begin({ lineage: 'l', generation: 0 })
    const keyed = attempt.keyed('count', numbers)
    for (const { key, value } of writes) {
      if (value === null) keyed.delete(Buffer.from(key))
      else keyed.set(Buffer.from(key), value)
    }
    if (until === 'abort') return
    const delta = attempt.delta()
    const metadata = await this.#commit((this.committed?.epoch ?? 0) + 1, delta)
    if (until === 'apply') await state.apply(delta, metadata)
  }

  read(key: string): number | undefined {
    return this.#state().begin({ lineage: 'l', generation: 0 }).keyed('count', numbers).get(Buffer.from(key))
  }

  async #commit(epoch: number, delta: Parameters<TaskState['apply']>[0]): Promise<CommitMetadata> {
    const transaction = this.#log().commitLog.begin()
    this.#attempts += 1
    const metadata = commitMetadata({
      epoch,
      nonce: String(this.#attempts),
      lineage: 'l',
      partitionCounts: { input: 1 },
      changelogEnd: await transaction.prepare(delta),
    })
    await transaction.commit(at({ input: epoch }), metadata)
    this.committed = metadata
    return metadata
  }

  #log(): TaskLog {
    if (this.taskLog === null) throw new Error('the task was not started')
    return this.taskLog
  }

  #state(): TaskState {
    if (this.state === null) throw new Error('the task was not started')
    return this.state
  }
}

const writes = fc.array(
  fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd'), value: fc.option(fc.integer(), { nil: null }) }),
  { maxLength: 6 },
)
/** What an epoch ends with; after a crash a new process starts, with the disk of the last one or without. */
const ends = fc.constantFrom('abort', 'apply', 'crash before commit', 'crash after commit', 'disk lost after commit')

describe('openTaskState', () => {
  property.prop([fc.array(fc.tuple(writes, ends), { maxLength: 12 })])(
    'over any commits, aborts and crashes the state equals a replay of the committed deltas',
    async (epochs) => {
      const task = new Task()
      await task.start()
      const model = new Map<string, number>()
      for (const [delta, end] of epochs) {
        if (end === 'abort' || end === 'crash before commit') await task.epoch(delta, 'abort')
        else {
          await task.epoch(delta, end === 'apply' ? 'apply' : 'commit')
          for (const { key, value } of delta) {
            if (value === null) model.delete(key)
            else model.set(key, value)
          }
        }
        if (end !== 'abort' && end !== 'apply') await task.start(end === 'disk lost after commit')
        for (const key of ['a', 'b', 'c', 'd']) expect(task.read(key), `${key} after ${end}`).toBe(model.get(key))
      }
    },
  )

  test('a crash between commit and apply is made good from the changelog, without reading all of it', async () => {
    const task = new Task()
    await task.start()
    await task.epoch([{ key: 'a', value: 1 }], 'apply')
    await task.epoch([{ key: 'a', value: 2 }], 'commit')
    await task.start()
    expect(task.read('a')).toBe(2)
    expect(task.restores.at(-1)).toMatchObject({ plan: { from: 2 }, entries: 1 })
  })

  test('after an apply the next start reads nothing', async () => {
    const task = new Task()
    await task.start()
    await task.epoch([{ key: 'a', value: 1 }], 'apply')
    await task.start()
    expect(task.restores.at(-1)).toMatchObject({ plan: 'current' })
    expect(task.read('a')).toBe(1)
  })

  test('a new attempt, a restore and the end make the state of the last attempt stale', async () => {
    const task = new Task()
    await task.start()
    const { state, taskLog } = task
    if (state === null || taskLog === null) throw new Error('not started')
    const lineage = { lineage: 'l', generation: 0 }
    const stale = expect.objectContaining({ code: 'stale-context' })
    const key = Buffer.from('a')
    const first = state.begin(lineage).keyed('count', numbers)
    const second = state.begin(lineage).keyed('count', numbers)
    expect(() => first.get(key)).toThrow(stale)
    expect(second.get(key)).toBeUndefined()
    await state.restore(taskLog.changelog, task.committed)
    expect(() => second.get(key)).toThrow(stale)
    const third = state.begin(lineage).keyed('count', numbers)
    await state.close()
    expect(() => third.get(key)).toThrow(stale)
  })

  test('with nothing committed the store is wiped', async () => {
    const task = new Task()
    await task.start()
    await task.epoch([{ key: 'a', value: 1 }], 'apply')
    if (task.taskLog === null) throw new Error('not started')
    await task.state?.restore(task.taskLog.changelog, null)
    expect(task.read('a')).toBeUndefined()
  })
})
