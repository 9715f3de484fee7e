import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { listen } from '../../src/dashboard/listen.ts'
import { silentLogger } from '../../src/runtime/logger.ts'
import { failure } from '../support/memoryJob.ts'

const servers: Server[] = []

function server(): Server {
  const created = createServer()
  servers.push(created)
  return created
}

/** A port on which another program listens. */
async function takenPort(): Promise<number> {
  const other = server()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  return (other.address() as AddressInfo).port
}

afterEach(async () => {
  await Promise.all(servers.splice(0).map((each) => new Promise((resolve) => each.close(resolve))))
})

test('a default port that is taken gives way to the next free one', async () => {
  const taken = await takenPort()
  const port = await listen(server(), { port: taken, explicit: false, log: silentLogger })
  expect(port).toBeGreaterThan(taken)
})

test('a chosen port that is taken is an error that says what to do', async () => {
  const taken = await takenPort()
  const error = await failure(listen(server(), { port: taken, explicit: true, log: silentLogger }))
  expect(error).toMatchObject({ code: 'port-unavailable', kind: 'configuration' })
  expect(error.message).toContain(`dashboard.port is ${String(taken)}`)
  expect(error.message).toContain('another program listens on it')
  expect(error.message).toContain('set it to 0')
})

test('it listens on this machine only', async () => {
  const created = server()
  const port = await listen(created, { port: await freePort(), explicit: true, log: silentLogger })
  expect(created.address()).toMatchObject({ address: '127.0.0.1', port })
})

async function freePort(): Promise<number> {
  const taken = await takenPort()
  await new Promise((resolve) => servers.at(-1)?.close(resolve))
  servers.pop()
  return taken
}
