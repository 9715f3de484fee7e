import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { EmbeddedStore } from '../../src/connectors/embedded/store/embeddedStore.ts'
import { systemClock } from '../../src/core/ports/clock.ts'
import type { Random } from '../../src/core/ports/random.ts'
import type { StreamRecord } from '../../src/core/record.ts'
import { emptyWatchFile, takenOffsets, watchFileVariable } from './watchedJob.ts'

const launcher = path.resolve('src/cli/tidemark.js')
const partitions = 4

/** How a process ended. */
export interface ProcessEnd {
  readonly killed: boolean
  readonly code: number | null
  /** Records that it had taken in and not committed. */
  readonly uncommitted: number
}

/** A watched job on a data directory of its own, run process by process. */
export class KilledJob {
  readonly directory: string
  readonly #job: string
  readonly #topic: string
  readonly #group: string
  readonly #watchFile: string
  readonly #recordsPerKill: number
  /** What was committed when the last process had ended. */
  #positions: readonly number[] = []

  constructor(options: {
    readonly directory: string
    readonly job: string
    readonly topic: string
    readonly group: string
    readonly recordsPerKill: number
  }) {
    this.directory = path.join(options.directory, 'data')
    this.#job = options.job
    this.#topic = options.topic
    this.#group = options.group
    this.#recordsPerKill = options.recordsPerKill
    this.#watchFile = path.join(options.directory, 'taken')
  }

  /**
   * Runs one process. With `random`, it is killed -9 a random moment after it has taken a random number of records in,
   * at most `recordsPerKill`: counted in records and not in time, so that a fast machine is not done before the last kill.
   */
  async run(random: Random | null, args: readonly string[] = []): Promise<ProcessEnd> {
    writeFileSync(this.#watchFile, emptyWatchFile(partitions))
    // Epochs of a few records, so that there is always one to lose.
    const settings = ['--checkpoint.interval.ms=5', '--checkpoint.max.bytes=4096', '--dashboard.port=0']
    const child = spawn(
      process.execPath,
      [launcher, 'run', this.#job, '--data-dir', this.directory, ...settings, ...args],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { ...process.env, [watchFileVariable]: this.#watchFile },
      },
    )
    let complaint = ''
    child.stderr.on('data', (text) => (complaint += String(text)))
    const exit = once(child, 'exit')
    if (random !== null) await this.#killMidEpoch(child, random)
    const [code, signal] = await exit
    const killed = signal === 'SIGKILL'
    if (!killed && code !== 0) throw new Error(`The job ended with ${String(code)}: ${complaint}`)
    this.#positions = await this.committed()
    return { killed, code: typeof code === 'number' ? code : null, uncommitted: this.#takenSince(this.#positions) }
  }

  async withStore<T>(act: (store: EmbeddedStore) => Promise<T>): Promise<T> {
    const store = await EmbeddedStore.open(path.join(this.directory, 'log'), { clock: systemClock })
    try {
      return await act(store)
    } finally {
      await store.close()
    }
  }

  /** Committed positions of the input, by partition. */
  async committed(): Promise<readonly number[]> {
    const offsets = await this.withStore((store) => store.committedOffsets(this.#group))
    const positions = Array.from({ length: partitions }, () => 0)
    for (const { topic, partition, offset } of offsets) if (topic === this.#topic) positions[partition] = offset
    return positions
  }

  async #killMidEpoch(child: ChildProcess, random: Random): Promise<void> {
    const enough = 1 + random.next() * this.#recordsPerKill
    while (child.exitCode === null && this.#takenSince(this.#positions) < enough) await pause(1)
    // Anywhere in an epoch, its synced write included.
    await pause(random.next() * 10)
    child.kill('SIGKILL')
  }

  /** Records taken in by the process after the given positions. */
  #takenSince(positions: readonly number[]): number {
    const taken = takenOffsets(this.#watchFile)
    return taken.reduce((sum, offset, partition) => sum + Math.max(0, offset - (positions[partition] ?? 0)), 0)
  }
}

/** All records of a topic that are committed, by partition and offset; none where there is no topic. */
export async function readTopic(store: EmbeddedStore, topic: string): Promise<StreamRecord[]> {
  const topics = await store.listTopics()
  if (!topics.some(({ name }) => name === topic)) return []
  const records: StreamRecord[] = []
  for (let partition = 0; partition < partitions; partition += 1) {
    for (let from = 0, end = 1; from < end;) {
      const page = await store.readPage({ topic, partition, from, limit: 10_000 })
      records.push(...page.records)
      from = page.next
      end = page.end
    }
  }
  return records
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}
