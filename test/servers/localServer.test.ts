import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { freePorts } from './freePorts.ts'
import { daemonPid, startLocalServer, stopDaemon, type LocalServerSpec, type RunningServer } from './localServer.ts'
import { isEnding, runsAs } from './runsAs.ts'

const echoServer = fileURLToPath(new URL('./echoServer.ts', import.meta.url))

let directory = ''
let port = 0
const servers: RunningServer[] = []

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tidemark-server-'))
  port = (await freePorts(1))[0] ?? 0
})

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.kill9()))
  await stopDaemon(directory)
  rmSync(directory, { recursive: true, force: true })
})

/** What a connection to the server gives: its process id. Rejects when it does not answer within half a second. */
function ask(): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    socket.setTimeout(500, () => socket.destroy(new Error('no answer')))
    socket.once('error', reject)
    socket.once('data', (data) => {
      resolve(Number(data.toString()))
    })
  })
}

async function start(how = '', more: Partial<LocalServerSpec> = {}): Promise<RunningServer> {
  const server = await startLocalServer({
    name: 'Echo',
    address: `127.0.0.1:${String(port)}`,
    directory,
    command: process.execPath,
    args: [echoServer, String(port), how, directory],
    lifetime: 'process',
    ready: async () => {
      await ask()
    },
    ...more,
  })
  servers.push(server)
  return server
}

describe('a server on this machine', () => {
  it('answers once it is started, and is another process after a restart in order', async () => {
    const server = await start()
    const first = await ask()
    expect(server.pid).toBe(first)
    await server.restart()
    expect(await ask()).toBe(server.pid)
    expect(server.pid).not.toBe(first)
    expect(runsAs(first, directory)).toBe(false)
  })

  it('is gone when kill9 resolves, and comes back by restart', async () => {
    const server = await start('stubborn')
    await server.kill9()
    expect(server.pid).toBeUndefined()
    await expect(ask()).rejects.toThrow('ECONNREFUSED')
    await server.restart()
    expect(await ask()).toBe(server.pid)
  })

  it('keeps its connections and answers nothing while it is frozen', async () => {
    const server = await start()
    server.freeze()
    await expect(ask()).rejects.toThrow('no answer')
    server.thaw()
    expect(await ask()).toBe(server.pid)
    server.freeze()
    await server.stop()
    expect(server.pid).toBeUndefined()
  })

  it('that ends before it answers fails the start with its last log lines', async () => {
    await expect(start('broken')).rejects.toThrow(
      /Echo ended with exit code 7 before it answered on 127[^]*asked for port \d+, broken\nthe disk is on fire$/,
    )
  })

  it('that is too slow is ended, and fails the start with its last log lines', async () => {
    await expect(start('late', { startTimeoutMs: 700 })).rejects.toThrow(
      /Echo did not answer on 127.0.0.1:\d+ within 1 s[^]*asked for port \d+, late$/,
    )
    expect(readFileSync(join(directory, 'server.log'), 'utf8')).toContain('late')
  })

  it('whose program is missing says so', async () => {
    await expect(start('', { command: '/nowhere/java' })).rejects.toThrow('/nowhere/java cannot be run')
  })

  it('dies with the process that started it, however that dies, and a temporary directory goes too', async () => {
    const script = `
      const { startLocalServer } = await import('${join(import.meta.dirname, './localServer.ts')}')
      const { underWatch } = await import('${join(import.meta.dirname, './underWatch.ts')}')
      underWatch.addDirectory('${directory}')
      const server = await startLocalServer({
        name: 'Echo', address: '', directory: '${directory}', command: process.execPath, lifetime: 'process',
        args: ['${echoServer}', '${String(port)}', '', '${directory}'],
        ready: async () => {},
      })
      console.log(server.pid)
      setInterval(() => {}, 1000)
    `
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const pid = await new Promise<number>((resolve) => {
      parent.stdout.once('data', (data: Buffer) => {
        resolve(Number(data.toString()))
      })
    })
    expect(runsAs(pid, directory)).toBe(true)
    parent.kill('SIGKILL')
    await vi.waitFor(
      () => {
        expect(runsAs(pid, directory)).toBe(false)
        expect(existsSync(directory)).toBe(false)
      },
      { timeout: 10_000 },
    )
  })
})

describe('a daemon', () => {
  it('is found by its directory and ended by its process id', async () => {
    const server = await start('', { lifetime: 'daemon' })
    expect(daemonPid(directory)).toBe(server.pid)
    expect(await stopDaemon(directory)).toBe(true)
    expect(daemonPid(directory)).toBeUndefined()
    await expect(ask()).rejects.toThrow('ECONNREFUSED')
    expect(await stopDaemon(directory)).toBe(false)
  })

  it('is gone, and its port free, when its end is told, however much it had to give back', async () => {
    await start('large', { lifetime: 'daemon' })
    expect(await stopDaemon(directory)).toBe(true)
    await expect(ask()).rejects.toThrow('ECONNREFUSED')
  })

  it('whose end nobody waits for has ended all the same: its parent may never ask', async () => {
    const parent = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      const pid = Number(await new Promise((resolve) => parent.stdout.once('data', resolve)))
      await vi.waitFor(() => {
        expect(runsAs(pid, 'sleep')).toBe(false)
      })
      await vi.waitFor(() => {
        expect(isEnding(pid)).toBe(false)
      })
    } finally {
      parent.kill('SIGKILL')
    }
  })

  it('is not taken for a process of somebody else that has its id now', async () => {
    const server = await start('', { lifetime: 'daemon' })
    await server.kill9()
    writeFileSync(join(directory, 'server.pid'), `${String(process.pid)}\n`)
    expect(daemonPid(directory)).toBeUndefined()
    // Had it been taken for the daemon, this test would not live to tell.
    expect(await stopDaemon(directory)).toBe(false)
  })
})
