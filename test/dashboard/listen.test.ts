import { createServer, type AddressInfo, type Server } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { listen, noFilesLeft } from '../../src/dashboard/listen.ts'

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
  const { port } = await listen(server(), { port: taken, explicit: false })
  expect(port).toBeGreaterThan(taken)
})

test('a chosen port that is taken is none', async () => {
  const port = await takenPort()
  expect(await listen(server(), { port, explicit: true })).toEqual({
    port: null,
    reason: 'another program listens on it',
  })
})

test.each([
  ['EACCES', 'this user may not listen on it'],
  ['EADDRNOTAVAIL', 'the machine has no address 127.0.0.1'],
  ['EMFILE', noFilesLeft],
  ['EINVAL', 'the system refuses it (listen: EINVAL)'],
])('%s is said in words, and no other port is tried', async (code, reason) => {
  const refusing = server()
  let asked = 0
  refusing.listen = () => {
    asked += 1
    const error = Object.assign(new Error('raw'), { code, syscall: 'listen' })
    queueMicrotask(() => refusing.emit('error', error))
    return refusing
  }
  expect(await listen(refusing, { port: 28_200, explicit: false })).toEqual({ port: null, reason })
  expect(asked).toBe(1)
})

test('it listens on this machine only', async () => {
  const created = server()
  const { port } = await listen(created, { port: await freePort(), explicit: true })
  expect(created.address()).toMatchObject({ address: '127.0.0.1', port })
})

async function freePort(): Promise<number> {
  const taken = await takenPort()
  await new Promise((resolve) => servers.at(-1)?.close(resolve))
  servers.pop()
  return taken
}
