import { expect, it } from 'vitest'
import { from, lastValueFrom, toArray } from 'rxjs'
import { asyncLookup } from '../../operators/asyncLookup.ts'
import { cassandraRow } from '../../operators/cassandraRow.ts'
import { rowLookupPort, type RowLookup } from '../../src/tables/rowLookup.ts'
import { attemptStub } from '../support/attemptStub.ts'
import { sampleRecord } from '../support/sampleRecord.ts'

it("cassandraRow is the world's one client, and asyncLookup reads with it what a message names", async () => {
  let connects = 0
  const client: RowLookup = {
    name: 'tables',
    lookup: () => Promise.resolve({ kind: 'miss' }),
    connect: () => Promise.resolve(void (connects += 1)),
    close: () => Promise.resolve(),
    schema: () => undefined,
  }
  const { context } = attemptStub({ resources: new Map([[rowLookupPort.name, client]]) })
  expect(cassandraRow(context)).toBe(client)

  const message = { keyspace: 'shop', tableName: 'orders', primaryKey: { id: 1 }, payload: 'kept by its type' }
  const looked$ = from([sampleRecord('').withValue(message)]).pipe(
    asyncLookup(context, { lookup: cassandraRow(context), wait: 'ordered' }),
  )
  const [looked] = await lastValueFrom(looked$.pipe(toArray()))
  const payload: string | undefined = looked?.value.message.payload
  expect([payload, looked?.value.row, connects]).toEqual(['kept by its type', null, 0])
})
