import { describe, expect, it } from 'vitest'
import { Secrets } from '../../src/core/secrets.ts'
import { fromKafka } from '../../operators/fromKafka.ts'
import { mapWithState } from '../../operators/mapWithState.ts'
import { toKafkaTransactional } from '../../operators/toKafka.ts'
import { decodeCommitMetadata, encodeCommitMetadata } from '../../src/core/commitMetadata.ts'
import { committedOffsets } from '../../src/core/startMode.ts'
import type { MemoryOffset } from '../../src/testing/world/memoryLog.ts'
import { createLogger } from '../../src/runtime/job/logger.ts'
import { commitKey } from '../../src/state/changelogKey.ts'
import { lineageEntry } from '../../src/state/changelogRecords.ts'
import { override } from '../support/faultyLog.ts'
import { failure, MemoryJob, type TestPipeline } from '../support/memoryJob.ts'

const topics = ['input', 'other']

const reading =
  (groupId: string): TestPipeline =>
  (context) =>
    fromKafka(context, { topic: topics, groupId, startFrom: committedOffsets('earliest') }).pipe(
      toKafkaTransactional(context, { topic: 'output' }),
    )

const copy = reading('group')

/** Outputs how many records of its key there were. */
const count: TestPipeline = (context) =>
  fromKafka(context, { topic: topics, groupId: 'group' }).pipe(
    mapWithState<Buffer | null, number, string>(context, {
      uid: 'count',
      initial: () => 0,
      update: (n) => ({ state: n + 1, output: String(n + 1) }),
    }),
    toKafkaTransactional(context, { topic: 'output' }),
  )

function jobWithInput(): MemoryJob {
  const job = new MemoryJob()
  write(job, 'input', ['a', 'b'])
  write(job, 'other', ['c'])
  return job
}

function write(job: MemoryJob, topic: string, values: readonly string[]): void {
  job.log.append(
    values.map((value) => ({
      topic,
      partition: 0,
      key: Buffer.from('k'),
      value: Buffer.from(value),
      headers: [],
      timestamp: 0,
    })),
  )
}

function sorted(values: readonly (string | null)[]): readonly string[] {
  return values.map(String).toSorted()
}

function offsetOf(job: MemoryJob, topic: string): MemoryOffset {
  const offset = job.log.committed({ groupId: 'group', partition: 0 }, topic)
  if (offset === undefined) throw new Error(`${topic} has no committed offset`)
  return offset
}

function expire(job: MemoryJob, expired: readonly string[] = topics): void {
  for (const topic of expired) job.log.setOffset('group', topic, 0, null)
}

/** As 10bdeee has written it. */
function withoutCommitRecords(job: MemoryJob): void {
  job.log.changelogs[0]?.partition(0).compact(({ key }) => key?.equals(commitKey) !== true)
}

const lost = { code: 'commit-metadata-lost', message: expect.stringContaining('--reset-offsets') as unknown }

describe('committed offsets that have expired', () => {
  it('stand in the changelog: the job goes on from there and says so', async () => {
    const job = jobWithInput()
    await job.run(copy)
    expire(job)
    write(job, 'other', ['d'])
    const lines: string[] = []
    const log = createLogger({
      level: 'info',
      format: 'json',
      stream: { write: (line: string) => lines.push(line) > 0, isTTY: false },
      secrets: new Secrets(),
      clock: job.clock,
    })
    await job.run(copy, { environment: (world) => override(world, { log }) })
    expect(sorted(job.read('output'))).toEqual(['a', 'b', 'c', 'd'])
    expect(lines.filter((line) => line.includes('lost committed offsets'))).toHaveLength(1)
    expect(lines.join('')).toContain('"topics":["input","other"]')
  })

  it.each(topics)('of one input are filled in from there: %s', async (topic) => {
    const job = jobWithInput()
    await job.run(copy)
    expire(job, [topic])
    write(job, topic, ['d'])
    await job.run(copy)
    expect(sorted(job.read('output'))).toEqual(['a', 'b', 'c', 'd'])
    expect(topics.map((name) => offsetOf(job, name).offset)).toEqual(topic === 'input' ? [3, 1] : [2, 2])
  })

  it.each([
    ['all', topics],
    ['one', ['input']],
  ])('lose no state, whether the local one is there or not: %s', async (_, expired) => {
    const job = jobWithInput()
    await job.run(count)
    expire(job, expired)
    write(job, 'input', ['d'])
    await job.run(count)
    const elsewhere = job.onOtherDisks()
    expire(elsewhere, expired)
    write(elsewhere, 'input', ['e'])
    await elsewhere.run(count)
    expect(job.read('output')).toEqual(['1', '2', '3', '4', '5'])
  })

  it('are told from those of another consumer group', async () => {
    const job = jobWithInput()
    await job.run(copy)
    await expect(job.run(reading('another'))).rejects.toMatchObject({
      code: 'job-name-in-use',
      message: expect.stringMatching(/as consumer group group on input, other, .*group another on/) as unknown,
    })
    expect(job.read('output')).toHaveLength(3)
  })

  it('stop the job where a version that writes no commit records has written the changelog', async () => {
    const job = jobWithInput()
    await job.run(copy)
    withoutCommitRecords(job)
    const error = await failure(((): Promise<unknown> => (expire(job), job.run(copy)))())
    expect(error).toMatchObject(lost)
    expect(job.read('output')).toHaveLength(3)
  })

  it('of one input stop the job where there is no commit record, or that of another commit', async () => {
    const job = jobWithInput()
    await job.run(copy)
    const other = offsetOf(job, 'other')
    const later = { ...decodeCommitMetadata(other.metadata), epoch: 9, nonce: 'of 10bdeee' }
    expire(job, ['input'])
    job.log.setOffset('group', 'other', 0, { ...other, metadata: encodeCommitMetadata(later) })
    await expect(job.run(copy)).rejects.toMatchObject(lost)
    job.log.setOffset('group', 'other', 0, other)
    withoutCommitRecords(job)
    await expect(job.run(copy)).rejects.toMatchObject(lost)
  })

  it.each([
    ['state', { key: Buffer.from([1, 0, 0, 0, 0, 0, 1, 0x75, 0x6b]), value: Buffer.from('1') }],
    ['a reset', lineageEntry({ lineage: 'of 10bdeee', generation: 1 })],
  ])('stop the job where the changelog goes on behind the last commit record: %s', async (_, { key, value }) => {
    const job = jobWithInput()
    await job.run(copy)
    expire(job)
    const topic = 'test-source-changelog'
    job.log.changelogs[0]?.partition(0).append({ topic, partition: 0, key, value, headers: [], timestamp: 0 })
    await expect(job.run(copy)).rejects.toMatchObject(lost)
  })
})

describe('committed offsets that contradict the changelog', () => {
  it('because they were set by hand stop the job, which then goes on when they are removed', async () => {
    const job = jobWithInput()
    await job.run(copy)
    for (const topic of topics) job.log.setOffset('group', topic, 0, { offset: 0, metadata: '' })
    await expect(job.run(copy)).rejects.toMatchObject({
      ...lost,
      message: expect.stringMatching(
        /input 0, other 0.*epoch 1 .*Remove the group's offsets.*input 2, other 1/,
      ) as unknown,
    })
    expire(job)
    await job.run(copy)
    expect(job.read('output')).toHaveLength(3)
  })

  it('of one input that was set by hand stop the job', async () => {
    const job = jobWithInput()
    await job.run(copy)
    job.log.setOffset('group', 'input', 0, { offset: 0, metadata: '' })
    await expect(job.run(copy)).rejects.toMatchObject(lost)
  })

  it('because they were set back to an earlier commit stop the job', async () => {
    const job = jobWithInput()
    await job.run(copy)
    const before = topics.map((topic) => [topic, offsetOf(job, topic)] as const)
    write(job, 'input', ['d'])
    await job.run(copy)
    for (const [topic, offset] of before) job.log.setOffset('group', topic, 0, offset)
    await expect(job.run(copy)).rejects.toMatchObject({
      ...lost,
      message: expect.stringMatching(/is at epoch 1 .*its changelog that it is at epoch 2 .*set back/) as unknown,
    })
    expect(job.read('output')).toHaveLength(4)
  })

  it('do not when they are newer: a version that writes no commit records went on', async () => {
    const job = jobWithInput()
    await job.run(copy)
    for (const topic of topics) {
      const { offset, metadata } = offsetOf(job, topic)
      const later = { ...decodeCommitMetadata(metadata), epoch: 9, nonce: 'of 10bdeee' }
      job.log.setOffset('group', topic, 0, { offset, metadata: encodeCommitMetadata(later) })
    }
    write(job, 'input', ['d'])
    await job.run(copy)
    expect(job.read('output')).toHaveLength(4)
    expect(job.log.commits.at(-1)?.epoch).toBe(10)
  })
})
