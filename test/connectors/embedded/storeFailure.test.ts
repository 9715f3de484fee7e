import { describe, expect, it } from 'vitest'
import { fromKafka } from '../../../operators/fromKafka.ts'
import { mapWithState } from '../../../operators/mapWithState.ts'
import { toKafkaTransactional } from '../../../operators/toKafka.ts'
import { EmbeddedStore } from '../../../src/connectors/embedded/store/embeddedStore.ts'
import type { Storage } from '../../../src/connectors/embedded/store/storage.ts'
import { systemClock } from '../../../src/core/ports/clock.ts'
import { TidemarkError } from '../../../src/core/errors.ts'
import type { OutputRecord } from '../../../src/core/record.ts'
import { health, readiness } from '../../../src/dashboard/health.ts'
import type { JobEnvironment } from '../../../src/runtime/job/jobEnvironment.ts'
import type { RunningJob } from '../../../src/runtime/job/startJob.ts'
import { defineJob } from '../../../src/runtime/plan/defineJob.ts'
import { override } from '../../support/faultyLog.ts'
import { startOnStore } from '../../support/startOnStore.ts'
import { Disk, DiskStorage } from './diskStorage.ts'

const records: readonly OutputRecord[] = [
  { topic: 'in', partition: 0, key: Buffer.from('k'), value: Buffer.from('v'), headers: [], timestamp: 1 },
]

/** Takes writes until the disk is full, and none again when there is room, as LevelDB's does. */
class FullStorage extends DiskStorage {
  isFull = false
  #failed: TidemarkError | null = null

  override async write(...args: Parameters<Storage['write']>): Promise<void> {
    if (this.isFull) this.#failed ??= new TidemarkError('disk-failed', 'No space left on device')
    if (this.#failed !== null) throw this.#failed
    await super.write(...args)
  }
}

async function openWorld(): Promise<{ readonly store: EmbeddedStore; readonly storage: FullStorage }> {
  const storage = new FullStorage(new Disk())
  const store = await EmbeddedStore.open('', {
    clock: systemClock,
    partitions: 1,
    openStorage: () => Promise.resolve(storage),
  })
  await store.createTopic('in')
  return { store, storage }
}

function follow(store: EmbeddedStore, change?: (world: JobEnvironment) => JobEnvironment): RunningJob {
  const job = defineJob({
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
  const settings = { 'checkpoint.interval.ms': '10', 'checkpoint.min.pause.ms': '0', 'checkpoint.max.bytes': '1 KiB' }
  return startOnStore(job, store, { follow: true, settings, ...(change === undefined ? {} : { change }) })
}

/** Waits until the job has done what it has to do. */
async function idle({ metrics }: RunningJob, committed: number): Promise<void> {
  while (metrics.recordsCommitted < committed) await new Promise((resolve) => setTimeout(resolve, 5))
}

describe('an embedded store that takes no more writes', () => {
  it('ends a job that waits for input, when the write was that of a command and there is room again', async () => {
    const { store, storage } = await openWorld()
    const job = follow(store)
    await store.append(records)
    await idle(job, 1)
    expect([health(job.metrics).status, readiness(job.metrics).status]).toEqual([200, 200])
    storage.isFull = true
    await expect(store.append(records)).rejects.toMatchObject({ code: 'disk-failed' })
    storage.isFull = false
    // Before its tasks have ended.
    for (const answer of [health(job.metrics), readiness(job.metrics)]) {
      expect(answer).toMatchObject({ status: 503, body: expect.stringContaining('disk-failed') })
    }
    await expect(job.finished).rejects.toMatchObject({ code: 'disk-failed' })
    expect(health(job.metrics)).toMatchObject({ status: 503, body: expect.stringContaining('disk-failed') })
    await store.close()
  })

  it('ends a job that is started on it', async () => {
    const { store, storage } = await openWorld()
    storage.isFull = true
    await expect(store.append(records)).rejects.toMatchObject({ code: 'disk-failed' })
    await expect(follow(store).finished).rejects.toMatchObject({ code: 'disk-failed' })
    await store.close()
  })

  it('ends it also where it is the store of keyed state', async () => {
    const { store } = await openWorld()
    await store.append(records)
    const job = follow(store, (world) => ({
      ...world,
      openState: async (task) =>
        override(await world.openState(task), {
          apply: () => Promise.reject(new TidemarkError('disk-failed', 'No space left on device')),
        }),
    }))
    await expect(job.finished).rejects.toMatchObject({ code: 'disk-failed' })
    expect(health(job.metrics)).toMatchObject({ status: 503, body: expect.stringContaining('disk-failed') })
    await store.close()
  })

  it('is not one that has refused a request', async () => {
    const { store } = await openWorld()
    const job = follow(store)
    await expect(store.createTopic('in')).rejects.toMatchObject({ code: 'invalid-argument' })
    await store.append(records)
    await idle(job, 1)
    expect(health(job.metrics).status).toBe(200)
    job.stop()
    await job.finished
    await store.close()
  })
})
