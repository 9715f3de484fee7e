import { beforeEach, describe, expect, it } from 'vitest'
import { fromKafka } from '../../../operators/fromKafka.ts'
import { mapWithState } from '../../../operators/mapWithState.ts'
import { toKafkaTransactional } from '../../../operators/toKafka.ts'
import { compactChangelog } from '../../../src/connectors/embedded/store/changelogCompaction.ts'
import { offsetRange } from '../../../src/connectors/embedded/store/readLogPage.ts'
import type { EmbeddedStore } from '../../../src/connectors/embedded/store/embeddedStore.ts'
import { offsetKey } from '../../../src/connectors/embedded/store/storeKeys.ts'
import type { JobLog } from '../../../src/core/ports/jobLog.ts'
import { earliest } from '../../../src/core/startMode.ts'
import { defineJob } from '../../../src/runtime/plan/defineJob.ts'
import { override } from '../../support/faultyLog.ts'
import { startOnStore, type StartOnStoreOptions } from '../../support/startOnStore.ts'
import { Disk, openOnDisk } from './diskStorage.ts'

const count = defineJob({
  name: 'job',
  pipeline: (context) =>
    fromKafka(context, { topic: 'in', groupId: 'group' }).pipe(
      mapWithState<Buffer | null, number, string>(context, {
        uid: 'count',
        initial: () => 0,
        update: (n) => ({ state: n + 1, output: String(n + 1) }),
      }),
      toKafkaTransactional(context, { topic: 'out' }),
    ),
})

/** No process here finds local state: all of it comes from the changelog. */
describe('recovery in the embedded world', () => {
  let disk: Disk
  beforeEach(() => {
    disk = new Disk()
  })

  async function inStore<T>(act: (store: EmbeddedStore) => Promise<T>): Promise<T> {
    const store = await openOnDisk(disk, { partitions: 1 })
    try {
      return await act(store)
    } finally {
      await store.close()
    }
  }
  const write = (values: readonly string[]): Promise<unknown> =>
    inStore((store) =>
      store.append(
        values.map((value) => ({
          topic: 'in',
          partition: 0,
          key: Buffer.from('k'),
          value: Buffer.from(value),
          headers: [],
          timestamp: 1,
        })),
      ),
    )
  const run = (options: StartOnStoreOptions = {}): Promise<unknown> =>
    inStore((store) => startOnStore(count, store, options).finished)
  const outputs = (): Promise<readonly (string | undefined)[]> =>
    inStore(async (store) =>
      (await store.readPage({ topic: 'out', partition: 0, from: 0, limit: 100 })).records.map(({ raw }) =>
        raw?.toString(),
      ),
    )

  it('a reset whose process dies before its tasks begin is carried on with by the next one', async () => {
    await write(['a', 'b'])
    await run()
    const dying = run({
      reset: earliest,
      change: (world) =>
        override(world, {
          openLog: async (spec) =>
            override<JobLog>(await world.openLog(spec), { join: () => Promise.reject(new Error('killed')) }),
        }),
    })
    await expect(dying).rejects.toThrow('killed')
    await run()
    await run()
    expect(await outputs()).toEqual(['1', '2', '1', '2'])
  })

  it('offsets that are gone are taken from the changelog, also when it has been compacted', async () => {
    await write(['a', 'b'])
    await run()
    await write(['c'])
    await run()
    await run()
    await inStore((store) => store.storage.write([{ type: 'del', key: offsetKey('group', 'in', 0) }]))
    await write(['d'])
    await run()
    expect(await outputs()).toEqual(['1', '2', '3', '4'])
  })

  it('a changelog whose head is gone stops the start as damage', async () => {
    await write(['a', 'b'])
    await run()
    await inStore(async (store) => {
      const changelog = store.topics.partition('job-source-changelog', 0)
      const [first] = await store.storage.scan({ ...offsetRange(changelog, 0), limit: 1, maxBytes: 1 })
      if (first !== undefined) await store.storage.write([{ type: 'del', key: first[0] }])
    })
    await write(['c'])
    await expect(run()).rejects.toMatchObject({
      code: 'corrupt-store',
      details: { topic: 'job-source-changelog', partition: 0, offset: 0 },
    })
    expect(await outputs()).toEqual(['1', '2'])
  })

  it('a changelog that nothing is left in stops the start', async () => {
    await write(['a', 'b'])
    await run()
    await inStore((store) => {
      const changelog = store.topics.partition('job-source-changelog', 0)
      return compactChangelog(store.storage, changelog, { keep: () => false, nowMs: 0 })
    })
    await write(['c'])
    await expect(run()).rejects.toMatchObject({ code: 'commit-metadata-lost' })
    expect(await outputs()).toEqual(['1', '2'])
  })
})
