import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EmbeddedStore } from '../../../src/connectors/embedded/store/embeddedStore.ts'
import { inspectStore } from '../../../src/connectors/embedded/damage/verifyStore.ts'
import { systemClock } from '../../../src/core/ports/clock.ts'
import { defineJob, fromKafka, sideOutput, toKafka, type DeadLetter, type Job } from '../../../src/index.ts'
import { ABORT, EOF, PAUSE, runJob, testTopic, type JobRun } from '../../../src/testing/index.ts'
import { readLines } from '../../support/lines/linesFollower.ts'
import { toLines } from '../../support/lines/toLines.ts'
import { startOnStore } from '../../support/startOnStore.ts'

describe('a job that writes lines to files', () => {
  let directory: string
  let job: Job

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'lines-'))
    job = defineJob({
      name: 'lines',
      pipeline(context) {
        const bad = sideOutput<DeadLetter>(context, 'bad')
        const lines$ = fromKafka(context, { topic: 'input', groupId: 'lines' }).pipe(
          toLines(context, { uid: 'lines', directory, onError: bad }),
          toKafka(context, { topic: 'copy' }),
        )
        return [lines$, bad.records$.pipe(toKafka(context, { topic: 'bad' }))]
      },
    })
  })
  afterEach(() => {
    rmSync(directory, { recursive: true, force: true })
  })

  const written = (): readonly string[] =>
    readdirSync(directory)
      .toSorted()
      .flatMap((name) => readLines(join(directory, name)).lines)

  test('has written all of them when a bounded run ends', async () => {
    const run = await runJob(job, { topics: { input: ['a', 'b', 'c'] } })
    expect(written()).toEqual(['a', 'b', 'c'])
    expect(run.topic('copy').text).toEqual(['a', 'b', 'c'])
  })

  test('writes a line for each committed record once, whatever dies', async () => {
    const items = ['a', 'b', ABORT, 'c', PAUSE(2_000), 'd', '#no line', 'e', ABORT, 'f', EOF, 'g', ABORT, 'h']
    const run = await runJob(job, {
      topics: [testTopic('input', items)],
      settings: { 'checkpoint.interval.ms': '500' },
    })
    expect(written()).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
    await run.resume()
    expect(written()).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'])
    expect(run.deadLetters.map(({ code, originalMessage, source }) => [code, originalMessage, source])).toEqual([
      ['row-refused', '#no line', 'input 0@4'],
    ])
  })

  test('has every line once when it is killed at any call', async () => {
    const input = testTopic('input', ['a', 'b', PAUSE(1_000), '#bad', 'c'])
    let calls = 1
    for (const point of ['before', 'after'] as const) {
      for (let at = 0; at < calls; at += 1) {
        rmSync(directory, { recursive: true, force: true })
        calls = 0
        const run: JobRun = await runJob(job, {
          topics: [input],
          settings: { 'checkpoint.interval.ms': '500' },
          crashAt: (_call, index) => {
            calls = Math.max(calls, index + 1)
            return index === at ? point : null
          },
        })
        expect(written(), `killed ${point} call ${String(at)}`).toEqual(['a', 'b', 'c'])
        expect(run.topic('copy').text).toEqual(['a', 'b', '#bad', 'c'])
        expect(run.deadLetters.map(({ originalMessage }) => originalMessage)).toEqual(['#bad'])
      }
    }
    expect(calls).toBeGreaterThan(30)
  }, 60_000)

  test('stops at a line that is refused where there are no dead letters', async () => {
    const strict = defineJob({
      name: 'strict',
      pipeline: (context) =>
        fromKafka(context, { topic: 'input', groupId: 'lines' }).pipe(toLines(context, { uid: 'lines', directory })),
    })
    await expect(runJob(strict, { topics: { input: ['a', '#bad', 'b'] } })).rejects.toMatchObject({
      code: 'row-refused',
      message: expect.stringMatching(/^input 0@1: .* has no onError/) as unknown,
    })
  })

  test('writes all lines of an embedded topic, over several starts, and leaves a store that is whole', async () => {
    const store = await EmbeddedStore.open(join(directory, 'store'), { clock: systemClock, partitions: 2 })
    const lines = join(directory, 'lines')
    const embedded = defineJob({
      name: 'lines',
      pipeline: (context) =>
        fromKafka(context, { topic: 'input', groupId: 'lines' }).pipe(
          toLines(context, { uid: 'lines', directory: lines }),
        ),
    })
    const all: string[] = []
    for (let start = 0; start < 3; start += 1) {
      const texts = Array.from({ length: 2_000 }, (_, n) => `${String(start)}-${String(n)} ${'.'.repeat(600)}`)
      all.push(...texts)
      await store.append(
        texts.map((text) => ({
          topic: 'input',
          partition: null,
          key: Buffer.from(text),
          value: Buffer.from(text),
          headers: [],
          timestamp: 0,
        })),
      )
      await startOnStore(embedded, store).finished
      const found = readdirSync(lines).flatMap((name) => readLines(join(lines, name)).lines)
      expect(found.toSorted()).toEqual(all.toSorted())
    }
    // What was written and ticked off is gone from the write-ahead log.
    const { records } = await store.readPage({ topic: 'lines-source-wal', partition: 0, from: 0, limit: 1_000 })
    expect(records[0]?.offset ?? Infinity).toBeGreaterThan(0)
    await store.close()
    const inspection = await inspectStore(join(directory, 'store'))
    expect([inspection?.fileDamages, inspection?.survey.damages]).toEqual([[], []])
  })
})
