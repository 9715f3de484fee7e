import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { appendInParts } from '../../../../src/connectors/kafka/write/appendInParts.ts'
import { kafkaError } from '../../../../src/connectors/kafka/protocol/errorCodes.ts'
import type { Produced } from '../../../../src/connectors/kafka/protocol/produce.ts'
import { RecordBatchBuilder } from '../../../../src/connectors/kafka/protocol/recordBatchBuilder.ts'
import { output } from '../kafkaWorld.ts'

function batchOf(values: readonly string[]): RecordBatchBuilder {
  const builder = new RecordBatchBuilder()
  for (const [index, value] of values.entries()) {
    builder.add({ ...output('t', value), timestamp: 1_000 + index, headers: [['h', Buffer.from(value)]] })
  }
  return builder
}

const textsOf = (builder: RecordBatchBuilder): readonly string[] =>
  [...builder.records()].map(({ value }) => String(value))

/** A partition that takes a batch only as a whole, and no batch with one of these values in it. */
class Broker {
  readonly stored: string[] = []
  requests = 0
  readonly #refused: ReadonlySet<string>
  readonly #error: number
  readonly #names: boolean

  constructor(refused: readonly string[], error: number, names: boolean) {
    this.#refused = new Set(refused)
    this.#error = error
    this.#names = names
  }

  readonly take = async (part: RecordBatchBuilder): Promise<Produced> => {
    this.requests += 1
    const values = textsOf(part)
    const bad = values.flatMap((value, index) => (this.#refused.has(value) ? [{ index, message: `no ${value}` }] : []))
    if (bad.length > 0) {
      return { error: this.#error, baseOffset: -1, message: 'no', recordErrors: this.#names ? bad : [] }
    }
    this.stored.push(...values)
    return { error: kafkaError.none, baseOffset: this.stored.length - values.length, message: null, recordErrors: [] }
  }
}

const values = fc.array(fc.nat(20).map(String), { minLength: 1, maxLength: 40 })

property.prop([values, fc.array(fc.nat(20).map(String), { maxLength: 5 }), fc.boolean()])(
  'whatever is refused, the rest is stored once, in order, and the refused are given back with their bytes',
  async (all, refused, names) => {
    const broker = new Broker(refused, kafkaError.invalidRecord, names)
    const builder = batchOf(all)
    const appended = await appendInParts(builder, broker.take)
    const isRefused = (value: string): boolean => refused.includes(value)
    expect(broker.stored).toEqual(all.filter((value) => !isRefused(value)))
    expect(appended.refused.map(({ record }) => record)).toEqual(
      [...builder.records()].filter(({ value }) => isRefused(String(value))),
    )
    expect(appended.end).toBe(broker.stored.length === 0 ? -1 : broker.stored.length)
  },
)

describe('a refused batch', () => {
  test('is sent once more without what the broker names', async () => {
    const broker = new Broker(['b', 'd'], kafkaError.invalidTimestamp, true)
    const { refused } = await appendInParts(batchOf(['a', 'b', 'c', 'd']), broker.take)
    expect(broker.requests).toBe(2)
    expect(refused.map(({ code, message }) => [code, message])).toEqual([
      [kafkaError.invalidTimestamp, 'no b'],
      [kafkaError.invalidTimestamp, 'no d'],
    ])
  })

  test('is halved where the broker names none', async () => {
    const broker = new Broker(['700'], kafkaError.messageTooLarge, false)
    const all = Array.from({ length: 1_000 }, (_, index) => String(index))
    const { refused } = await appendInParts(batchOf(all), broker.take)
    expect(refused).toHaveLength(1)
    expect(broker.requests).toBeLessThanOrEqual(21)
    expect(broker.stored).toHaveLength(999)
  })

  test('for another reason is refused as a whole', async () => {
    const broker = new Broker(['b'], kafkaError.topicAuthorizationFailed, false)
    await expect(appendInParts(batchOf(['a', 'b']), broker.take)).rejects.toMatchObject({
      brokerCode: kafkaError.topicAuthorizationFailed,
    })
    expect(broker.requests).toBe(1)
  })

  test('that was damaged on its way and then meets another error leaves open what became of it: no record is blamed', async () => {
    const answers = [kafkaError.corruptMessage, kafkaError.invalidProducerEpoch]
    const send = (): Promise<Produced> =>
      Promise.resolve({ error: answers.shift() ?? kafkaError.none, baseOffset: -1, message: null, recordErrors: [] })
    await expect(appendInParts(batchOf(['a']), send)).rejects.toMatchObject({
      brokerCode: kafkaError.invalidProducerEpoch,
    })
  })

  test('that was damaged on its way is sent again before a record is blamed', async () => {
    const broker = new Broker([], kafkaError.corruptMessage, false)
    let damaged = 2
    const { refused } = await appendInParts(batchOf(['a', 'b']), (part) => {
      damaged -= 1
      return damaged >= 0
        ? Promise.resolve({ error: kafkaError.corruptMessage, baseOffset: -1, message: null, recordErrors: [] })
        : broker.take(part)
    })
    expect(refused).toEqual([])
    expect(broker.stored).toEqual(['a', 'b'])
  })
})
