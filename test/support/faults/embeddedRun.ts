import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { EmbeddedStore } from '../../../src/connectors/embedded/store/embeddedStore.ts'
import { systemClock } from '../../../src/core/ports/clock.ts'
import type { Random } from '../../../src/core/ports/random.ts'
import type { StreamRecord } from '../../../src/core/record.ts'
import { emptyWatchFile, takenOffsets, watchFileVariable } from '../watchedJob.ts'
import { partitions, sum, type FaultedJob } from './faultRun.ts'
import { tableRows } from './faultServers.ts'
import { withFileLimit } from './fileLimit.ts'
import { messageOf, mistakesIn, seenOutput, spell, type SeenOutput } from './outputs.ts'

const launcher = path.resolve('src/cli/tidemark.js')

/** How a process ended. */
export interface EmbeddedEnd {
  readonly killed: boolean
  readonly code: number | null
  readonly complaint: string
  /** Of a watched job: records that it had taken in and not committed. */
  readonly uncommitted: number
}

/** What becomes of one process. */
export interface EmbeddedFate {
  /** Options of the command besides. */
  readonly args?: readonly string[]
  /** Writes beyond it fail as on a full disk; default: none do. */
  readonly maxFileBytes?: number
  /**
   * Of a watched job: it is killed -9 a random moment after it has taken a random number of records in, at most `records`:
   * counted in records and not in time, so that a fast machine is not done before the last kill.
   */
  readonly kill?: { readonly random: Random; readonly records: number }
}

/** One job on a data directory of its own, process by process: what `FaultRun` is on real servers. */
export class EmbeddedRun {
  readonly directory: string
  readonly #job: FaultedJob
  readonly #watchFile: string
  /** What was committed when the last process had ended. */
  #positions: readonly number[] = []

  constructor(directory: string, job: FaultedJob) {
    this.directory = path.join(directory, 'data')
    this.#job = job
    this.#watchFile = path.join(directory, 'taken')
  }

  /** Makes the table, and writes so many messages. Gives their names. */
  async begin(messages: number): Promise<readonly string[]> {
    const { input, message } = this.#job
    await this.withStore(async (store) => {
      await store.loadTable({
        keyspace: 'ks',
        table: 'items',
        columns: { id: 'int', name: 'text' },
        primaryKey: [['id'], []],
        rows: Array.from({ length: tableRows }, (_, id) => ({ id, name: `item ${String(id)}` })),
      })
      await store.append(
        Array.from({ length: messages }, (_, index) => {
          const [partition, n] = [index % partitions, Math.floor(index / partitions)]
          const { key, value } = message(`${String(partition)}:${String(n)}`, n)
          return {
            topic: input,
            partition,
            key: Buffer.from(key),
            value: Buffer.from(value),
            headers: [],
            timestamp: n,
          }
        }),
      )
    })
    // What was written goes from LevelDB's log into its tables when it is opened, here and not under a limit.
    await this.withStore(() => Promise.resolve())
    return namesUpTo(
      Array.from({ length: partitions }, (_, partition) => Math.ceil((messages - partition) / partitions)),
    )
  }

  /** Epochs are of a few records, so that there is always one to lose. */
  start({ args = ['--dashboard.port=0'], maxFileBytes }: EmbeddedFate = {}): ChildProcessByStdio<null, null, Readable> {
    writeFileSync(this.#watchFile, emptyWatchFile(partitions))
    const settings = ['--checkpoint.interval.ms=5', '--checkpoint.max.bytes=4096', ...args]
    const run = [launcher, 'run', this.#job.file, '--data-dir', this.directory, ...settings]
    const limited =
      maxFileBytes === undefined
        ? { command: process.execPath, args: run }
        : withFileLimit(maxFileBytes, process.execPath, run)
    return spawn(limited.command, limited.args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, [watchFileVariable]: this.#watchFile },
    })
  }

  /** Runs one process to its end. */
  async run(fate: EmbeddedFate = {}): Promise<EmbeddedEnd> {
    const child = this.start(fate)
    const ended = endOf(child)
    if (fate.kill !== undefined) {
      const enough = 1 + fate.kill.random.next() * fate.kill.records
      while (child.exitCode === null && this.#takenSince(this.#positions) < enough) await pause(1)
      // Anywhere in an epoch, its synced write included.
      await pause(fate.kill.random.next() * 10)
      child.kill('SIGKILL')
    }
    const end = await ended
    this.#positions = await this.committed()
    return { ...end, uncommitted: this.#takenSince(this.#positions) }
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
  committed(): Promise<readonly number[]> {
    return this.withStore((store) => this.#committedIn(store))
  }

  /** All outputs, and what is wrong with them: at any time they are those of the messages that the positions say. */
  look(): Promise<{ readonly outputs: readonly SeenOutput[]; readonly mistakes: readonly string[] }> {
    return this.withStore(async (store) => {
      const topics = await Promise.all(this.#job.outputs.map((topic) => readTopic(store, topic)))
      const outputs = topics.flat().map(seenOutput)
      const committed = namesUpTo(await this.#committedIn(store))
      const mistakes = mistakesIn(outputs, committed, { messageOf, show: spell, wrong: this.#job.expected })
      return { outputs, mistakes: mistakes.slice(0, 20) }
    })
  }

  async #committedIn(store: EmbeddedStore): Promise<readonly number[]> {
    const positions = Array.from({ length: partitions }, () => 0)
    for (const { topic, partition, offset } of await store.committedOffsets(this.#job.groupId)) {
      if (topic === this.#job.input) positions[partition] = offset
    }
    return positions
  }

  /** Records taken in by the process after the given positions. */
  #takenSince(positions: readonly number[]): number {
    const taken = takenOffsets(this.#watchFile)
    return sum(taken.map((offset, partition) => Math.max(0, offset - (positions[partition] ?? 0))))
  }
}

/** Resolves when a process has ended and all that it said is here. */
export async function endOf(
  child: ChildProcessByStdio<Writable | null, null, Readable>,
): Promise<Omit<EmbeddedEnd, 'uncommitted'>> {
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text))
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  return { killed: signal === 'SIGKILL', code, complaint }
}

/** All records of a topic that are committed, by partition and offset; none where there is no topic. */
export async function readTopic(store: EmbeddedStore, topic: string): Promise<readonly StreamRecord[]> {
  const records: StreamRecord[] = []
  for (const { partition, end } of store.topics.find(topic)?.partitions ?? []) {
    for (let from = 0; from < end;) {
      const page = await store.readPage({ topic, partition, from, limit: 10_000 })
      records.push(...page.records)
      from = page.next
    }
  }
  return records
}

/** The messages of each partition before its position. */
function namesUpTo(positions: readonly number[]): readonly string[] {
  return positions.flatMap((end, partition) =>
    Array.from({ length: end }, (_, n) => `${String(partition)}:${String(n)}`),
  )
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}
