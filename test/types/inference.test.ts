import { EMPTY, type Observable } from 'rxjs'
import { describe, expectTypeOf, it } from 'vitest'
import {
  asyncLookup,
  cassandraRow,
  decodeJson,
  defineJob,
  filterValue,
  fromKafka,
  integer,
  mapValue,
  mapWithState,
  rowLookupPort,
  setting,
  sha256Hash,
  text,
  toKafkaTransactional,
  type LookedUp,
  type Row,
  type RowLookup,
  type StreamRecord,
} from 'tidemark'
import { deletionOf, ReconcileRequest } from '../../jobs/reconcile/request.ts'
import { attemptStub } from '../support/attemptStub.ts'

const rows: RowLookup = {
  name: 'tables',
  lookup: () => Promise.resolve({ kind: 'miss' }),
  connect: () => Promise.resolve(),
  close: () => Promise.resolve(),
  schema: () => undefined,
}
const { context } = attemptStub({ resources: new Map([[rowLookupPort.name, rows]]) })
const bytes$ = fromKafka(context, { topic: 'in', groupId: 'g' })

type Records<V> = Observable<StreamRecord<V>>
type Compared = LookedUp<ReconcileRequest, Row> & { readonly hash: string | null; readonly cass_hash: string | null }

// The compiler checks these; that they run says only that nothing was forgotten.
describe('the compiler infers', () => {
  it('the value after each step of the uppercase job', () => {
    expectTypeOf(bytes$).toEqualTypeOf<Records<Buffer | null>>()
    const upper$ = bytes$.pipe(mapValue((value) => value?.toString().toUpperCase() ?? null))
    expectTypeOf(upper$).toEqualTypeOf<Records<string | null>>()
    expectTypeOf(upper$.pipe(toKafkaTransactional(context, { topic: 'out' }))).toEqualTypeOf<Records<string | null>>()
  })

  it('the value after each step of the reconcile job, all of it kept for what its client asks for a part of', () => {
    const requests$ = bytes$.pipe(decodeJson(context, ReconcileRequest, { numbers: 'exact', tombstone: deletionOf }))
    expectTypeOf(requests$).toEqualTypeOf<Records<ReconcileRequest>>()
    const looked$ = requests$.pipe(asyncLookup(context, { lookup: cassandraRow(context), wait: 'unordered' }))
    expectTypeOf(looked$).toEqualTypeOf<Records<LookedUp<ReconcileRequest, Row>>>()
    const hashed$ = looked$.pipe(sha256Hash({ messageAs: 'hash', rowAs: 'cass_hash' }))
    expectTypeOf(hashed$).branded.toEqualTypeOf<Records<Compared>>()
  })

  it('all of the reconcile job in one pipe', () => {
    const result$ = bytes$.pipe(
      decodeJson(context, ReconcileRequest),
      asyncLookup(context, { lookup: cassandraRow(context), wait: 'unordered', capacity: 100 }),
      sha256Hash({ messageAs: 'hash', rowAs: 'cass_hash' }),
      mapValue(({ message, row, cass_hash }, record) => {
        expectTypeOf(message).toEqualTypeOf<ReconcileRequest>()
        expectTypeOf(row).toEqualTypeOf<Row | null>()
        expectTypeOf(cass_hash).toEqualTypeOf<string | null>()
        expectTypeOf(record.value.hash).toEqualTypeOf<string | null>()
        return JSON.stringify(message)
      }),
      toKafkaTransactional(context, { topic: 'out' }),
    )
    expectTypeOf(result$).toEqualTypeOf<Records<string>>()
  })

  it('what a lookup function is given, what a filter leaves, and what a state is', () => {
    const names$ = bytes$.pipe(
      filterValue((value) => value !== null),
      asyncLookup(context, {
        lookup: async (value) => {
          expectTypeOf(value).toExtend<Buffer>()
          return value.toString()
        },
        wait: 'ordered',
      }),
    )
    expectTypeOf(names$.pipe(mapValue(({ row }) => row))).toEqualTypeOf<Records<string | null>>()
    const counts$ = names$.pipe(
      mapWithState(context, {
        uid: 'n',
        initial: () => ({ seen: 0 }),
        update: ({ seen }, { value }) => ({ state: { seen: seen + 1 }, output: [value.row, seen] as const }),
      }),
    )
    expectTypeOf(counts$).toEqualTypeOf<Records<readonly [string | null, number]>>()
  })

  it('the settings of a job', () => {
    const settings = {
      'x.count': setting(integer(), { default: 3, meaning: 'Bolts.', example: '3' }),
      'x.limit': setting(integer(), { optional: true, meaning: 'Most bolts.', example: '3' }),
      'x.group': setting(text, { defaultFor: (job) => `${job}-group`, meaning: 'Group.', example: 'g' }),
    }
    const job = defineJob({
      name: 'x',
      settings,
      pipeline(own) {
        const limit: number | undefined = own.settings['x.limit']
        return fromKafka(own, { topic: String(limit), groupId: own.settings['x.group'] })
      },
    })
    expectTypeOf<Parameters<typeof job.pipeline>[0]['settings']>().toEqualTypeOf<{
      readonly 'x.count': number
      readonly 'x.limit': number | undefined
      readonly 'x.group': string
    }>()
  })

  it('the record of a sink whose options make its bytes', () => {
    const order$: Records<{ id: string }> = EMPTY
    const sunk$ = order$.pipe(
      toKafkaTransactional(context, {
        topic: ({ value }) => value.id,
        value: ({ value }) => JSON.stringify(value),
      }),
    )
    expectTypeOf(sunk$).toEqualTypeOf<typeof order$>()
  })
})
