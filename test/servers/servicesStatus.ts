import { messageOf } from '../../src/core/errors.ts'
import { runCql } from './cqlWire.ts'
import { liveBrokers } from './kafkaWire.ts'
import { daemonPid } from './localServer.ts'
import {
  cassandraAddress,
  cassandraDirectory,
  kafkaAddress,
  kafkaDirectory,
  readRecord,
  type ServicesRecord,
} from './servicesRecord.ts'
import { join } from 'node:path'

export interface ServerStatus {
  readonly name: string
  readonly address: string
  /** Whether it answers its protocol. */
  readonly up: boolean
  /** For people: its process, or why it does not answer. */
  readonly detail: string
}

/** Asks every server of a directory; empty when `services:up` did not start any there. */
export async function servicesStatus(directory: string): Promise<readonly ServerStatus[]> {
  const record = readRecord(directory)
  if (record === undefined) return []
  const brokers = kafkaAddress(record)
    .split(',')
    .map((address, index) => ({
      name: record.brokers === 1 ? 'Kafka' : `Kafka ${String(index + 1)}`,
      address,
      home: join(kafkaDirectory(directory), `broker-${String(index + 1)}`),
      ask: async (): Promise<void> => {
        await liveBrokers(address)
      },
    }))
  const address = cassandraAddress(record)
  const cassandra = {
    name: 'Cassandra',
    address,
    home: cassandraDirectory(directory),
    ask: () => runCql({ address }, ['SELECT release_version FROM system.local']),
  }
  return Promise.all([...brokers, cassandra].map((server) => statusOf(server, record)))
}

async function statusOf(
  server: { name: string; address: string; home: string; ask(): Promise<void> },
  { from }: ServicesRecord,
): Promise<ServerStatus> {
  const { name, address, home } = server
  const pid = from === 'jars' ? daemonPid(home) : undefined
  const place = from === 'docker' ? 'container' : pid === undefined ? 'no process' : `process ${String(pid)}, ${home}`
  try {
    await server.ask()
    return { name, address, up: true, detail: place }
  } catch (error) {
    return { name, address, up: false, detail: `${place}: ${messageOf(error)}` }
  }
}
