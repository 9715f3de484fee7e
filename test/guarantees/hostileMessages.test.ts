import { runJob, record, testTopic } from 'tidemark/testing'
import { describe, expect, it } from 'vitest'
import job from '../../jobs/reconcile.ts'
import { accountsTable, hostileMessages, usersTable } from '../support/hostileMessages.ts'

const tables = [usersTable, accountsTable]

/** The input takes the 10 MB messages; the output topics keep Kafka's limit of 1 MiB. */
const input = testTopic(
  'input-topic',
  hostileMessages.map(({ key, value }) => record(value, { key: key ?? null })),
  { maxRecordBytes: 16 * 1024 * 1024 },
)

describe('hostile messages', () => {
  it('each give one output or one dead letter with its reason, in the order of positions where wait is ordered', async () => {
    const run = await runJob(job, {
      topics: [input],
      tables,
      settings: { 'reconcile.wait': 'ordered' },
    })
    const expected = hostileMessages.flatMap(({ what, code }, offset) =>
      code === null ? [] : [{ what, code, offset }],
    )
    const found = run.topic('reconcile-dlq').records.map(({ headers }) => {
      const header = (name: string): string | undefined => headers.find(([other]) => other === name)?.[1]?.toString()
      const offset = Number(header('source-offset'))
      return { what: hostileMessages[offset]?.what, code: header('error-code'), offset }
    })
    expect(found).toEqual(expected)
    expect(run.topic('reconcile').records).toHaveLength(hostileMessages.length - expected.length)
  })

  it('give the same multiset of results whatever the wait and the capacity', async () => {
    const results = await Promise.all(
      [
        { 'reconcile.wait': 'ordered', 'reconcile.capacity': '1' },
        { 'reconcile.wait': 'unordered', 'reconcile.capacity': '1' },
        { 'reconcile.wait': 'unordered', 'reconcile.capacity': '100' },
      ].map(async (settings) => {
        const run = await runJob(job, { topics: [input], tables, settings })
        return [...run.topic('reconcile').text, ...run.topic('reconcile-dlq').text].map(String).toSorted()
      }),
    )
    expect(results[1]).toEqual(results[0])
    expect(results[2]).toEqual(results[0])
  })

  it('of 10,000 different table names give 10,000 dead letters', async () => {
    const names = Array.from({ length: 10_000 }, (_, index) =>
      JSON.stringify({ keyspace: 'ks1', tableName: `t${String(index)}`, pk: '1', payload: null }),
    )
    const run = await runJob(job, { topics: { 'input-topic': names }, tables })
    expect(run.tally('dead-letters', 'unknown-table')).toBe(10_000)
    expect(run.topic('reconcile-dlq').records).toHaveLength(10_000)
  })
})
