import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { TidemarkError } from '../../../src/core/errors.ts'
import { sleep } from '../../../src/core/ports/clock.ts'
import type { FollowedEpoch, Follower } from '../../../src/core/ports/follower.ts'
import { ManualClock } from '../../../src/testing/world/manualClock.ts'
import { followerConformance } from '../../conformance/follower.ts'
import { sink } from '../../support/followedTask.ts'
import { LinesFollower, linesOf, readLines } from '../../support/lines/linesFollower.ts'

followerConformance('lines of a file', async () => {
  const clock = new ManualClock(1_700_000_000_000)
  const directory = mkdtempSync(join(tmpdir(), 'lines-'))
  const path = linesOf(directory, sink)
  let [down, latencyMs] = [false, 0]
  let refused: string | null = null
  return {
    clock,
    async open(process): Promise<Follower> {
      const lines = new LinesFollower(directory, (row) => row.toString() !== refused)
      await lines.connect()
      const reached = <T>(call: string, act: () => Promise<T>): Promise<T> =>
        process.call(call, async () => {
          if (latencyMs > 0) await sleep(clock, latencyMs)
          if (down) throw new TidemarkError('system-unreachable', 'The disk is gone.')
          return act()
        })
      return {
        name: lines.name,
        connect: () => lines.connect(),
        close: () => lines.close(),
        record: (of) => reached('follower.record', () => lines.record(of)),
        write: (of, epoch) => reached('follower.write', () => lines.write(of, epoch)),
      }
    },
    rows: () => Promise.resolve(readLines(path).lines),
    setDown: (now) => {
      down = now
    },
    setLatency: (ms) => {
      latencyMs = ms
    },
    refuse: (text) => {
      refused = text
    },
    rollBack(epochs) {
      const lines = readFileSync(path, 'utf8').split('\n')
      const records = lines.flatMap((line, index) => (line.startsWith('#') ? [index] : []))
      const last = records.at(-1 - epochs) ?? -1
      writeFileSync(
        path,
        lines
          .slice(0, last + 1)
          .map((line) => `${line}\n`)
          .join(''),
      )
    },
    close: () => {
      rmSync(directory, { recursive: true, force: true })
      return Promise.resolve()
    },
  }
})

test('lines that were being written when the process died are written anew', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'lines-'))
  const path = linesOf(directory, sink)
  const follower = new LinesFollower(directory)
  const epochOf = (epoch: number, ...rows: string[]): FollowedEpoch => ({
    epoch,
    nonce: 'nonce',
    lineage: 'lineage',
    baseMicros: 0,
    rows: rows.map((row) => Buffer.from(row)),
    previous: null,
    tickedOff: null,
  })
  await follower.write(sink, epochOf(1, 'a', 'b'))
  const whole = readFileSync(path, 'utf8')
  await follower.write(sink, epochOf(2, 'c', 'd'))
  const longer = readFileSync(path, 'utf8')
  for (let end = whole.length; end < longer.length; end += 1) {
    writeFileSync(path, longer.slice(0, end))
    expect(readLines(path).lines).toEqual(['a', 'b'])
    await follower.write(sink, epochOf(2, 'c', 'd'))
    expect(readLines(path).lines).toEqual(['a', 'b', 'c', 'd'])
  }
  rmSync(directory, { recursive: true })
})
