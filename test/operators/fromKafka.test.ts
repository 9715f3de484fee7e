import { describe, expect, it } from 'vitest'
import { of } from 'rxjs'
import { fromKafka } from '../../operators/fromKafka.ts'
import { toKafka } from '../../operators/toKafka.ts'
import {
  committedOffsets,
  earliest,
  fromOffsets,
  fromTimestamp,
  latest,
  type StartMode,
} from '../../src/core/startMode.ts'
import { defineJob } from '../../src/runtime/plan/defineJob.ts'
import { runJob } from '../../src/testing/kit/runJob.ts'
import { record, testTopic } from '../../src/testing/kit/testSource.ts'
import { attemptStub } from '../support/attemptStub.ts'
import { sampleRecord } from '../support/sampleRecord.ts'

describe('fromKafka', () => {
  it("asks the task for its source, by default from committed offsets or the log's start", async () => {
    const only = sampleRecord('a')
    const attempt = attemptStub({ source$: of(only) })
    const records: unknown[] = []
    await fromKafka(attempt.context, { topic: 'input-topic', groupId: 'group' }).forEach((value) => records.push(value))
    expect(records).toEqual([only])
    expect(attempt.sources).toEqual([
      {
        topics: { kind: 'topics', topics: ['input-topic'] },
        groupId: 'group',
        startFrom: { kind: 'earliest' },
      },
    ])
    expect(attempt.steps.map(({ name }) => name)).toEqual(['kafka-source'])
  })

  it('takes several topics, each once, and a start mode', () => {
    const attempt = attemptStub()
    fromKafka(attempt.context, { topic: ['a', 'b', 'a'], groupId: 'group', startFrom: latest, name: 'both' })
    expect(attempt.sources).toMatchObject([
      { topics: { kind: 'topics', topics: ['a', 'b'] }, startFrom: { kind: 'latest' } },
    ])
    expect(attempt.steps.map(({ name }) => name)).toEqual(['both'])
  })

  it('takes a pattern without the flags that would make it forget names', () => {
    const attempt = attemptStub()
    fromKafka(attempt.context, { topic: /^orders-/giy, groupId: 'group' })
    const topics = attempt.sources[0]?.topics
    if (topics?.kind !== 'pattern') throw new Error('a pattern was expected')
    expect([topics.pattern.test('Orders-1'), topics.pattern.test('Orders-1')]).toEqual([true, true])
  })

  describe('begins a partition without a commit', () => {
    const at = (hour: number, partition: number): string => `${String(hour)}:00 in ${String(partition)}`
    const items = [0, 1].flatMap((partition) =>
      [8, 9, 10].map((hour) => record(at(hour, partition), { partition, timestamp: Date.UTC(2026, 0, 1, hour) })),
    )
    const run = (startFrom: StartMode) =>
      runJob(
        defineJob({
          name: 'starts',
          pipeline: (context) =>
            fromKafka(context, { topic: 'in', groupId: 'g', startFrom }).pipe(toKafka(context, { topic: 'out' })),
        }),
        { topics: [testTopic('in', items, { partitions: 2 })] },
      )

    it.each<[string, StartMode, readonly string[]]>([
      ['earliest', earliest, [8, 9, 10].flatMap((hour) => [at(hour, 0), at(hour, 1)])],
      ['latest', latest, []],
      ['timestamp:2026-01-01T09:30:00.000Z', fromTimestamp('2026-01-01T09:30:00Z'), [at(10, 0), at(10, 1)]],
      ['timestamp:2026-01-01T10:00:00.000Z', fromTimestamp(new Date(Date.UTC(2026, 0, 1, 10))), [at(10, 0), at(10, 1)]],
      ['timestamp:2026-01-02T00:00:00.000Z', fromTimestamp(Date.UTC(2026, 0, 2)), []],
      ['offsets:1=2', fromOffsets({ 1: 2 }), [at(8, 0), at(9, 0), at(10, 0), at(10, 1)]],
      ['offsets:0=3,1=1', fromOffsets({ 0: 3, 1: 1 }), [at(9, 1), at(10, 1)]],
    ])('at %s, as the plan says', async (text, startFrom, values) => {
      const attempt = attemptStub()
      fromKafka(attempt.context, { topic: 'in', groupId: 'g', startFrom })
      expect(attempt.steps[0]?.spec.details?.['startFrom']).toBe(text)
      const { world } = await run(startFrom)
      const records = world.log.topicNames.includes('out') ? world.log.topic('out').records() : []
      expect(records.map(({ raw }) => String(raw)).toSorted()).toEqual(values.toSorted())
    })

    it('not at all where it would have to guess', async () => {
      await expect(run(fromOffsets({ 0: 4 }))).rejects.toMatchObject({ code: 'invalid-setting' })
      await expect(run(committedOffsets())).rejects.toMatchObject({ code: 'no-committed-offset' })
    })
  })

  it.each([
    [{ topic: '', groupId: 'g' }, 'fromKafka: option topic must be a topic name'],
    [{ topic: ['a', 'b c'], groupId: 'g' }, "not 'b c'; for example topic: 'input-topic'"],
    [{ topic: '..', groupId: 'g' }, "not '..'"],
    [{ topic: 'x'.repeat(250), groupId: 'g' }, '1 to 249'],
    [{ topic: [], groupId: 'g' }, 'at least one topic, not []'],
    [{ topic: 'a', groupId: '' }, 'fromKafka: option groupId must be a text that is not empty'],
    [{ topic: 'a', groupId: 'g', name: '' }, 'fromKafka: option name'],
  ])('refuses %j when the pipeline is built', (options, message) => {
    expect(() => fromKafka(attemptStub().context, options)).toThrow(message)
  })
})
