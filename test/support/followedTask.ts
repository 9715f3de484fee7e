import type { FollowedSink, Follower } from '../../src/core/ports/follower.ts'
import { silentLogger } from '../../src/core/ports/logger.ts'
import { StreamRecord } from '../../src/core/record.ts'
import { TaskFollowers, type FollowersProgress } from '../../src/runtime/follower/taskFollowers.ts'
import { MemoryTopic } from '../../src/testing/world/memoryTopic.ts'
import { memoryWriteAheadLog } from '../../src/testing/world/memoryWriteAheadLog.ts'
import type { TestProcess } from '../../src/testing/world/testProcess.ts'

export const sink: FollowedSink = { job: 'test', group: 'source', partition: 0, sink: 'rows' }

/** What outlives the processes of a task: its write-ahead log, its last commit, and its dead letters. */
export class FollowedLog {
  partition = new MemoryTopic('test-source-wal').partition(0)
  lineage = 'lineage'
  epoch = 0
  floorMicros: number | null = null
  progress: FollowersProgress = new Map()
  readonly deadLetters: string[] = []
  /** What was committed, in order. */
  readonly rows: string[] = []
}

/** A task with one sink that follows, in one process: its epochs are nothing but rows. */
export class FollowedTask {
  readonly followers: TaskFollowers
  readonly #log: FollowedLog
  readonly #process: TestProcess
  #changed: () => void = () => undefined

  constructor(log: FollowedLog, process: TestProcess, follower: Follower, maxBytes = Infinity) {
    this.#log = log
    this.#process = process
    const { job, group, partition } = sink
    this.followers = new TaskFollowers({
      task: { job, group, partition },
      log: memoryWriteAheadLog(() => log.partition, process),
      followers: new Map([[sink.sink, { step: 'toTarget', follower, hasDeadLetters: true }]]),
      clock: process.clock,
      logger: silentLogger,
      maxBytes,
      epochBytes: Infinity,
      allowDropped: false,
      changed: () => {
        this.#changed()
      },
    })
  }

  async recover(): Promise<void> {
    const { progress, epoch } = this.#log
    this.followers.resume(await this.followers.adopt(progress), epoch)
  }

  /** Commits an epoch with these rows, and ticks off what stands in the target when it begins. */
  async commit(...rows: readonly string[]): Promise<void> {
    const log = this.#log
    const epoch = log.epoch + 1
    const sent: Buffer[] = []
    const nonce = `nonce-${String(this.#process.calls)}`
    const last = { epoch: log.epoch, lineage: log.lineage, followerBaseMicros: log.floorMicros }
    const attempt = this.followers.begin(last, nonce, {
      send: ({ value }) => {
        sent.push(value ?? Buffer.alloc(0))
      },
    })
    const letters = attempt.refused.map(({ origin, error }) => `${origin.raw?.toString() ?? ''}: ${error.message}`)
    for (const [index, row] of rows.entries()) {
      const bytes = Buffer.from(row)
      attempt.sink(sink.sink)?.send(bytes, new StreamRecord('input', 0, index, 0, null, [], bytes, bytes))
    }
    const { followerBaseMicros, followers } = attempt.finish()
    let isDone = false
    await this.#process.call('commit', () => {
      if (isDone) return
      isDone = true
      for (const bytes of sent) {
        log.partition.append({
          topic: 'test-source-wal',
          partition: 0,
          key: Buffer.from(sink.sink),
          value: bytes,
          headers: [],
          timestamp: 0,
        })
      }
      log.partition.skip(1)
      log.epoch = epoch
      log.floorMicros = followerBaseMicros
      log.progress = followers
      log.rows.push(...rows)
      log.deadLetters.push(...letters)
    })
    this.followers.committed(epoch, followers)
  }

  /** Waits until something can be ticked off. */
  async written(): Promise<void> {
    while (!this.followers.due) {
      if (this.followers.failure !== null) throw this.followers.failure
      await new Promise<void>((resolve) => {
        this.#changed = resolve
      })
    }
  }

  /** Commits epochs without rows until all stands in the target and is ticked off. */
  async settle(): Promise<void> {
    while (!this.followers.settled) {
      await this.written()
      await this.commit()
    }
  }
}
