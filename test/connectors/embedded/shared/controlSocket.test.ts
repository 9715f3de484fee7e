import { chmodSync, lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeRoomForSocket } from '../../../../src/connectors/embedded/shared/controlSocket.ts'
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
