import * as t from 'io-ts'
import { expect, it } from 'vitest'
import { map, of } from 'rxjs'
import { asyncLookup, type LookedUp } from '../../operators/asyncLookup.ts'
import { cassandraRow } from '../../operators/cassandraRow.ts'
import { decodeJson } from '../../operators/decodeJson.ts'
import { fromKafka } from '../../operators/fromKafka.ts'
import { sha256Hash, type Hashed } from '../../operators/sha256Hash.ts'
import { sideOutput } from '../../operators/sideOutput.ts'
import { toKafkaTransactional } from '../../operators/toKafka.ts'
import { rowLookupPort, type RowLookup } from '../../src/tables/rowLookup.ts'
import type { Row } from '../../src/tables/row.ts'
import type { DeadLetter } from '../../src/core/deadLetter.ts'
import type { StreamRecord } from '../../src/core/record.ts'
import { committedOffsets } from '../../src/core/startMode.ts'
import { attemptStub } from '../support/attemptStub.ts'
import { sampleRecord } from '../support/sampleRecord.ts'

const Request = t.type({ keyspace: t.string, tableName: t.string, pk: t.unknown, payload: t.unknown })
type Compared = Hashed<LookedUp<t.TypeOf<typeof Request>, Row>, 'hash' | 'cass_hash'>

const toOutput = (record: StreamRecord<Compared>): StreamRecord<string> => {
  const { message, hash, cass_hash } = record.value
  return record.withValue(JSON.stringify({ pk: message.pk, payload: message.payload, hash, cass_hash }))
}

it('a pipeline of these operators keeps its types from source to sink, without a cast', async () => {
  const messages = ['{"keyspace":"k","tableName":"t","pk":"1","payload":{}}', '{']
  const client: RowLookup = {
    name: 'tables',
    lookup: () => Promise.resolve({ kind: 'miss' }),
    connect: () => Promise.resolve(),
    close: () => Promise.resolve(),
    schema: () => undefined,
  }
  const attempt = attemptStub({
    source$: of(...messages.map((message, offset) => sampleRecord(message, { offset }))),
    resources: new Map([[rowLookupPort.name, client]]),
  })
  const { context } = attempt
  const deadLetters = sideOutput<DeadLetter>(context, 'dead-letters', { order: 'position' })
  const startFrom = committedOffsets('earliest')
  const emitted: DeadLetter[] = []
  deadLetters.records$.pipe(toKafkaTransactional(context, { topic: 'dlq' })).subscribe()
  const onError = { ...deadLetters, emit: (letter: DeadLetter) => emitted.push(letter) }

  const reconciled$ = fromKafka(context, { topic: 'input-topic', groupId: 'group', startFrom }).pipe(
    decodeJson(context, Request, { onError, tombstone: (key) => ({ ...key, payload: null }) }),
    asyncLookup(context, { lookup: cassandraRow(context), wait: 'unordered', capacity: 100, onError }),
    sha256Hash({ messageAs: 'hash', rowAs: 'cass_hash' }),
    map(toOutput),
    toKafkaTransactional(context, { topic: 'reconcile', transactionalIdPrefix: 'reconcile-tx' }),
  )
  const outputs: string[] = []
  await reconciled$.forEach(({ value }) => outputs.push(value))

  expect(outputs).toHaveLength(1)
  expect(JSON.parse(outputs[0] ?? '')).toMatchObject({ pk: '1', payload: {}, cass_hash: null })
  expect(attempt.sent.map(({ topic }) => topic)).toEqual(['reconcile'])
  expect(emitted.map(({ error, offset }) => [error.code, offset])).toEqual([['malformed-json', 1]])
})
