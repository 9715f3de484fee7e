import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import type { SeenOutput } from './outputs.ts'

export interface ReaderRequest {
  readonly want: 'counts' | 'outputs'
}

export interface ReaderReport {
  /** Different messages that have an output. */
  readonly seen: number
  /** Messages with two, and where; the first twenty. */
  readonly doubled: readonly string[]
  /** Why reading has ended, for partitions where it has. */
  readonly failures: readonly string[]
  readonly outputs: readonly SeenOutput[]
}

/** The process of `committedReader.ts`. */
export class LiveReader {
  readonly #child: ChildProcess
  readonly #died: Promise<never>
  #turn: Promise<unknown> = Promise.resolve()

  constructor(bootstrap: string, partitions: number, topics: readonly string[]) {
    this.#child = fork(
      path.resolve('test/support/faults/committedReader.ts'),
      [bootstrap, String(partitions), ...topics],
      {
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      },
    )
    this.#died = once(this.#child, 'exit').then(([code]) => {
      throw new Error(`The reader's process has ended (${String(code)})`)
    })
    // Who asks is told.
    this.#died.catch(() => undefined)
  }

  report(want: ReaderRequest['want'] = 'counts'): Promise<ReaderReport> {
    const asked = this.#turn.then(async () => {
      const answered = once(this.#child, 'message')
      this.#child.send({ want } satisfies ReaderRequest)
      const [report] = (await Promise.race([answered, this.#died])) as [ReaderReport]
      return report
    })
    this.#turn = asked.catch(() => undefined)
    return asked
  }

  close(): void {
    this.#child.kill('SIGKILL')
  }
}
