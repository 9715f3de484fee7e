import { MemoryTables, runJob, TestWorld } from 'tidemark/testing'
import { describe, expect, it } from 'vitest'
import job from '../../../jobs/reconcile.ts'
import { usersTable } from '../../support/hostileMessages.ts'

const message = (userId: string): string =>
  JSON.stringify({
    keyspace: 'ks1',
    tableName: 'users',
    primaryKey: { user_id: userId, region: 'us-east' },
    payload: { name: 'alice' },
  })

/** The lookup of `silent` never ends; the others are answered. */
const tables = (): MemoryTables =>
  new MemoryTables([usersTable], {
    latencyMs: 10,
    behave: ({ primaryKey }) => (JSON.stringify(primaryKey).includes('silent') ? { never: true } : undefined),
  })

const messages = [message('123'), message('silent'), ...Array.from({ length: 20 }, (_, n) => message(String(n)))]

describe('a message whose lookup never ends while others are answered', () => {
  it('becomes a dead letter by default', async () => {
    const run = await runJob(job, { topics: { 'input-topic': messages }, tables: tables() })
    expect(run.deadLetters.map(({ code }) => code)).toEqual(['lookup-timeout'])
    expect(run.topic('reconcile').records).toHaveLength(21)
  })

  it('fails the job where reconcile.on.lookup.error says so, and bad messages still do not', async () => {
    const world = new TestWorld({
      topics: { 'input-topic': ['not JSON', ...messages] },
      tables: tables(),
      settings: { 'reconcile.on.lookup.error': 'fail', 'restart.strategy': 'none' },
    })
    await expect(world.run(job)).rejects.toMatchObject({ code: 'lookup-timeout' })
    const bad = await runJob(job, {
      topics: { 'input-topic': ['not JSON', message('123')] },
      tables: tables(),
      settings: { 'reconcile.on.lookup.error': 'fail' },
    })
    expect(bad.deadLetters.map(({ code }) => code)).toEqual(['malformed-json'])
  })
})

it('the session of 10,000 messages is opened once and closed once, also after an error', async () => {
  const many = Array.from({ length: 10_000 }, (_, n) => message(String(n)))
  const counted = tables()
  await runJob(job, { topics: { 'input-topic': many }, tables: counted })
  expect(counted.counts).toMatchObject({ connects: 1, closes: 1 })
  const failing = tables()
  const world = new TestWorld({
    topics: { 'input-topic': messages },
    tables: failing,
    settings: { 'reconcile.on.lookup.error': 'fail', 'restart.strategy': 'none' },
  })
  await expect(world.run(job)).rejects.toMatchObject({ code: 'lookup-timeout' })
  expect(failing.counts).toMatchObject({ connects: 1, closes: 1 })
})
