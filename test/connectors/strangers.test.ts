import { fc, test } from '@fast-check/vitest'
import { afterEach, beforeEach, describe, expect, vi } from 'vitest'
import { cassandraConfig } from '../../src/connectors/cassandra/config/cassandraConfig.ts'
import { DriverSession } from '../../src/connectors/cassandra/client/driverSession.ts'
import { KafkaCluster } from '../../src/connectors/kafka/client/kafkaCluster.ts'
import { systemClock } from '../../src/core/ports/clock.ts'
import { TidemarkError } from '../../src/core/errors.ts'
import { hostPorts } from '../../src/core/settingCodecs.ts'
import { silentLogger } from '../../src/core/ports/logger.ts'
import { TestLogger } from '../../src/testing/kit/testLogger.ts'
import { answering, nonsense, strangers, withServer, type Stranger } from '../support/strangers.ts'
import { testConfig } from './kafka/kafkaWorld.ts'

/** What a first use of Kafka at this address fails with. */
async function kafkaFailure(address: string, sasl = false): Promise<TidemarkError> {
  const config = testConfig(address, {
    connectionTimeoutMs: 1_000,
    requestTimeoutMs: 500,
    ...(sasl ? { sasl: { mechanism: 'plain', username: 'user', password: 'wrong-secret' } } : {}),
  })
  const cluster = new KafkaCluster(config, systemClock, silentLogger)
  try {
    await cluster.metadata([])
  } catch (error) {
    if (error instanceof TidemarkError) return error
    throw error
  } finally {
    await cluster.close()
  }
  throw new Error('it was taken for Kafka')
}

/** What connecting to Cassandra at this address fails with. */
async function cassandraFailure(address: string): Promise<TidemarkError> {
  const decoded = hostPorts().decode(address)
  if (decoded._tag === 'Left') throw new Error(address)
  const config = cassandraConfig({
    contactPoints: decoded.right,
    localDatacenter: 'datacenter1',
    connectTimeoutMs: 1_000,
    requestTimeoutMs: 500,
  })
  const session = new DriverSession(config, systemClock, new TestLogger())
  try {
    await session.connect()
  } catch (error) {
    if (error instanceof TidemarkError) return error
    throw error
  } finally {
    await session.close()
  }
  throw new Error('it was taken for Cassandra')
}

const cassandraRefusal = Buffer.from('8400000000000000160000000a0010496e76616c69642070726f746f636f6c', 'hex')

describe('kafka.bootstrap.servers that names something else', () => {
  const said: Readonly<Record<Stranger, RegExp>> = {
    'an HTTP server':
      /what answers is no Kafka broker but an HTTP server\. Probably kafka\.bootstrap\.servers names the port of something else: set it to/,
    'a server that wants TLS':
      /a server that wants TLS\. Probably this is the port of a listener that speaks TLS: set security\.protocol/,
    'an SSH server': /no Kafka broker but an SSH server/,
    'a server that speaks text': /no Kafka broker but a server that speaks text/,
    'a server that closes at once': /Probably something listens there and does not answer/,
    'a server that closes after a question': /Probably something listens there and does not answer/,
    'a server that says nothing': /Probably something listens there and does not answer/,
    'a length below zero': /no Kafka broker\. Probably/,
    'a length of zero': /no Kafka broker\. Probably/,
    'a huge length': /no Kafka broker\. Probably/,
    'an echo': /Probably something listens there and does not answer/,
    'an answer of nothing but zeros': /Probably kafka\.bootstrap\.servers names the port of something else/,
    'an answer that ends too early': /Probably kafka\.bootstrap\.servers names the port of something else/,
    'an answer to a question of nobody': /Probably something listens there and does not answer/,
    'an answer of Cassandra with a length below zero': /no Kafka broker but Cassandra/,
    'bytes in pieces of one': /no Kafka broker but a server that speaks text\. Probably/,
  }
  for (const name of Object.keys(strangers) as Stranger[]) {
    test(`says what seems to be there: ${name}`, async () => {
      const error = await withServer(strangers[name], (address) => kafkaFailure(address))
      expect([error.code, error.message]).toEqual(['system-unreachable', expect.stringMatching(said[name])])
      expect(error.message).toMatch(/^Kafka at 127\.0\.0\.1:\d+ cannot be used/)
    })
  }

  describe('while the wall clock is set', () => {
    beforeEach(() => {
      vi.useFakeTimers({ toFake: ['Date'] })
    })
    afterEach(() => {
      vi.useRealTimers()
    })
    const hourMs = 3_600_000

    test('back, is told as soon as before', async () => {
      const error = await withServer(strangers['a server that says nothing'], (address) => {
        const failure = kafkaFailure(address)
        setTimeout(() => vi.setSystemTime(Date.now() - hourMs), 100)
        return failure
      })
      expect(error.message).toMatch(/timed out/)
    })

    test('forward, waits for the answer as long as before', async () => {
      const late = answering((socket) => {
        vi.setSystemTime(Date.now() + hourMs)
        setTimeout(() => socket.write(Buffer.concat([Buffer.from('00000040', 'hex'), Buffer.alloc(64)])), 250)
      })
      const error = await withServer(late, (address) => kafkaFailure(address))
      expect(error.message).toMatch(/what answers is no Kafka broker/)
    })
  })

  test('says that Cassandra is there', async () => {
    const error = await withServer(nonsense(cassandraRefusal), (address) => kafkaFailure(address))
    expect(error.message).toMatch(/no Kafka broker but Cassandra\. Probably kafka\.bootstrap\.servers names/)
  })

  test('fails with a password as without, and does not tell it', async () => {
    for (const name of ['an HTTP server', 'a huge length', 'an answer of nothing but zeros'] as const) {
      const error = await withServer(strangers[name], (address) => kafkaFailure(address, true))
      expect(error.code).toBe('system-unreachable')
      expect(error.message).not.toContain('wrong-secret')
    }
  })

  test.prop([fc.uint8Array({ minLength: 1, maxLength: 400 })], { numRuns: 20 })(
    'never throws outside of the request, whatever bytes come',
    async (bytes) => {
      const error = await withServer(nonsense(Buffer.from(bytes)), (address) => kafkaFailure(address))
      expect(error.code).toBe('system-unreachable')
    },
    60_000,
  )
})

describe('cassandra.contact.points that names something else', () => {
  const silence = /cassandra\.contact\.points/
  const said: Readonly<Record<Stranger, RegExp>> = {
    'an HTTP server': /what answers is no Cassandra but an HTTP server\. Probably cassandra\.contact\.points names/,
    'a server that wants TLS':
      /no Cassandra but a server that wants TLS\. Probably this port wants TLS: set cassandra\.tls/,
    'an SSH server': /no Cassandra but an SSH server/,
    'a server that speaks text': /no Cassandra but a server that speaks text/,
    'a server that closes at once': silence,
    'a server that closes after a question': silence,
    'a server that says nothing': silence,
    'a length below zero': /no Cassandra/,
    'a length of zero': /no Cassandra/,
    'a huge length': /no Cassandra/,
    'an echo': /no Cassandra/,
    'an answer of nothing but zeros': /no Cassandra/,
    'an answer that ends too early': /no Cassandra/,
    'an answer to a question of nobody': /no Cassandra/,
    'an answer of Cassandra with a length below zero': /no Cassandra/,
    'bytes in pieces of one': /no Cassandra but a server that speaks text/,
  }
  for (const name of Object.keys(strangers) as Stranger[]) {
    test(`says what seems to be there: ${name}`, async () => {
      const error = await withServer(strangers[name], cassandraFailure)
      expect([error.code, error.message]).toEqual(['system-unreachable', expect.stringMatching(said[name])])
      expect(error.message).toMatch(/^Cassandra at 127\.0\.0\.1:\d+ cannot be used/)
    })
  }

  // What begins as an answer of Cassandra is read further.
  const bytes = fc
    .tuple(
      fc.constantFrom([], [0x84, 0, 0, 0, 0, 0, 0, 0, 8], [0x84, 0, 0, 0, 6, 0, 0, 0, 8]),
      fc.uint8Array({ minLength: 8, maxLength: 64 }),
    )
    .map(([head, rest]) => Buffer.from([...head, ...rest]))
  test.prop([bytes], { numRuns: 20 })(
    'never throws outside of the request, whatever bytes come',
    async (answer) => {
      const error = await withServer(nonsense(answer), cassandraFailure)
      expect(error.code).toBe('system-unreachable')
    },
    60_000,
  )
})
