import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { freePorts } from './freePorts.ts'

let directory = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tidemark-services-'))
})

afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

function services(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  const main = join(import.meta.dirname, './main.ts')
  return spawnSync(process.execPath, [main, ...args, '--dir', directory], { encoding: 'utf8' })
}

describe('services', () => {
  it('are none where nothing was started', () => {
    expect(services('status')).toMatchObject({ status: 3, stdout: 'Nothing was started: npm run services:up\n' })
    expect(services('down')).toMatchObject({ status: 0, stdout: 'Nothing was running.\n' })
  })

  it('remove data only where somebody has agreed', () => {
    mkdirSync(join(directory, 'kafka'))
    expect(services('down', '--remove-data')).toMatchObject({ status: 2, stderr: expect.stringContaining('add --yes') })
    expect(existsSync(join(directory, 'kafka'))).toBe(true)
    expect(services('down', '--remove-data', '--yes')).toMatchObject({ status: 0 })
    expect(existsSync(join(directory, 'kafka'))).toBe(false)
  })

  it.each(['kafka', 'cassandra'])('remove nothing where %s is a directory of somebody else', (name) => {
    mkdirSync(join(directory, 'kafka'))
    mkdirSync(join(directory, name), { recursive: true })
    writeFileSync(join(directory, name, 'notes.txt'), 'mine')
    expect(services('down', '--remove-data', '--yes')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(`${join(directory, name)} is not what services:up has made`),
    })
    expect(existsSync(join(directory, name, 'notes.txt'))).toBe(true)
    expect(existsSync(join(directory, 'kafka'))).toBe(true)
  })

  it.each([
    [['up', '--kafka-port', 'x'], '--kafka-port needs a port number, not x'],
    [['up', '--brokers', '2'], '--brokers needs 1 or 3, not 2'],
    [['up', '--from', 'tar'], '--from needs docker or jars, not tar'],
    [['up', '--with-table'], 'with-table'],
  ])('refuse %j with exit code 2', (args, reason) => {
    const { status, stderr } = services(...args)
    expect(status).toBe(2)
    expect(stderr).toContain(reason)
  })

  it('tell how they are used', () => {
    expect(services('--help')).toMatchObject({ status: 0, stdout: expect.stringContaining('--with-tables') })
    expect(services()).toMatchObject({ status: 2 })
  })

  it('do not start where a port is taken, and name the option', async () => {
    const [port = 0] = await freePorts(1)
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve))
    const { status, stderr } = services(
      'up',
      '--from',
      'jars',
      '--cassandra-port',
      String(port),
      '--kafka-port',
      '12001',
    )
    other.close()
    expect(status).toBe(1)
    expect(stderr).toContain(`Something else listens on 127.0.0.1:${String(port)}`)
    expect(stderr).toContain('--cassandra-port')
    expect(existsSync(join(directory, 'services.json'))).toBe(false)
  })
})
