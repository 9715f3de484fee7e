import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { testCli } from './testCli.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'tidemark-cli-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true })
})

const cli = (...args: string[]) => testCli({ directory }, ...args)

const job = `
export default {
  name: 'orders',
  settings: {},
  values: { 'checkpoint.timeout.ms': '5000' },
  pipeline() { throw new Error('not planned here') },
  [Symbol.for('tidemark.job')]: true,
}`

describe('help and usage', () => {
  test.each([
    [['--help']],
    [['run', '--help']],
    [['plan', '--help']],
    [['config', '--help']],
    [['topic', '--help']],
    [['topic', 'create', '--help']],
    [['topic', 'list', '--help']],
    [['topic', 'write', '--help']],
    [['topic', 'read', '--help']],
    [['table', 'load', '--help']],
    [['table', 'read', '--help']],
    [['table', 'list', '--help']],
    [['explain', '--help']],
  ])('%j prints help to the standard output and ends with 0', async (args) => {
    const { code, out, err } = await cli(...args)
    expect(code).toBe(0)
    expect(out).toMatch(/^Usage: tidemark/)
    expect(err).toBe('')
  })

  test('every command that takes arguments shows an example', async () => {
    for (const args of [['run'], ['plan'], ['config'], ['topic', 'create'], ['topic', 'write'], ['topic', 'read']]) {
      expect((await cli(...args, '--help')).out).toMatch(/Examples?:\n +(\w|echo)/)
    }
  })

  test('the version is that of the package', async () => {
    expect((await cli('--version')).out).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  test.each([
    [['topics', 'list'], 'Did you mean topic?'],
    [['topic', 'read', 't', '--folow'], 'Did you mean --follow?'],
    [['topic', 'read'], 'missing required argument'],
    [['topic', 'read', 'a', 'b'], 'too many arguments'],
  ])('%j is refused with a hint and exit code 2', async (args, hint) => {
    const { code, err, out } = await cli(...args)
    expect(code).toBe(2)
    expect(err).toContain(hint)
    expect(out).toBe('')
  })

  test('without a command the help is printed, as a mistake', async () => {
    expect(await cli()).toMatchObject({ code: 2, err: expect.stringContaining('Usage: tidemark') })
  })
})

describe('errors', () => {
  test('say what is wrong and the code, and show a stack only at debug level', async () => {
    const { code, err } = await cli('config', '--chekpoint.interval.ms=5')
    expect(code).toBe(2)
    expect(err).toBe(
      'Error: Unknown setting "chekpoint.interval.ms" (flag). Did you mean checkpoint.interval.ms?\n  code: unknown-setting\n',
    )
    expect((await cli('config', '--chekpoint.interval.ms=5', '--log.level=debug')).err).toContain('resolve.ts')
  })

  test('a job file that is not there ends with 2', async () => {
    expect(await cli('run', 'jobs/none.ts')).toMatchObject({ code: 2, err: expect.stringContaining('job-not-found') })
  })
})

describe('config', () => {
  const line = (out: string, key: string) => out.split('\n').find((text) => text.startsWith(`${key} `)) ?? ''

  test('prints each setting with value, origin and meaning', async () => {
    writeFileSync(path.join(directory, 'job.mjs'), job)
    writeFileSync(path.join(directory, 'application.properties'), '\ncheckpoint.interval.ms = 30 s\n')
    const options = { directory, environment: { LOG_LEVEL: 'warn' } }
    const { code, out } = await testCli(options, 'config', 'job.mjs', '--data-dir', 'd', '--json.max.depth', '10')
    expect(code).toBe(0)
    expect(line(out, 'KEY')).toMatch(/KEY +VALUE +ORIGIN +MEANING/)
    expect(line(out, 'data.dir')).toMatch(/ d +flag +Directory/)
    expect(line(out, 'json.max.depth')).toMatch(/ 10 +flag /)
    expect(line(out, 'log.level')).toMatch(/ warn +environment LOG_LEVEL /)
    expect(line(out, 'checkpoint.interval.ms')).toMatch(/ 30000 +application\.properties:2 /)
    expect(line(out, 'checkpoint.timeout.ms')).toMatch(/ 5000 +job\.mjs /)
    expect(line(out, 'embedded.partitions')).toMatch(/ 4 +default /)
    expect(line(out, 'kafka.bootstrap.servers')).toMatch(/ - +not set /)
  })

  test('prints the name under which the job is deployed, and where it comes from', async () => {
    writeFileSync(path.join(directory, 'job.mjs'), job)
    expect(line((await cli('config')).out, 'job.name')).toMatch(/ - +not set +Name /)
    expect(line((await cli('config', 'job.mjs')).out, 'job.name')).toMatch(/ orders +job\.mjs +Name /)
    expect(line((await cli('config', 'job.mjs', '--job.name=orders-eu')).out, 'job.name')).toMatch(/ orders-eu +flag /)
    expect(await cli('config', 'job.mjs', '--job.name=a/b')).toMatchObject({
      code: 2,
      err: expect.stringContaining(
        'job.name has a value that it cannot have (flag): expected 1 to 100 of the characters',
      ),
    })
  })

  test('reads another file instead when it is told so', async () => {
    writeFileSync(path.join(directory, 'application.properties'), 'embedded.partitions = 5\n')
    writeFileSync(path.join(directory, 'other.properties'), 'embedded.partitions = 6\n')
    expect(line((await cli('config')).out, 'embedded.partitions')).toMatch(/ 5 +application\.properties:1 /)
    expect(line((await cli('config', '--config', 'other.properties')).out, 'embedded.partitions')).toMatch(/ 6 +other/)
    expect(await cli('config', '--config', 'none.properties')).toMatchObject({ code: 2 })
  })

  test('shows the default that --follow has', async () => {
    expect(line((await cli('config', '--follow')).out, 'restart.strategy')).toMatch(/ exponential-delay +default with/)
  })

  test('refuses both spellings of the data directory at once', async () => {
    expect(await cli('config', '--data-dir', 'a', '--data.dir', 'b')).toMatchObject({ code: 2 })
  })

  test('warns of a variable that is taken for another program’s, and no command ends with it', async () => {
    const environment = { DASHBOARD_PORT: 'tcp://10.0.0.1:8081', LOG_LEVEL: 'trace', CHECKPOINT_INTERVAL_MS: '30' }
    const { code, out, err } = await testCli({ directory, environment }, 'config')
    expect(code).toBe(0)
    expect(out).toMatch(/^dashboard\.port +8081 +default/m)
    expect(err).toMatch(/^Warning: dashboard\.port has a value that it cannot have \(environment DASHBOARD_PORT\).*$/m)
    const wrong = { ...environment, CHECKPOINT_INTERVAL_MS: 'soon' }
    expect(await testCli({ directory, environment: wrong }, 'topic', 'create', 'a')).toMatchObject({ code: 0, err: '' })
    expect(await testCli({ directory, environment: wrong }, 'config')).toMatchObject({ code: 2 })
  })

  test('warns of a key that a file sets twice', async () => {
    writeFileSync(path.join(directory, 'application.properties'), 'data.dir = a\ndata.dir = b\n')
    expect(await cli('config')).toMatchObject({
      code: 0,
      err: expect.stringContaining('Warning: application.properties:1'),
    })
  })
})

describe('plan', () => {
  test('a pipeline that cannot be planned says why', async () => {
    writeFileSync(path.join(directory, 'job.mjs'), job)
    expect(await cli('plan', 'job.mjs')).toMatchObject({ code: 2, err: expect.stringContaining('not planned here') })
  })

  test('shows the name under which the job is deployed, the one in its file, and what derives from it', async () => {
    const file = fileURLToPath(new URL('../../jobs/reconcile.ts', import.meta.url))
    const { out } = await cli('plan', file, '--job.name=reconcile-eu')
    expect(out.split('\n')[0]).toBe(`job reconcile-eu (job reconcile of ${file})`)
    expect(out).toContain('consumer group reconcile-eu-group, transactional ids reconcile-eu-tx-...')
    expect((await cli('plan', file)).out).toMatch(/^job reconcile\n.*reconcile-group, transactional ids reconcile-tx-/)
  })
})
