import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
  existsSync,
  utimesSync,
} from 'node:fs'
import { createServer, type Server } from 'node:net'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeRoomForSocket, removeAbandonedSockets } from '../../../../src/connectors/embedded/shared/controlSocket.ts'
import { systemClock } from '../../../../src/core/ports/clock.ts'
import { givenAway } from '../../../support/files/foreignUser.ts'
import { temporaryDirectory } from '../temporaryDirectory.ts'

describe('the directory of a control socket', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>
  let socket: string

  beforeEach(async () => {
    directory = await temporaryDirectory()
    chmodSync(directory.path, 0o1777)
    socket = join(directory.path, 'control', 'socket')
  })
  afterEach(() => directory.remove())

  test('is made for this user alone, and closed where it was open', async () => {
    await makeRoomForSocket(directory.path, socket)
    expect(lstatSync(dirname(socket)).mode & 0o777).toBe(0o700)
    chmodSync(dirname(socket), 0o755)
    await makeRoomForSocket(directory.path, socket)
    expect(lstatSync(dirname(socket)).mode & 0o777).toBe(0o700)
  })

  test('is freed of a socket, whoever listens on it: the data directory is held', async () => {
    mkdirSync(dirname(socket), { mode: 0o700 })
    const server = createServer().listen(socket)
    await new Promise((resolve) => server.once('listening', resolve))
    await makeRoomForSocket(directory.path, socket)
    expect(readdirSync(dirname(socket))).toEqual([])
    await new Promise((resolve) => server.close(resolve))
  })

  test('is refused where it, or what stands at the socket, belongs to another user', async () => {
    mkdirSync(dirname(socket), { mode: 0o700 })
    writeFileSync(socket, '')
    await expect(makeRoomForSocket(directory.path, socket)).rejects.toMatchObject({
      code: 'unsafe-path',
      message: expect.stringMatching(/control\/socket is no socket/),
    })
    const viewer = givenAway(dirname(socket))
    await expect(makeRoomForSocket(directory.path, socket, viewer)).rejects.toMatchObject({
      code: 'unsafe-path',
      message: expect.stringMatching(/control belongs to user/),
    })
  })

  test('is refused where others can write it, and where it is a link', async () => {
    mkdirSync(join(directory.path, 'elsewhere'))
    symlinkSync(join(directory.path, 'elsewhere'), dirname(socket))
    await expect(makeRoomForSocket(directory.path, socket)).rejects.toMatchObject({ code: 'unsafe-path' })
    const other = join(directory.path, 'other', 'socket')
    mkdirSync(dirname(other))
    chmodSync(dirname(other), 0o777)
    await expect(makeRoomForSocket(directory.path, other)).rejects.toMatchObject({
      code: 'unsafe-path',
      message: expect.stringMatching(/chmod go-w .*other/),
    })
    expect(readdirSync(join(directory.path, 'elsewhere'))).toEqual([])
  })
})

const hash = '0123456789abcdef'
/** A process that has been, and is no more. */
const dead = String(spawnSync(process.execPath, ['-e', '']).pid)

describe('directories for control sockets that dead processes have left', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>
  const servers: Server[] = []

  beforeEach(async () => {
    directory = await temporaryDirectory()
  })
  afterEach(async () => {
    for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve))
    await directory.remove()
  })

  const place = (name: string): string => join(directory.path, name)
  const made = (name: string): string => {
    mkdirSync(place(name), { mode: 0o700 })
    return place(name)
  }
  const listening = async (path: string): Promise<void> => {
    const server = createServer().listen(path)
    servers.push(server)
    await new Promise((resolve) => server.once('listening', resolve))
  }
  /** As a killed process leaves it: nobody listens on it. */
  const abandoned = (path: string): void => {
    const listen = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
    spawnSync(process.execPath, ['-e', listen])
    expect(existsSync(path)).toBe(true)
  }
  const remove = (): Promise<void> => removeAbandonedSockets(systemClock, { place: directory.path })

  test('are removed, of this version and of 0.1.0', async () => {
    made(`tidemark-${hash}-${dead}`)
    abandoned(join(made(`tidemark-${hash.replace('0', 'a')}-${dead}`), 'socket'))
    abandoned(join(made(`tidemark-${hash}`), 'socket'))
    const old = made(`tidemark-${hash.replace('0', 'b')}`)
    utimesSync(old, new Date(0), new Date(0))
    await remove()
    expect(readdirSync(directory.path)).toEqual([])
  })

  test('are left where somebody lives, is just starting, has put something else, or where they are not ours', async () => {
    made(`tidemark-${hash}-${String(process.pid)}`)
    await listening(join(made(`tidemark-${hash}`), 'socket'))
    made(`tidemark-${hash.replace('0', 'a')}`)
    await listening(join(made(`tidemark-${hash}-${dead}`), 'socket'))
    writeFileSync(join(made(`tidemark-${hash.replace('0', 'b')}-${dead}`), 'notes.txt'), 'mine')
    writeFileSync(join(made(`tidemark-${hash.replace('0', 'c')}-${dead}`), 'socket'), 'mine')
    made(`tidemark-kafka-${dead}`)
    made('tidemark-x')
    mkdirSync(place('elsewhere'))
    symlinkSync(place('elsewhere'), place(`tidemark-${hash.replace('0', 'd')}-${dead}`))
    const foreign = made(`tidemark-${hash.replace('0', 'e')}-${dead}`)
    const viewer = givenAway(foreign)
    const before = readdirSync(directory.path)
    await removeAbandonedSockets(systemClock, { place: directory.path, viewer })
    expect(readdirSync(directory.path)).toEqual(before)
  })

  test('are no matter where there is no temporary directory', async () => {
    await expect(removeAbandonedSockets(systemClock, { place: place('nowhere') })).resolves.toBeUndefined()
  })
})
