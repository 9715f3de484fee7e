import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { EmbeddedStore } from '../../src/connectors/embedded/store/embeddedStore.ts'
import type { OutputRecord } from '../../src/core/record.ts'
import { seededRandom } from '../../src/testing/world/seededRandom.ts'
import { KilledJob, readTopic } from '../support/killing.ts'

/** Of each job; a kill counts only when it took records with it that were not committed. */
const leastKills = 15

let directory: string

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'tidemark-kill-'))
})

afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

/** Kills the job again and again, looking at what is committed in between, and lets it end at last. */
async function runThroughKills(job: KilledJob, look: (store: EmbeddedStore) => Promise<number>): Promise<number> {
  const random = seededRandom(7)
  let counted = 0
  let seen = 0
  for (;;) {
    const end = await job.run(counted < leastKills ? random : null)
    const results = await job.withStore(look)
    expect(results).toBeGreaterThanOrEqual(seen)
    seen = results
    if (!end.killed) return counted
    if (end.uncommitted > 0) counted += 1
  }
}

describe('kill -9 on the embedded world', () => {
  it('leaves every message with exactly one result or dead letter, and positions that agree', async () => {
    const messages = 9_000
    const job = new KilledJob({
      directory,
      job: 'test/support/jobs/watchedReconcile.ts',
      topic: 'input-topic',
      group: 'reconcile-group',
      recordsPerKill: 300,
    })
    await job.withStore(async (store) => {
      await store.loadTable({
        keyspace: 'ks',
        table: 'items',
        columns: { id: 'int', name: 'text' },
        primaryKey: [['id'], []],
        rows: Array.from({ length: 1000 }, (_, id) => ({ id, name: `item ${String(id)}` })),
      })
      await store.append(
        Array.from({ length: messages }, (_, n): OutputRecord => {
          const good = `{"keyspace":"ks","tableName":"items","pk":${String(n)},"payload":{"name":"item ${String(n)}"}}`
          const value = Buffer.from(n % 50 === 0 ? `bad ${String(n)}` : good)
          return {
            topic: 'input-topic',
            partition: null,
            key: Buffer.from(String(n)),
            value,
            headers: [],
            timestamp: n,
          }
        }),
      )
    })
    const keysOf = async (store: EmbeddedStore): Promise<string[]> => {
      const records = [...(await readTopic(store, 'reconcile')), ...(await readTopic(store, 'reconcile-dlq'))]
      return records.map(({ key }) => key?.toString() ?? '')
    }
    const kills = await runThroughKills(job, async (store) => {
      const keys = await keysOf(store)
      // At any time: nothing twice, and what is committed is what the positions say.
      expect(new Set(keys).size).toBe(keys.length)
      const offsets = await store.committedOffsets('reconcile-group')
      expect(offsets.reduce((sum, { offset }) => sum + offset, 0)).toBe(keys.length)
      return keys.length
    })
    const keys = await job.withStore(keysOf)
    expect(keys.map(Number).toSorted((a, b) => a - b)).toEqual(Array.from({ length: messages }, (_, n) => n))
    expect(kills).toBe(leastKills)
  }, 180_000)

  it('leaves keyed state that has counted every record exactly once', async () => {
    const events = 9_000
    const keys = 97
    const job = new KilledJob({
      directory,
      job: 'test/support/jobs/watchedCount.ts',
      topic: 'events',
      group: 'count',
      recordsPerKill: 300,
    })
    await job.withStore((store) =>
      store.append(
        Array.from({ length: events }, (_, n): OutputRecord => {
          const key = Buffer.from(`key-${String(n % keys)}`)
          return { topic: 'events', partition: null, key, value: Buffer.from(String(n)), headers: [], timestamp: n }
        }),
      ),
    )
    const kills = await runThroughKills(job, async (store) => (await readTopic(store, 'counts')).length)
    const counts = new Map<string, number>()
    for (const { key, value } of await job.withStore((store) => readTopic(store, 'counts'))) {
      const name = key?.toString() ?? ''
      const expected = (counts.get(name) ?? 0) + 1
      counts.set(name, expected)
      expect(JSON.parse(value?.toString() ?? '')).toMatchObject({ count: expected })
    }
    expect([...counts.values()].reduce((sum, count) => sum + count, 0)).toBe(events)
    expect(counts.size).toBe(keys)
    expect(kills).toBe(leastKills)
  }, 180_000)
})
