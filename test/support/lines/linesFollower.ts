import { closeSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { TidemarkError } from '../../../src/core/errors.ts'
import {
  judgeEpoch,
  recordOf,
  type FollowedEpoch,
  type FollowedSink,
  type Follower,
  type FollowerRecord,
  type RefusedRow,
} from '../../../src/core/ports/follower.ts'

/**
 * Writes rows as lines to a file for each task, exactly once: behind the lines of an epoch stands its record. What stands
 * behind the last record was being written when its process died, and is written anew.
 */
export class LinesFollower implements Follower {
  readonly name = 'lines'
  readonly #directory: string
  readonly #takes: (row: Buffer) => boolean

  constructor(directory: string, takes: (row: Buffer) => boolean = isLine) {
    this.#directory = directory
    this.#takes = takes
  }

  async connect(): Promise<void> {
    mkdirSync(this.#directory, { recursive: true })
  }

  async close(): Promise<void> {}

  async record(sink: FollowedSink): Promise<FollowerRecord | null> {
    return readLines(linesOf(this.#directory, sink)).record
  }

  async write(sink: FollowedSink, epoch: FollowedEpoch): Promise<readonly RefusedRow[]> {
    const refused = epoch.rows.flatMap((row, index) => (this.#takes(row) ? [] : [{ index, error: notALine() }]))
    const path = linesOf(this.#directory, sink)
    const { record, end } = readLines(path)
    if (judgeEpoch(record, sink, epoch) === 'done') return refused
    const lines = epoch.rows.filter((row) => this.#takes(row)).map((row) => `${row.toString()}\n`)
    const file = openSync(path, 'a')
    try {
      ftruncateSync(file, end)
      writeSync(file, `${lines.join('')}#${JSON.stringify(recordOf(epoch))}\n`)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    return refused
  }
}

/** The file of a sink of one task. */
export function linesOf(directory: string, { job, group, partition, sink }: FollowedSink): string {
  return join(directory, `${job}-${group}-${String(partition)}-${sink}`)
}

/** The lines that count, and the record behind them. */
export function readLines(path: string): {
  readonly lines: readonly string[]
  readonly record: FollowerRecord | null
  readonly end: number
} {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    return { lines: [], record: null, end: 0 }
  }
  const whole = text.slice(0, text.lastIndexOf('\n') + 1).split('\n')
  const last = whole.findLastIndex((line) => line.startsWith('#'))
  const counted = whole.slice(0, last + 1)
  const record = last < 0 ? null : (JSON.parse(whole[last]?.slice(1) ?? '') as FollowerRecord)
  return {
    lines: counted.filter((line) => !line.startsWith('#')),
    record,
    end: Buffer.byteLength(counted.map((line) => `${line}\n`).join('')),
  }
}

function isLine(row: Buffer): boolean {
  return !row.includes('\n') && !row.toString().startsWith('#')
}

function notALine(): TidemarkError {
  return new TidemarkError('row-refused', 'It is no line: it has a line break, or begins with #')
}
