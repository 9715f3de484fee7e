import { fc, test as property } from '@fast-check/vitest'
import { map } from 'rxjs'
import { describe, expect, test } from 'vitest'
import { asyncLookup } from '../../../operators/asyncLookup.ts'
import { cassandraRow } from '../../../operators/cassandraRow.ts'
import { fromKafka } from '../../../operators/fromKafka.ts'
import { mapWithState } from '../../../operators/mapWithState.ts'
import { sideOutput } from '../../../operators/sideOutput.ts'
import { toKafkaTransactional } from '../../../operators/toKafka.ts'
import { operatorContext } from '../../../src/core/context.ts'
import type { DeadLetter } from '../../../src/core/deadLetter.ts'
import { earliest } from '../../../src/core/startMode.ts'
import { defineJob, type Job } from '../../../src/runtime/plan/defineJob.ts'
import {
  ABORT,
  EOF,
  ManualClock,
  MemoryTables,
  PAUSE,
  record,
  runJob,
  testTopic,
  TestWorld,
} from '../../../src/testing/index.ts'

const groupId = 'test'

const upperCase = defineJob({
  name: 'upper-case',
  pipeline: (context) =>
    fromKafka(context, { topic: 'input', groupId }).pipe(
      map((input) => input.withValue(input.value?.toString().toUpperCase() ?? null)),
      toKafkaTransactional(context, { topic: 'output' }),
    ),
})

/** Counts by key, into a topic that may depend on the task. */
const countInto = (topic: (partition: number) => string): Job =>
  defineJob({
    name: 'count',
    pipeline: (context) =>
      fromKafka(context, { topic: 'input', groupId }).pipe(
        mapWithState(context, {
          uid: 'count',
          initial: () => 0,
          update: (n: number, { value }) => {
            context.tally('counted', ['all'])
            return { state: n + 1, output: `${value?.toString() ?? ''}${String(n + 1)}` }
          },
        }),
        toKafkaTransactional(context, { topic: topic(operatorContext(context).partition) }),
      ),
  })

const count = countInto(() => 'output')

const keyed = (value: string): ReturnType<typeof record> => record(value, { key: 'k' })

describe('runJob', () => {
  test('runs a job on fixtures', async () => {
    const run = await runJob(upperCase, { topics: { input: ['a', 'b', 'c'] } })
    expect(run.topic('output').text).toEqual(['A', 'B', 'C'])
    expect(run.records).toBe(3)
    expect(run.crashes).toEqual([])
  })

  test('a crash and its recovery are in the data: nothing is lost, nothing doubled', async () => {
    const run = await runJob(count, { topics: { input: [keyed('a'), keyed('b'), ABORT, keyed('c')] } })
    expect(run.topic('output').text).toEqual(['a1', 'b2', 'c3'])
    expect(run.crashes).toEqual(['ABORT in the test source'])
    expect(run.tally('counted', 'all')).toBe(3)
  })

  test('what a pause let commit before the crash is not read again', async () => {
    const run = await runJob(count, { topics: { input: [keyed('a'), PAUSE(2_000), ABORT, keyed('b'), ABORT] } })
    expect(run.topic('output').text).toEqual(['a1', 'b2'])
    expect(run.commits.map(({ epoch, positions }) => [epoch, positions.get('input')])).toEqual([
      [0, 0],
      [1, 1],
      [2, 2],
    ])
    expect(run.crashes).toHaveLength(2)
  })

  test.each(['kept', 'lost'] as const)('state goes on over crashes when the local store is %s', async (localState) => {
    const input = [keyed('a'), PAUSE(2_000), keyed('b'), ABORT, keyed('c'), PAUSE(2_000), ABORT, keyed('d')]
    const run = await runJob(count, { topics: { input }, localState })
    expect(run.topic('output').text).toEqual(['a1', 'b2', 'c3', 'd4'])
  })

  test('EOF ends the run, and resume goes on behind it', async () => {
    const first = await runJob(count, { topics: { input: [keyed('a'), EOF, keyed('b'), ABORT, EOF, keyed('c')] } })
    expect(first.topic('output').text).toEqual(['a1'])
    const second = await first.resume()
    expect(second.topic('output').text).toEqual(['a1', 'b2'])
    expect(second.crashes).toHaveLength(1)
    const third = await second.resume()
    expect(third.topic('output').text).toEqual(['a1', 'b2', 'c3'])
    expect((await third.resume()).records).toBe(0)
  })

  test('a reset reads again with empty state, also when the process dies meanwhile', async () => {
    const first = await runJob(count, { topics: { input: [keyed('a'), keyed('b'), EOF, keyed('c'), ABORT] } })
    const second = await first.resume({ reset: earliest })
    expect(second.topic('output').text).toEqual(['a1', 'b2', 'a1', 'b2', 'c3'])
    expect(second.commits.map(({ epoch }) => epoch)).toEqual([0, 1, 2, 3])
  })

  test('another version of the job goes on where the last one stopped', async () => {
    const first = await runJob(count, { topics: { input: [keyed('a'), EOF, keyed('b')] } })
    const tens = defineJob({
      ...count,
      pipeline: (context) =>
        fromKafka(context, { topic: 'input', groupId }).pipe(
          mapWithState(context, {
            uid: 'count',
            initial: () => 0,
            update: (n: number) => ({ state: n + 10, output: String(n + 10) }),
          }),
          toKafkaTransactional(context, { topic: 'output' }),
        ),
    })
    expect((await first.resume({ job: tens })).topic('output').text).toEqual(['a1', '11'])
  })

  test('killed at every call to the outside, before or after it took effect, the result is the same', async () => {
    const topics = { input: [keyed('a'), keyed('b'), PAUSE(2_000), keyed('c'), keyed('d')] }
    const calls: string[] = []
    const oracle = await runJob(count, { topics, crashAt: (call) => (calls.push(call), null) })
    expect(calls.length).toBeGreaterThan(15)
    for (let at = 0; at < calls.length; at += 1) {
      for (const point of ['before', 'after'] as const) {
        for (const localState of ['kept', 'lost'] as const) {
          const run = await runJob(count, { topics, localState, crashAt: (_, index) => (index === at ? point : null) })
          expect(run.crashes, `call ${String(at)}`).toHaveLength(1)
          expect(run.topic('output').text, `${point} ${calls[at] ?? ''}`).toEqual(oracle.topic('output').text)
          expect(run.world.clock.pending).toBe(0)
        }
      }
    }
  })

  property.prop(
    [
      fc.array(
        fc.oneof(
          { weight: 4, arbitrary: fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.nat({ max: 1 })) },
          { weight: 1, arbitrary: fc.constantFrom(ABORT, PAUSE(500), PAUSE(3_000)) },
        ),
        { maxLength: 20 },
      ),
      fc.array(fc.tuple(fc.nat({ max: 80 }), fc.constantFrom('before' as const, 'after' as const)), { maxLength: 3 }),
      fc.constantFrom('kept' as const, 'lost' as const),
    ],
    { numRuns: 60 },
  )('whatever the crashes, each key is counted once a record, in order', async (items, crashes, localState) => {
    const input = testTopic(
      'input',
      items.map((item) => (Array.isArray(item) ? record(item[0], { key: item[0], partition: item[1] }) : item)),
      { partitions: 2 },
    )
    const points = new Map(crashes)
    const job = countInto((partition) => `output-${String(partition)}`)
    const run = await runJob(job, { topics: [input], localState, crashAt: (_, index) => points.get(index) ?? null })
    for (const [partition, { records }] of run.world.log.topic('input').partitions.entries()) {
      for (const key of ['a', 'b', 'c']) {
        const times = records.filter((read) => read.key?.toString() === key).length
        const expected = Array.from({ length: times }, (_, index) => `${key}${String(index + 1)}`)
        const output = `output-${String(partition)}`
        const written = run.world.log.topicNames.includes(output) ? run.topic(output).text : []
        expect(
          written.filter((value) => value?.startsWith(key) === true),
          `${key} in ${output}`,
        ).toEqual(expected)
      }
    }
    expect(run.world.clock.pending).toBe(0)
  })

  test('one seed gives one run', async () => {
    const options = { topics: { input: [keyed('a'), PAUSE(2_000), ABORT, keyed('b')] }, seed: 7 }
    const [first, second] = [await runJob(count, options), await runJob(count, options)]
    expect(second.commits).toEqual(first.commits)
    const other = await runJob(count, { ...options, seed: 8 })
    expect(other.commits.map(({ nonce }) => nonce)).not.toEqual(first.commits.map(({ nonce }) => nonce))
  })

  test('records keep keys, headers, timestamps and partitions', async () => {
    const input = testTopic(
      'input',
      [record('a', { key: 'k', headers: [['h', 'x']], timestamp: 5, partition: 2 }), record(null)],
      {
        partitions: 3,
      },
    )
    const run = await runJob(upperCase, { topics: [input] })
    const { records, keys } = run.topic('output')
    expect(records.find(({ raw }) => raw !== null)).toMatchObject({ timestamp: 5, headers: [['h', Buffer.from('x')]] })
    expect(new Set(keys)).toEqual(new Set(['k', null]))
    expect(run.world.log.topic('input').partition(2).records).toHaveLength(1)
  })

  test('a following run ends after its time, with everything committed', async () => {
    const clock = new ManualClock(1_000)
    const run = await runJob(upperCase, {
      clock,
      topics: { input: ['a', PAUSE(5_000), 'b', PAUSE(60_000), 'too late'] },
      followMs: 10_000,
    })
    expect(run.topic('output').text).toEqual(['A', 'B'])
    expect(clock.now()).toBe(11_000)
    expect(clock.pending).toBe(0)
  })

  test('settings reach the framework and the job', async () => {
    const run = await runJob(upperCase, {
      topics: { input: ['a', PAUSE(50), 'b', PAUSE(50), 'c'] },
      settings: { 'checkpoint.interval.ms': '10' },
    })
    expect(run.commits).toHaveLength(4)
    await expect(
      runJob(upperCase, { topics: { input: [] }, settings: { 'checkpoint.intervall.ms': '10' } }),
    ).rejects.toMatchObject({ code: 'unknown-setting' })
  })

  test('what stops the job rejects, and the world shows what it has left', async () => {
    const failing = defineJob({
      name: 'failing',
      pipeline: (context) =>
        fromKafka(context, { topic: 'input', groupId }).pipe(
          map((input) => {
            if (input.value?.toString() === 'bad') throw new Error('cannot do that')
            return input
          }),
          toKafkaTransactional(context, { topic: 'output' }),
        ),
    })
    const world = new TestWorld({ topics: { input: ['a', 'bad'] } })
    await expect(world.run(failing)).rejects.toMatchObject({
      code: 'poison-record',
      details: { topic: 'input', offset: 1 },
    })
    expect(
      world.log
        .topic('output')
        .records()
        .map(({ raw }) => raw?.toString()),
    ).toEqual(['a'])
    expect(world.logger.lines.some(({ level }) => level === 'warn')).toBe(true)
  })

  test('a process that dies at every start is given up', async () => {
    await expect(
      runJob(upperCase, { topics: { input: ['a'] }, crashAt: (call) => (call === 'log.fence' ? 'before' : null) }),
    ).rejects.toMatchObject({ code: 'broken-invariant' })
  })
})

describe('runJob with tables', () => {
  const people = {
    keyspace: 'shop',
    table: 'people',
    columns: { id: 'int', name: 'text' },
    primaryKey: [['id'], []],
    rows: [
      { id: 1, name: 'Ada' },
      { id: 2, name: 'Bob' },
    ],
  }
  const request = (id: unknown): object => ({ keyspace: 'shop', tableName: 'people', primaryKey: { id } })

  const look = defineJob({
    name: 'look',
    pipeline(context) {
      const deadLetters = sideOutput<DeadLetter>(context, 'dead-letters')
      const found$ = fromKafka(context, { topic: 'input', groupId }).pipe(
        map((input) => input.withValue(JSON.parse(input.value?.toString() ?? 'null'))),
        asyncLookup(context, {
          lookup: cassandraRow(context),
          wait: 'ordered',
          timeoutMs: 1_000,
          onError: deadLetters,
        }),
        map((found) => found.withValue(found.value.row?.encoded ?? 'no row')),
        toKafkaTransactional(context, { topic: 'output' }),
      )
      return [found$, deadLetters.records$.pipe(toKafkaTransactional(context, { topic: 'dead' }))]
    },
  })

  test('lookups read the tables', async () => {
    const run = await runJob(look, {
      topics: { input: [record(request(2)), record(request(3)), record(request('x'))] },
      tables: [people],
    })
    expect(run.topic('output').text).toEqual(['{"id":2,"name":"Bob"}', 'no row'])
    expect(run.deadLetters).toMatchObject([{ topic: 'dead', code: 'invalid-value', source: 'input 0@2' }])
  })

  test('latency, silence and errors are as the test wants them, in virtual time', async () => {
    const tables = new MemoryTables([people], {
      latencyMs: 200,
      behave: ({ primaryKey }) => (JSON.stringify(primaryKey) === '{"id":1}' ? { never: true } : undefined),
    })
    const run = await runJob(look, { topics: { input: [record(request(1)), record(request(2))] }, tables })
    expect(run.topic('output').text).toEqual(['{"id":2,"name":"Bob"}'])
    expect(run.deadLetters).toMatchObject([{ code: 'lookup-timeout', source: 'input 0@0' }])
    expect(run.world.tables.counts).toMatchObject({ connects: 1, closes: 1 })
    expect(run.world.clock.pending).toBe(0)
  })

  test('while the tables are unreachable the job waits, and nothing becomes a dead letter', async () => {
    const clock = new ManualClock()
    const tables = new MemoryTables([people])
    clock.after(1, () => (tables.unreachable = true))
    clock.after(60_000, () => (tables.unreachable = false))
    const run = await runJob(look, { clock, topics: { input: [PAUSE(1_000), record(request(1))] }, tables })
    expect(run.topic('output').text).toEqual(['{"id":1,"name":"Ada"}'])
    expect(run.deadLetters).toEqual([])
    expect(clock.now()).toBeGreaterThanOrEqual(60_000)
  })

  test('a crash forgets lookups in flight and repeats them', async () => {
    const tables = new MemoryTables([people], { latencyMs: 100 })
    const input = [record(request(1)), PAUSE(50), ABORT, record(request(2))]
    const run = await runJob(look, { topics: { input }, tables })
    expect(run.topic('output').text).toEqual(['{"id":1,"name":"Ada"}', '{"id":2,"name":"Bob"}'])
    expect(tables.counts).toMatchObject({ reads: 3, connects: 2, closes: 1 })
  })
})
