import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { resultOf, root, startProcess } from './cliProcess.ts'
import { testCli, type CliResult } from './testCli.ts'

/** No output may have it, in any spelling; base64 of it depends on where it begins. */
const seen = /canary|Y2FuYXJ5|NhbmFye|jYW5hcn|63616e617279/i

const job = path.join(root, 'test/support/jobs/quoting.ts')
const launcher = path.join(root, 'src/cli/tidemark.js')

/** The 1st is in every configuration as the password of a job; quotes, spaces and ampersands are spelt in many ways. */
const password = `canary-1 "é&'<x>/y=`

const jaas = (word: string): string =>
  `org.apache.kafka.common.security.scram.ScramLoginModule required username="reader" password="${word}";`

/** Secrets that are as they should be, all at once. */
const secrets: Readonly<Record<string, string>> = {
  'quoting.password': password,
  'security.protocol': 'SASL_PLAINTEXT',
  'sasl.mechanism': 'SCRAM-SHA-512',
  'kafka.sasl.jaas.config': jaas('canary-2'),
  'kafka.sasl.token': 'canary-3.canary-3',
  'ssl.keystore.password': 'canary-4',
  'ssl.truststore.password': 'canary-5',
  'ssl.key.password': 'canary-6',
  'kafka.sasl.oauthbearer.token.endpoint.url': 'https://login.example.com/token?key=canary-7',
  'cassandra.username': 'reader',
  'cassandra.password': 'canary-8',
}

/** A text in PEM with a word in the place of the key. */
const pem = (word: string): string => `-----BEGIN PRIVATE KEY-----\n${word}${'A'.repeat(40)}\n-----END PRIVATE KEY-----`

/** Each is a mistake that has a secret where none belongs, or where it is not looked for. */
const mistakes: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'userinfo in a broker': { 'kafka.bootstrap.servers': 'ada:canary-9@127.0.0.1:1' },
  'userinfo in a contact point': { 'cassandra.contact.points': 'ada:canary-10@127.0.0.1' },
  'userinfo in the URL for tokens': { 'sasl.oauthbearer.token.endpoint.url': 'https://ada:canary-11@h/token' },
  'a login module that is not known': {
    'kafka.sasl.jaas.config': 'canary.Canary12 required;',
    'sasl.mechanism': 'PLAIN',
  },
  'a login module with an end that is missing': { 'kafka.sasl.jaas.config': jaas('canary-13').slice(0, -2) },
  'a protocol that is none': { 'security.protocol': 'canary-14' },
  'a number that is none': { 'checkpoint.interval.ms': 'canary-15' },
  'a log level that is none': { 'log.level': 'canary-16' },
  'a key in place of a file': { 'security.protocol': 'SSL', 'kafka.ssl.keystore.location': pem('canary-17') },
  'a password in place of a file': { 'security.protocol': 'SSL', 'kafka.ssl.truststore.location': '/canary-18' },
  'a certificate that is none': { 'security.protocol': 'SSL', 'ssl.truststore.certificates': 'canary-19' },
  'a key that is damaged': {
    'security.protocol': 'SSL',
    'ssl.keystore.key': pem('canary-20'),
    'ssl.keystore.certificate.chain': pem('canary-20'),
  },
  'a key for Cassandra in place of a file': { 'cassandra.tls.ca': pem('canary-21') },
  'a consistency that is none': { 'cassandra.consistency': 'canary-22' },
  'a driver settings file that is no JSON': { 'cassandra.driver.settings.file': 'password.json' },
  'a profile with a consistency that is none': { 'cassandra.driver.settings.file': 'profile.json' },
  'a secret of a job that is refused': { 'quoting.pin': 'canary-23' },
  'a setting of a job whose codec quotes': { 'quoting.code': 'canary-24' },
  'a job that fails while it is planned': { 'quoting.fails': 'plan' },
  'a job that fails at a record': { 'quoting.fails': 'record', 'restart.strategy': 'none' },
  'a job that fails to explain': { 'quoting.fails': 'explain' },
  'a job that fails to sum up': { 'quoting.fails': 'summary' },
  'nothing wrong': {},
}

const commands: Readonly<Record<string, readonly string[]>> = {
  run: ['run', job, '--dashboard.port=0'],
  plan: ['plan', job],
  config: ['config', job],
  explain: ['explain', 'quoting-in', '0@0', '--job', job],
  preview: ['preview', job, '--records', '2'],
  doctor: ['doctor', job],
  'topic list': ['topic', 'list'],
  'topic read': ['topic', 'read', 'quoting-dlq'],
  'table list': ['table', 'list'],
  query: ['query', 'SELECT 1'],
}

/** Nothing listens there, so that the answer comes at once. */
const refusing = {
  'kafka.bootstrap.servers': '127.0.0.1:1',
  'cassandra.contact.points': '127.0.0.1:1',
  'cassandra.local.datacenter': 'dc1',
}

let directory: string

beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'tidemark-secrets-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

/** A working directory with one record for the job, and the files that mistakes name. */
async function place(name: string): Promise<string> {
  const made = path.join(directory, name)
  mkdirSync(made)
  writeFileSync(path.join(made, 'password.json'), '{"password": canary-25}')
  writeFileSync(path.join(made, 'profile.json'), '{"profiles":[{"name":"default","consistency":"canary-26"}]}')
  const written = await testCli({ directory: made, stdin: 'a\n' }, 'topic', 'write', 'quoting-in')
  expect(written.code).toBe(0)
  return made
}

function asProperties(settings: Readonly<Record<string, string>>): string {
  const escaped = (value: string): string => value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
  return Object.entries(settings)
    .map(([key, value]) => `${key}=${escaped(value)}\n`)
    .join('')
}

const sources = {
  file: (settings: Readonly<Record<string, string>>, at: string) => {
    writeFileSync(path.join(at, 'application.properties'), asProperties(settings))
    return { flags: [] as string[], environment: {} }
  },
  environment: (settings: Readonly<Record<string, string>>) => ({
    flags: [] as string[],
    environment: Object.fromEntries(
      Object.entries(settings).map(([key, value]) => [`TIDEMARK_${key.toUpperCase().replaceAll(/\W/g, '_')}`, value]),
    ),
  }),
  flags: (settings: Readonly<Record<string, string>>) => ({
    flags: Object.entries(settings).map(([key, value]) => `--${key}=${value}`),
    environment: {},
  }),
}

/** What is printed, without colours: one between two letters would hide them. */
function printed({ out, err }: Pick<CliResult, 'out' | 'err'>): string {
  return stripVTControlCharacters(out + err)
}

test('what is looked for is found where nothing is masked', () => {
  const spelt = [
    password,
    JSON.stringify(password),
    encodeURIComponent(password),
    Buffer.from(password).toString('hex'),
  ]
  const encoded = ['a', 'ab', 'abc'].map((user) => Buffer.from(`${user}:${password}`).toString('base64'))
  for (const text of [...spelt, ...encoded]) expect(text).toMatch(seen)
})

describe.each(Object.keys(mistakes))('%s', (mistake) => {
  const number = Object.keys(mistakes).indexOf(mistake)

  // Half of the commands run in each world, with the next mistake the other half.
  test('no command prints a secret', async () => {
    const texts: string[] = []
    const places = { embedded: await place(`${String(number)}-embedded`), real: await place(`${String(number)}-real`) }
    for (const [turn, [command, words]] of Object.entries(commands).map(
      ([name, line], i) => [i, [name, line]] as const,
    )) {
      const world = (number + turn) % 2 === 0 ? 'embedded' : 'real'
      const at = places[world]
      const settings = { ...(world === 'real' ? refusing : {}), ...secrets, ...mistakes[mistake] }
      // The settings of each come from another place, and each mistake begins with another one.
      const source = (['file', 'environment', 'flags'] as const)[(number + turn) % 3] ?? 'file'
      const ofJob = words.includes(job)
      const own = Object.fromEntries(Object.entries(settings).filter(([key]) => ofJob || !key.startsWith('quoting.')))
      rmSync(path.join(at, 'application.properties'), { force: true })
      const { flags, environment } = sources[source](own, at)
      const format = Math.floor((number + turn) / 2) % 2 === 0 ? 'json' : 'pretty'
      const level = own['log.level'] === undefined ? ['--log.level=debug'] : []
      const result = await testCli(
        { directory: at, environment, isTTY: turn % 4 < 2 },
        ...[...words, ...flags, `--log.format=${format}`, ...level],
      )
      texts.push(printed(result))
      // What no setting of ours marks as secret, `config` prints: that is what it is asked for.
      if (command === 'config' && mistake === 'a password in place of a file') continue
      expect([command, world, source, seen.exec(printed(result))?.[0]]).toEqual([command, world, source, undefined])
    }
    expect(texts.join('')).toMatch(/Error: /)
  })
})

test.each([
  [['--passwort=canary-27', 'run', job], 'unknown option'],
  [['config', '--config', 'canary-28'], 'settings file'],
  [['config', '--kafka.sasl.pasword=canary-29'], 'Unknown setting'],
  [['config', '--kafka.sasl.password=canary-30', '--kafka.sasl.password=canary-31'], 'given twice'],
  [['config', '--config', 'broken.properties'], 'no setting'],
])('a command line that is wrong is not quoted with its values: %j', async (words, message) => {
  const at = await place(`line-${message.replaceAll(' ', '-')}`)
  writeFileSync(path.join(at, 'broken.properties'), 'kafka.sasl.jaas.config=x\nCanary32 required;\n')
  const job0 = words.includes('broken.properties') ? [job] : []
  const result = await testCli({ directory: at }, ...words, ...job0)
  expect(printed(result)).toContain(message)
  expect(printed(result)).not.toMatch(seen)
})

test('a job file that throws a secret while it is loaded is told without it', async () => {
  const at = await place('load')
  writeFileSync(path.join(at, 'job.ts'), `throw new Error('no login with canary/33')`)
  for (const given of [['--kafka.sasl.password=canary/33'], ['--job.api-key=canary/33']]) {
    const result = await testCli({ directory: at }, 'plan', 'job.ts', '--log.level=debug', ...given)
    expect(printed(result)).toContain('no login with ***')
    expect(printed(result)).not.toMatch(seen)
  }
})

test('and so is one that throws what the environment has under the usual names', async () => {
  const at = await place('environment')
  const environment = {
    AWS_SECRET_ACCESS_KEY: 'Canary/35',
    PGPASSWORD: 'canary35canary',
    accessToken: 'Canary-Canary35',
    DATABASE_URL: 'postgres://canary:canary@db/orders',
  }
  const quoted = Object.values(environment).join(' ')
  writeFileSync(path.join(at, 'job.ts'), `throw new Error('no login with ${quoted}')`)
  const result = await testCli({ directory: at, environment }, 'plan', 'job.ts', '--log.level=debug')
  expect(printed(result)).toContain('no login with *** *** *** postgres://***@db/orders')
  expect(printed(result)).not.toMatch(seen)
})

test('what nobody has declared takes no name apart that a command prints', async () => {
  const at = await place('names')
  writeFileSync(
    path.join(at, 'application.properties'),
    'debezium.password=postgres\norders.url=https://h/x?team=quoting-in&year=2026\n',
  )
  const environment = { POSTGRES_PASSWORD: 'postgres', DATABASE_URL: 'postgres://postgres:postgres@db/postgres' }
  const written = await testCli(
    { directory: at, stdin: 'a\n', environment },
    ...['topic', 'write', 'postgres.public.orders'],
  )
  expect(written.code).toBe(0)
  const listed = await testCli({ directory: at, environment }, 'topic', 'list')
  expect(listed.out).toMatch(/^postgres\.public\.orders .*\nquoting-in /m)
  const wrong = await testCli({ directory: at, environment }, 'topic', 'read', 'postgres.public.order')
  expect(wrong.err).toContain('postgres.public.order')
  expect(listed.out + wrong.err).not.toContain('***')
})

describe('as a process', () => {
  const environment = {
    TIDEMARK_QUOTING_PASSWORD: password,
    KAFKA_SASL_PASSWORD: 'canary-34',
    LOG_LEVEL: 'debug',
  }

  /** All that the run has left in its directory. */
  function written(at: string): string {
    return readdirSync(at, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(path.join(entry.parentPath, entry.name), 'latin1'))
      .join('\n')
  }

  test('a run leaves no secret in its output, its report, its dead letters or any other file', async () => {
    const at = await place('process')
    const data = path.join(at, '.tidemark')
    const result = await resultOf(startProcess(data, [launcher, 'run', job, '--dashboard.port=0'], environment))
    expect(result).toMatchObject({ code: 0, out: expect.stringContaining('no login with ***') })
    expect(result.err).toContain('no login with ***')
    expect(readFileSync(path.join(data, 'report.html'), 'utf8')).toContain('no login with ***')
    const letters = await testCli({ directory: at }, 'topic', 'read', 'quoting-dlq')
    expect(letters.out).toContain('no login with ***')
    for (const text of [printed(result), letters.out, written(data)]) expect(text).not.toMatch(seen)
  })

  test('the live page, its interface, the metrics and the list of processes show none; work that nobody waits for neither', async () => {
    const at = await place('page')
    const args = [launcher, 'run', job, '--follow', '--quoting.fails=record', '--restart.strategy=exponential-delay']
    const child = startProcess(path.join(at, '.tidemark'), args, environment)
    const ended = resultOf(child)
    const address = await new Promise<string>((resolve) => {
      let said = ''
      child.stdout.on('data', (data: Buffer) => {
        said += data.toString()
        const [, found] = /Live page: (http:\S+)/.exec(said) ?? []
        if (found !== undefined) resolve(found)
      })
    })
    const ask = async (page: string): Promise<string> => (await fetch(`${address}${page}`)).text()
    await expect.poll(() => ask('/api/status'), { timeout: 15_000 }).toContain('no login with ***')
    const pages = await Promise.all(['/', '/metrics', '/healthz', '/readyz', '/api/status'].map(ask))
    const listed = spawnSync('ps', ['-ww', '-o', 'args=', '-p', String(child.pid)], { encoding: 'utf8' }).stdout
    child.kill('SIGTERM')
    expect(listed).toContain('tidemark.js')
    for (const text of [...pages, listed, printed(await ended)]) expect(text).not.toMatch(seen)

    const later = [launcher, 'run', job, '--quoting.fails=later', '--dashboard.port=0']
    const failed = await resultOf(startProcess(path.join(at, '.tidemark'), later, environment))
    expect(failed).toMatchObject({ code: 1, err: expect.stringContaining('unawaited-work') })
    const explain = [launcher, 'explain', 'quoting-in', '0@0', '--job', job, '--quoting.fails=later']
    const raw = await resultOf(startProcess(path.join(at, '.tidemark'), explain, environment))
    expect(raw).toMatchObject({ code: 1, err: expect.stringContaining('Error: no login with ***') })
    for (const result of [failed, raw]) expect(printed(result)).not.toMatch(seen)
  })
})
