import { logBlockBytes, LogScan, type LogBreak } from './logScan.ts'
import { batchHead, batchHeadBytes } from './writeBatch.ts'
import type { LevelDamage } from './diskBytes.ts'

/** What MANIFEST and tables say about the logs. */
export interface LogBounds {
  /** The newest write that the MANIFEST knows of: the logs begin behind it at the latest, and reach it. */
  readonly lastSequence: number
  /** The newest write that is known to stand in a table; the logs begin behind it. */
  readonly tableSequence: number
}

export interface LogFindings {
  readonly damages: readonly LevelDamage[]
  /**
   * The last batch of writes is not whole: the file ends within it, or pages of it are missing, or the log ends before a
   * write that the MANIFEST knows of. A crash in the middle of a write leaves that, and LevelDB leaves the batch out; after
   * writes that were synced only damage does.
   */
  readonly tornTail: LevelDamage | null
  /**
   * In `damages`, and perhaps no damage: the last batch begins with the last bytes of a page, and they are zeros. A page that
   * was not written leaves that, and so may chance.
   */
  readonly perhapsTorn: LevelDamage | null
  /** The newest write that is whole. Each write of a batch has a number, and each number was given once. */
  readonly lastSequence: number
}

/**
 * All live `.log` files as one sequence of batches: each file is whole, each batch follows the one before without a gap, also
 * from file to file, and the last one may be torn. Pure: the simulation holds its disk against the same.
 */
export class LogChain {
  readonly #bounds: LogBounds
  readonly #blockBytes: number
  readonly #damages: LevelDamage[] = []
  #file = ''
  #scan: LogScan | null = null
  /** The first thing wrong in this file. */
  #wrong: LevelDamage | null = null
  #torn: LevelDamage | null = null
  #perhapsTorn: LevelDamage | null = null
  #next: number | null = null
  #end: { readonly file: string; readonly offset: number } | null = null
  #fileBytes = 0

  constructor(bounds: LogBounds, blockBytes = logBlockBytes) {
    this.#bounds = bounds
    this.#blockBytes = blockBytes
  }

  /** The files in the order of their numbers. */
  begin(file: string): void {
    this.#file = file
    this.#fileBytes = 0
    this.#wrong = null
    this.#scan = new LogScan({
      blockBytes: this.#blockBytes,
      keepBytes: batchHeadBytes,
      take: (offset, head) => this.#take(offset, head),
    })
  }

  push(block: Buffer): void {
    this.#fileBytes += block.length
    this.#scan?.push(block)
  }

  finish(): void {
    const broken = this.#scan?.end() ?? null
    this.#end = { file: this.#file, offset: this.#fileBytes }
    if (this.#wrong !== null) this.#damages.push(this.#wrong)
    else if (broken !== null) this.#note(broken)
  }

  findings(): LogFindings {
    const { lastSequence, tableSequence } = this.#bounds
    const reached = this.#next === null ? Math.max(lastSequence, tableSequence) : this.#next - 1
    if (this.#torn === null && this.#damages.length === 0 && this.#next !== null && reached < lastSequence) {
      const reason = `the log ends with write ${String(reached)}, and ${String(lastSequence)} had been written`
      this.#torn = { ...(this.#end ?? { file: this.#file, offset: 0 }), reason }
    }
    const perhapsTorn = this.#damages.length === 1 && this.#torn === null ? this.#perhapsTorn : null
    return { damages: this.#damages, tornTail: this.#torn, perhapsTorn, lastSequence: reached }
  }

  #take(offset: number, bytes: Buffer): void {
    if (this.#wrong !== null) return
    const wrong = (reason: string): void => {
      this.#wrong = { file: this.#file, offset, reason }
    }
    if (this.#torn !== null) {
      // What is behind a tear was written after it: not the end of the last write.
      this.#damages.push(this.#torn)
      this.#torn = null
    }
    this.#perhapsTorn = null
    const head = batchHead(bytes)
    if (head === null) {
      wrong('a batch has no head')
      return
    }
    const { lastSequence, tableSequence } = this.#bounds
    if (this.#next !== null && head.sequence !== this.#next) {
      wrong(`write ${String(head.sequence)} follows where ${String(this.#next)} should`)
    } else if (this.#next === null && head.sequence > lastSequence + 1) {
      wrong(
        `the log begins with write ${String(head.sequence)}, and the tables end with ${String(lastSequence)} at the latest`,
      )
    } else if (this.#next === null && head.sequence <= tableSequence) {
      wrong(`the log begins with write ${String(head.sequence)}, and the tables hold ${String(tableSequence)}`)
    } else this.#next = head.sequence + head.count
  }

  #note({ offset, reason, torn, perhapsTorn }: LogBreak): void {
    const damage = { file: this.#file, offset, reason }
    if (perhapsTorn) this.#perhapsTorn = damage
    if (!torn) this.#damages.push(damage)
    else this.#torn ??= damage
  }
}
