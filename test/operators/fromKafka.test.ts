import { describe, expect, it } from 'vitest'
import { of } from 'rxjs'
import { fromKafka } from '../../operators/fromKafka.ts'
import { latest } from '../../src/core/startMode.ts'
import { attemptStub } from '../support/attemptStub.ts'
import { sampleRecord } from '../support/sampleRecord.ts'

describe('fromKafka', () => {
  it("asks the task for its source, by default from committed offsets or the log's start", async () => {
    const record = sampleRecord('a')
    const attempt = attemptStub({ source$: of(record) })
    const records: unknown[] = []
    await fromKafka(attempt.context, { topic: 'input-topic', groupId: 'group' }).forEach((value) => records.push(value))
    expect(records).toEqual([record])
    expect(attempt.sources).toEqual([
      {
        topics: { kind: 'topics', topics: ['input-topic'] },
        groupId: 'group',
        startFrom: { kind: 'earliest' },
        name: 'kafka-source',
      },
    ])
    expect(attempt.steps.map(({ name }) => name)).toEqual(['kafka-source'])
  })

  it('takes several topics, each once, and a start mode', () => {
    const attempt = attemptStub()
    fromKafka(attempt.context, { topic: ['a', 'b', 'a'], groupId: 'group', startFrom: latest, name: 'both' })
    expect(attempt.sources).toMatchObject([
      { topics: { kind: 'topics', topics: ['a', 'b'] }, startFrom: { kind: 'latest' }, name: 'both' },
    ])
  })

  it('takes a pattern without the flags that would make it forget names', () => {
    const attempt = attemptStub()
    fromKafka(attempt.context, { topic: /^orders-/giy, groupId: 'group' })
    const topics = attempt.sources[0]?.topics
    if (topics?.kind !== 'pattern') throw new Error('a pattern was expected')
    expect([topics.pattern.test('Orders-1'), topics.pattern.test('Orders-1')]).toEqual([true, true])
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
