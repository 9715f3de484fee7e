import { afterAll, beforeAll, expect, it } from 'vitest'
import { KafkaWorld, uniqueName } from '../../connectors/kafka/kafkaWorld.ts'
import { describeWithServers } from '../../support/realServers.ts'
import { batchOf, weigh, weighTopics } from './weighJob.ts'

const mebibyte = 1024 * 1024
const limitMiB = 400

// The same at full length: largeBatches.long.test.ts.
describeWithServers('a job whose input unpacks to more than there is memory', ['kafka'], (servers) => {
  let world: KafkaWorld
  let name: string

  beforeAll(async () => {
    world = new KafkaWorld(servers.kafka())
    name = uniqueName('weigh')
    await weighTopics(world, name)
  })
  afterAll(async () => {
    for (const topic of ['in', 'out', 'dlq']) await world.deleteTopic(`${name}-${topic}`)
    await world.close()
  })

  const outputs = async (topic: 'out' | 'dlq') => world.readAll(`${name}-${topic}`, 0)

  it('at default settings stays below 400 MiB, reads every record, and passes one that is too large by its position', async () => {
    const zeros = Buffer.alloc(mebibyte)
    const gzip = await batchOf(150, zeros, 'gzip')
    const zstd = await batchOf(150, zeros, 'zstd')
    const tooLarge = await batchOf(1, Buffer.alloc(150 * mebibyte))
    const large = await batchOf(1, Buffer.alloc(10_000_000))
    for (const batch of [...times(2, gzip), ...times(4, zstd), tooLarge, ...times(16, large)]) {
      await world.appendBatch(`${name}-in`, 0, batch)
    }
    const { code, err, out, mostMiB } = await weigh(servers.kafka(), name)
    expect({ code, err }).toMatchObject({ code: 0 })
    expect(out).toContain('917 records')
    const sizes = (await outputs('out')).map(({ raw }) => Number(raw?.toString().split(' ')[1]))
    expect(Map.groupBy(sizes, (size) => size).get(mebibyte)).toHaveLength(6 * 150)
    expect(Map.groupBy(sizes, (size) => size).get(10_000_000)).toHaveLength(16)
    expect(sizes).toHaveLength(6 * 150 + 16)
    const [dead, ...others] = await outputs('dlq')
    expect(others).toEqual([])
    const headers = new Map(dead?.headers.map(([header, value]) => [header, value?.toString()]))
    expect([headers.get('error-code'), headers.get('source-offset')]).toEqual(['input-too-large', '900'])
    expect(Number(headers.get('original-bytes'))).toBeGreaterThan(150 * mebibyte)
    if (process.platform === 'linux') expect(mostMiB).toBeLessThan(limitMiB)
  }, 120_000)

  it('without dead letters stops at the record that is too large, and passes it when it is asked to', async () => {
    const own = uniqueName('weigh')
    await weighTopics(world, own)
    for (const batch of [await batchOf(1, Buffer.from('a')), await batchOf(1, Buffer.alloc(150 * mebibyte))]) {
      await world.appendBatch(`${own}-in`, 0, batch)
    }
    const stopped = await weigh(servers.kafka(), own, ['--weigh.dead.letters=no'])
    expect(stopped).toMatchObject({ code: 1, err: expect.stringContaining('unreadable-input') })
    expect(stopped.err).toContain(`--skip ${own}-in:0@1`)
    const passed = await weigh(servers.kafka(), own, ['--weigh.dead.letters=no', '--skip', `${own}-in:0@1`])
    expect(passed).toMatchObject({ code: 0, err: expect.stringContaining('What cannot be read is passed') })
    expect((await world.readAll(`${own}-out`, 0)).map(({ raw }) => raw?.toString())).toEqual(['0 1'])
    expect(await world.groupOffsets(`${own}-group`, `${own}-in`)).toEqual([2])
    for (const topic of ['in', 'out', 'dlq']) await world.deleteTopic(`${own}-${topic}`)
  }, 60_000)
})

function times(count: number, batch: Buffer): readonly Buffer[] {
  return Array.from({ length: count }, () => batch)
}
