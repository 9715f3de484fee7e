import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Level } from 'level'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { fromKafka } from '../../operators/fromKafka.ts'
import { mapWithState } from '../../operators/mapWithState.ts'
import { toKafkaTransactional } from '../../operators/toKafka.ts'
import { TidemarkError } from '../../src/core/errors.ts'
import type { JobEnvironment } from '../../src/runtime/job/jobEnvironment.ts'
import { LevelStateStore } from '../../src/state/levelStateStore.ts'
import { openTaskState } from '../../src/state/taskState.ts'
import { TestLogger } from '../../src/testing/kit/testLogger.ts'
import { override, withTaskLog } from '../support/faultyLog.ts'
import { failure, MemoryJob, type TestPipeline } from '../support/memoryJob.ts'

let directory: string
let log: TestLogger
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'tidemark-damaged-'))
  log = new TestLogger()
})
afterEach(() => rm(directory, { recursive: true, force: true }))

/** A task of the world whose state stands in a LevelDB directory. */
const onDisk = (world: JobEnvironment): JobEnvironment =>
  override(world, {
    log,
    openState: ({ partition }) =>
      openTaskState(new LevelStateStore(path.join(directory, String(partition)), { log }), world.clock),
  })

const counting: TestPipeline = (context) =>
  fromKafka(context, { topic: 'in', groupId: 'group' }).pipe(
    mapWithState(context, {
      uid: 'count',
      initial: () => 0,
      update: (count: number) => ({ state: count + 1, output: Buffer.from(String(count + 1)) }),
    }),
    toKafkaTransactional(context, { topic: 'out' }),
  )

/** Records of one key. */
function write(job: MemoryJob, count: number): void {
  for (let index = 0; index < count; index += 1) {
    job.log.append([
      {
        topic: 'in',
        partition: 0,
        key: Buffer.from('k'),
        value: Buffer.from('x'),
        headers: [],
        timestamp: job.clock.now(),
      },
    ])
  }
}

describe('state that is damaged while the job runs', () => {
  test('ends the attempt, is restored from the changelog, and the counts go on', async () => {
    const job = new MemoryJob()
    write(job, 3)
    await job.run(counting, { environment: onDisk })
    write(job, 2)
    const reading = vi
      .spyOn(Level.prototype, 'getSync')
      .mockImplementationOnce(() => Buffer.from('7 and a checksum that is wrong'))
    const result = await job.run(counting, {
      environment: onDisk,
      restart: { strategy: 'fixed-delay', attempts: 3, delayMs: 10 },
    })
    reading.mockRestore()
    expect(result.outcome).toBe('completed')
    expect(job.read('out')).toEqual(['1', '2', '3', '4', '5'])
    expect(log.lines.filter(({ message }) => message.includes('restored from its changelog'))).toHaveLength(1)
  })

  test('stops the job by its name when it does not end', async () => {
    const job = new MemoryJob()
    write(job, 3)
    await job.run(counting, { environment: onDisk })
    write(job, 1)
    const reading = vi.spyOn(Level.prototype, 'getSync').mockImplementation(() => Buffer.from('never what was stored'))
    const restart = { strategy: 'fixed-delay', attempts: 2, delayMs: 10 } as const
    expect(await failure(job.run(counting, { environment: onDisk, restart }))).toMatchObject({ code: 'damaged-state' })
    reading.mockRestore()
    expect(job.read('out')).toEqual(['1', '2', '3'])
  })
})

test('a restore that meets a damaged changelog stops the job by that name, and does not try again', async () => {
  const job = new MemoryJob()
  write(job, 3)
  await job.run(counting)
  let reads = 0
  const damaged = withTaskLog((task) =>
    override(task, {
      changelog: override(task.changelog, {
        read: () => {
          reads += 1
          throw new TidemarkError('corrupt-store', 'The batch at offset 1 is damaged.')
        },
      }),
    }),
  )
  const restart = { strategy: 'fixed-delay', attempts: 100, delayMs: 10 } as const
  const other = job.onOtherDisks()
  write(other, 1)
  expect(await failure(other.run(counting, { environment: damaged, restart }))).toMatchObject({ code: 'corrupt-store' })
  expect(reads).toBeLessThanOrEqual(2)
})
