import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systems } from '../../src/composition.ts'
import { fault, fine } from '../../src/core/finding.ts'
import { TidemarkError } from '../../src/core/errors.ts'
import { defineSystem, provided } from '../../src/core/ports/system.ts'
import { tablesPort, type Tables } from '../../src/core/ports/tables.ts'
import type { Resource } from '../../src/core/ports/port.ts'
import { setting } from '../../src/core/setting.ts'
import { text } from '../../src/core/settingCodecs.ts'
import { codeBlocks, readPage } from '../docs/documentation.ts'
import { root } from './cliProcess.ts'
import { testCli } from './testCli.ts'

/** What a new folder of connectors would have to say, and one line in the list. */
const paper = defineSystem({
  name: 'paper',
  title: 'Paper',
  settings: {
    'paper.drawer': setting(text, { optional: true, meaning: 'Drawer in which tables lie.', example: 'top' }),
    'paper.pin': setting(text, { optional: true, secret: true, meaning: 'Opens the drawer.', example: '0000' }),
  },
  keys: ['paper.drawer'],
  address: (settings) => settings['paper.drawer'] ?? '',
  open: (settings) => ({ drawer: settings['paper.drawer'] ?? '' }),
  provides: [provided(tablesPort, ({ drawer }: { readonly drawer: string }) => paperTables(drawer))],
  check: async ({ drawer }, job) => {
    if (drawer === 'stuck') throw new TidemarkError('system-unreachable', 'Paper does not open its drawer: pull harder')
    if (drawer === 'empty') return [fault('The drawer is empty', 'fill it')]
    return [fine(`Paper lies in ${drawer}, for ${job === null ? 'any job' : `job ${job.job}`}`)]
  },
})

function paperTables(drawer: string): Tables & Resource {
  return {
    connect: () => Promise.resolve(),
    close: () => Promise.resolve(),
    listTables: () =>
      Promise.resolve([
        { keyspace: drawer, table: 'sheets', columns: [['id', 'int']], partitionKey: ['id'], clusteringKey: [] },
      ]),
    loadTable: () => Promise.resolve(0),
    readTable: () => Promise.resolve({ rows: ['{"id":1}'], next: null }),
  }
}

let directory: string
const cli = (environment: Record<string, string>, ...args: string[]) =>
  testCli({ directory, environment, systems: [...systems, paper] }, ...args)

beforeAll(() => {
  // Inside the package, because only there the name of this package means it.
  directory = mkdtempSync(path.join(root, 'test/cli/.systems-'))
  writeFileSync(path.join(directory, '.gitignore'), '*\n')
})

afterAll(() => {
  rmSync(directory, { recursive: true })
})

describe('a system that is added to the list', () => {
  test('has its settings among the others, its secrets masked, and its keys spelt right', async () => {
    const { code, out } = await cli({ PAPER_DRAWER: 'top', PAPER_PIN: '1234' }, 'config')
    expect(code).toBe(0)
    expect(out).toMatch(/^paper\.drawer +top +environment PAPER_DRAWER +Drawer in which tables lie\.$/m)
    expect(out).toMatch(/^paper\.pin +\*\*\* /m)
    expect(await cli({}, 'config', '--paper.drawr=x')).toMatchObject({
      code: 2,
      err: expect.stringContaining('Did you mean paper.drawer?'),
    })
  })

  test('is chosen by its key, and what it provides is worked on', async () => {
    expect(await cli({ PAPER_DRAWER: 'top' }, 'table', 'list')).toMatchObject({
      code: 0,
      out: expect.stringContaining('top.sheets'),
    })
    expect(await cli({ PAPER_DRAWER: 'top' }, 'table', 'read', 'top.sheets')).toMatchObject({ out: '{"id":1}\n' })
  })

  test('is looked at by doctor where it is set, and nowhere else', async () => {
    expect(await cli({ PAPER_DRAWER: 'top' }, 'doctor')).toMatchObject({
      code: 0,
      out: 'ok    Paper lies in top, for any job\n',
    })
    expect(await cli({ PAPER_DRAWER: 'empty' }, 'doctor')).toMatchObject({
      code: 1,
      out: 'fail  The drawer is empty\n      fix: fill it\n',
    })
    expect(await cli({ PAPER_DRAWER: 'stuck' }, 'doctor')).toMatchObject({
      code: 1,
      out: 'fail  Paper does not open its drawer: pull harder\n',
    })
    expect((await cli({}, 'doctor')).out).not.toContain('Paper')
  })
})

describe('a system that a job brings along', () => {
  let server: Server
  let url: string

  beforeAll(async () => {
    server = createServer((request, response) => {
      const known = request.url === '/rates/EUR'
      response.writeHead(known ? 200 : 404).end(known ? '1.08' : '')
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`
    const job = codeBlocks(readPage('docs/operators.md')).find(({ info }) => info === 'jobs/rates.ts')
    writeFileSync(path.join(directory, 'rates.ts'), job?.code ?? '')
  })

  afterAll(() => {
    server.close()
  })

  test('has its settings among those of the job, and no command without the job knows them', async () => {
    expect(await cli({}, 'config', 'rates.ts', '--rates.url=http://here')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^rates\.url +http:\/\/here +flag +Where rates are asked for\.$/m),
    })
    expect(await cli({}, 'run', 'rates.ts')).toMatchObject({ code: 2, err: expect.stringContaining('missing-setting') })
    expect(await cli({}, 'config', '--rates.url=x')).toMatchObject({ code: 2 })
  })

  test('is asked by a run, by preview and by explain', async () => {
    const environment = { RATES_URL: url, DASHBOARD_PORT: '0' }
    await cli({}, 'topic', 'create', 'currencies', '--partitions', '1')
    await testCli({ directory, stdin: 'EUR\nXXX\n' }, 'topic', 'write', 'currencies')
    const preview = await cli(environment, 'preview', 'rates.ts')
    expect(preview).toMatchObject({ code: 0, out: expect.stringContaining('value EUR 1.08') })
    const explained = await cli(environment, 'explain', 'currencies', '0@1', '--job', 'rates.ts')
    expect(explained).toMatchObject({ code: 0, out: expect.stringContaining('value XXX null') })
    expect(await cli(environment, 'run', 'rates.ts')).toMatchObject({ code: 0 })
    expect((await cli({}, 'topic', 'read', 'rates')).out).toBe('EUR 1.08\nXXX null\n')
  })
})
